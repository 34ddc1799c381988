from pathlib import Path

import pytest

from app.worker.checkpoints import Checkpoint, Checkpoints

LATEST = 10**9


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "run_1")


def test_there_is_none_at_first(checkpoints: Checkpoints) -> None:
    assert checkpoints.newest(LATEST) is None


def test_the_newest_is_taken_and_older_ones_go(checkpoints: Checkpoints, tmp_path: Path) -> None:
    for epoch in (5, 90, 1000, 20_000):
        checkpoints.save(epoch, f"state {epoch}".encode())

    assert checkpoints.newest(LATEST) == Checkpoint(20_000, b"state 20000")
    assert len(list((tmp_path / "run_1").iterdir())) == 2


def test_a_state_beyond_the_history_is_not_taken(checkpoints: Checkpoints) -> None:
    checkpoints.save(10, b"ten")
    checkpoints.save(20, b"twenty")

    assert checkpoints.newest(last_epoch=19) == Checkpoint(10, b"ten")
    assert checkpoints.newest(last_epoch=9) is None


@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "header"])
def test_of_a_damaged_file_an_older_one_is_taken(
    checkpoints: Checkpoints, tmp_path: Path, damage: str
) -> None:
    checkpoints.save(10, b"ten")
    checkpoints.save(20, b"twenty")
    path = tmp_path / "run_1" / "0000000020.checkpoint"
    content = bytearray(path.read_bytes())
    if damage == "bit":
        content[-3] ^= 1
    elif damage == "header":
        content[0] ^= 1
    path.write_bytes(b"" if damage == "empty" else content[:-1] if damage == "cut" else content)

    assert checkpoints.newest(LATEST) == Checkpoint(10, b"ten")


def test_an_unfinished_file_does_not_count(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.save(10, b"ten")
    (tmp_path / "run_1" / "0000000020.unfinished").write_bytes(b"half")

    assert checkpoints.newest(LATEST) == Checkpoint(10, b"ten")


def test_removing_leaves_nothing(checkpoints: Checkpoints, tmp_path: Path) -> None:
    checkpoints.save(10, b"ten")
    checkpoints.remove()
    checkpoints.remove()

    assert checkpoints.newest(LATEST) is None
    assert not (tmp_path / "run_1").exists()

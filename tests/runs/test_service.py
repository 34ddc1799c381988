from app.database import Database
from app.runs.service import RunFilter, build_run, create_run, list_runs, shapes_of
from app.spec.parsing import parse_run
from tests.support.documents import tiny_document


def test_of_two_requests_at_once_with_one_key_the_second_finds_the_run_of_the_first(
    database: Database,
) -> None:
    # Neither saw the other when it looked for the key.
    ids = []
    for _ in range(2):
        with database.writing() as session:
            ids.append(
                create_run(session, build_run(parse_run(tiny_document(tags={"a": "b"})), "hash", "key")).id
            )

    assert ids[0] == ids[1]
    with database.reading() as session:
        runs, _ = list_runs(session, RunFilter(), limit=10, after=None)
    assert [run.id for run in runs] == ids[:1]


def test_shapes_stand_for_arrays() -> None:
    inline = {
        "x": {"a": [[1, 2, 3], [4, 5, 6]], "b": [0.5, 2.0]},
        "y": [[[0]]],
        "group": ["p"],
        "columns": {},
    }

    assert shapes_of(inline | {"sample_weight": None}) == {
        "x": {"a": {"shape": [2, 3], "dtype": "int64"}, "b": {"shape": [2], "dtype": "float64"}},
        "y": {"shape": [1, 1, 1], "dtype": "int64"},
        "group": {"shape": [1], "dtype": "text"},
        "columns": {},
        "sample_weight": None,
    }

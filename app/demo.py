"""`kerb demo`: the circles study from POST to predictions, against a service of its own.

It starts `kerb serve` on a free port with a data folder that is thrown away afterwards, posts the three
documents of `examples/` over HTTP as any client would, shows how training goes, prints what came of it,
and stops the service.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import httpx

EXAMPLES = Path(__file__).parents[1] / "examples"
DOCUMENTS = ("circles.json", "circles_l1_before.json", "circles_l1_after.json")

START_SECONDS = 120.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.1


class DemoFailed(Exception):
    """The demo couldn't be shown; the message says why."""


def main() -> int:
    """Runs the demo.

    Returns:
        The exit code: 0 if all three runs succeeded, else 1.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="kerb-demo-") as folder, running_service(Path(folder)) as url:
            show_study(url)
    except DemoFailed as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return 0


@contextmanager
def running_service(data_dir: Path) -> Iterator[str]:
    """A service that is ready for runs while the block lasts.

    Args:
        data_dir: where it keeps its database, artifacts and log.

    Yields:
        Its address, `http://127.0.0.1:PORT`.

    Raises:
        DemoFailed: it ended, or wasn't ready in `START_SECONDS`.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log_path = data_dir / "service.log"
    command = [sys.executable, "-m", "app.cli", "serve"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(data_dir)]
    print(f"Starting the service on {url} (the worker imports Keras, which takes some seconds)", flush=True)
    started = time.monotonic()
    with log_path.open("w") as log:
        service = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until_ready(url, service, log_path)
        print(f"Ready after {time.monotonic() - started:.1f} s\n", flush=True)
        yield url
    finally:
        stop(service)
    print("\nThe service is stopped.", flush=True)


def free_port() -> int:
    """A TCP port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until_ready(url: str, service: subprocess.Popen[bytes], log_path: Path) -> None:
    """Returns as soon as `/readyz` says that runs are taken."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if service.poll() is not None:
            raise DemoFailed(f"the service ended with code {service.returncode}:\n{log_path.read_text()}")
        try:
            if httpx.get(f"{url}/readyz", timeout=2.0).is_success:
                return
        except httpx.TransportError:
            pass  # it doesn't listen yet
        time.sleep(POLL_SECONDS)
    raise DemoFailed(f"the service wasn't ready after {START_SECONDS:.0f} s:\n{log_path.read_text()}")


def stop(service: subprocess.Popen[bytes]) -> None:
    """Ends the service as a person at the terminal would, and by force only if that doesn't help."""
    service.terminate()
    try:
        service.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()


def show_study(url: str) -> None:
    """Trains the three documents one after the other, then prints their figures and predictions."""
    documents = [json.loads((EXAMPLES / name).read_text()) for name in DOCUMENTS]
    with httpx.Client(base_url=url, timeout=30.0) as client:
        runs = [post_run(client, document) for document in documents]
        print(f"Posted {len(runs)} runs of {documents[0]['fit']['epochs']:,} epochs", flush=True)
        line = ProgressLine(sys.stdout)
        for run in runs:
            follow(client, run, line)
        statistics = [answer(client.get(f"/runs/{run['id']}/statistics")) for run in runs]
        names = [short_name(run) for run in runs]
        print("\n" + figures_table(names, statistics))
        print("\n" + predictions_table(client, runs, documents[0]))


def post_run(client: httpx.Client, document: dict[str, Any]) -> dict[str, Any]:
    """The run that the service made of the document."""
    return answer(client.post("/runs", json=document))


def follow(client: httpx.Client, run: dict[str, Any], line: "ProgressLine") -> None:
    """Shows a run's progress until it has ended.

    Raises:
        DemoFailed: it ended without a model.
    """
    speed = Speed()
    while run["status"] in ("queued", "running"):
        speed.saw(run["progress"]["epoch"])
        line.show(progress_text(client, run, speed))
        time.sleep(POLL_SECONDS)
        run = answer(client.get(f"/runs/{run['id']}"))
    speed.saw(run["progress"]["epoch"])
    line.show(progress_text(client, run, speed))
    line.close()
    if run["status"] != "succeeded":
        raise DemoFailed(f"run {run['id']} ended as {run['status']}: {run['error']}")


class Speed:
    """How many epochs a second were seen to go by, from the first to the last."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last: tuple[float, int] | None = None

    def saw(self, epoch: int) -> None:
        """Takes in how far a run is now."""
        if epoch > 0 and (self._last is None or epoch > self._last[1]):
            self._last = (time.monotonic(), epoch)
            self._first = self._first or self._last

    def text(self) -> str:
        """Such as ` (3,120/s)`; empty before there are two looks to compare."""
        if self._first is None or self._last is None or self._first == self._last:
            return ""
        (began, before), (now, epoch) = self._first, self._last
        return f" ({(epoch - before) / (now - began):,.0f}/s)"


def progress_text(client: httpx.Client, run: dict[str, Any], speed: Speed) -> str:
    """What is known of a run on one line: status, epochs, their speed, loss and validation accuracy."""
    epoch, epochs = run["progress"]["epoch"], run["progress"]["epochs"]
    text = f"  {short_name(run):<24} {run['status']:<9} {epoch:>5,}/{epochs:,} epochs{speed.text()}"
    history = answer(client.get(f"/runs/{run['id']}/metrics", params={"since_epoch": max(0, epoch - 1)}))
    latest = {name: values[-1] for name, values in history["series"].items() if values}
    if latest:
        text += f"  loss {latest['loss']:.4f}  val_accuracy {latest['val_accuracy']:.3f}"
    return text


def short_name(run: dict[str, Any]) -> str:
    """The run's name without that of the study."""
    return str(run["name"]).removeprefix("circles, ")


class ProgressLine:
    """A line that is written over on a terminal; elsewhere only its last text is written.

    Args:
        stream: where it goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.live = stream.isatty()
        self.text = ""

    def show(self, text: str) -> None:
        """Puts `text` in place of what the line said."""
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            self.stream.write("\r" + text[:width].ljust(min(width, len(self.text))))
            self.stream.flush()
        self.text = text

    def close(self) -> None:
        """Writes the line in full and begins a new one."""
        self.stream.write(("\r" if self.live else "") + self.text + "\n")
        self.stream.flush()
        self.text = ""


def figures_table(names: list[str], statistics: list[dict[str, Any]]) -> str:
    """The figures of each run's served model, on training and validation data."""
    rows = []
    for name, figures in zip(names, statistics, strict=True):
        train, validation = figures["splits"]["train"], figures["splits"]["validation"]
        relu = train["activation_sparsity"]["activation"]
        rows.append(
            [
                name,
                f"{train['classification']['accuracy']:.3f}",
                f"{validation['classification']['accuracy']:.3f}",
                f"{relu['zero_fraction']:.3f}",
                f"{relu['mean_activation']:.3f}",
                elements_above_text(train),
                elements_above_text(validation),
            ]
        )
    above = f"above {statistics[0]['splits']['train']['elements_above'][0]['threshold']:g}"
    header = ["", "accuracy", "accuracy", "relu layer", "relu layer", above, above]
    columns = ["run", "train", "validation", "zero share", "mean", "train", "validation"]
    return table([header, columns, *rows])


def elements_above_text(split: dict[str, Any]) -> str:
    """How many output elements of the split lie above the threshold, and which part of all that is."""
    above = split["elements_above"][0]
    return f"{above['total']} ({above['fraction']:.0%})"


def predictions_table(client: httpx.Client, runs: list[dict[str, Any]], document: dict[str, Any]) -> str:
    """What each run predicts for the first points of the validation data."""
    inline, first = document["dataset"]["inline"], document["split"]["validation"]["rows"][0]
    points, labels = inline["x"][first : first + 6], inline["y"][first : first + 6]
    answers = [
        answer(client.post("/predict", json={"run_id": run["id"], "instances": points})) for run in runs
    ]
    rows = [["predictions", "label", *map(short_name, runs)]]
    for position, (point, label) in enumerate(zip(points, labels, strict=True)):
        predicted = [f"{given['predictions'][position][0]:.4f}" for given in answers]
        rows.append([f"({point[0]:+.3f}, {point[1]:+.3f})", str(label[0]), *predicted])
    return table(rows)


def table(rows: list[list[str]]) -> str:
    """Rows of text in columns, the first to the left and the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def answer(response: httpx.Response) -> dict[str, Any]:
    """The body of an answer.

    Raises:
        DemoFailed: it is an error.
    """
    if not response.is_success:
        raise DemoFailed(f"{response.request.method} {response.request.url} gave {response.text}")
    body: dict[str, Any] = response.json()
    return body

"""Settings of the service, each from the environment variable `KERB_` + its name in capitals.

Example:
    `KERB_DATA_DIR=/var/lib/kerb KERB_PORT=9000 kerb serve`
"""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.memory import machine_memory, usual_workers


class Settings(BaseSettings):
    """Everything that can be set from outside."""

    model_config = SettingsConfigDict(
        env_prefix="KERB_", extra="forbid", frozen=True, use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """Address that `kerb serve` listens on. For one that other machines reach there must be a key first:
    `kerb keys create NAME` makes one."""

    port: int = Field(default=8000, ge=0, le=65535)
    """TCP port that `kerb serve` listens on."""

    data_dir: Path = Path("data")
    """Folder of the database, the artifacts and the checkpoints. Made if it doesn't exist."""

    database_url: str = ""
    """SQLAlchemy URL of the database; empty means SQLite, in `kerb.db` of the data folder."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe level that is logged, on standard error."""

    log_format: Literal["text", "json"] = "text"
    """Form of a line of the log: words and `key=value`, or an object."""

    allowed_hosts: str = ""
    """Names by which clients reach the service, separated by commas; requests whose `Host` is another are
    answered with `421`. This machine's own names always count. Empty means no others where the service
    listens on this machine only, and any elsewhere."""

    cors_origins: str = ""
    """Origins whose pages may use the service from a browser, separated by commas, such as
    `https://lab.example`; empty means none."""

    max_header_bytes: int = Field(default=64 * 1024, ge=1024)
    """Largest request line and headers together; larger ones are answered with `431`."""

    max_body_bytes: int = Field(default=64 * 1024 * 1024, ge=1)
    """Largest request body that is read; a larger one is answered with `413`."""

    max_table_bytes: int = Field(default=4 * 1024 * 1024 * 1024, ge=1)
    """Largest body of instances in CSV, Parquet, Arrow, NPY or lines of JSON, and largest dataset but JSON; a
    larger one is answered with `413`. It lies in the data folder while it's read, some rows at a time."""

    max_json_depth: int = Field(default=100, ge=8)
    """Deepest nesting of lists and objects in a document; a deeper one is answered with `422`."""

    max_requests_per_second: float = Field(default=10_000.0, gt=0)
    """Most requests a second of each key, and of each address from which requests come without a good one;
    more are answered with `429`. A service that needs no key counts nothing."""

    max_queued_runs: int = Field(default=10_000, ge=1)
    """Most queued runs of a project; while there are as many, new ones are answered with `429`."""

    max_running_runs: int = Field(default=16, ge=1)
    """Most runs of a project that are trained at once; others wait, so that workers are left for other
    projects."""

    max_parameters: int = Field(default=100_000_000, ge=1)
    """Most weights of a model; a run document that asks for more is answered with `422`."""

    max_epochs: int = Field(default=10_000_000, ge=1)
    """Most epochs of a run; likewise."""

    max_run_seconds: float = Field(default=7 * 86_400.0, gt=0)
    """Longest that a run trains, as its own `time_limit_seconds`, which may not be longer; then it ends with
    the weights that it has."""

    max_dataset_rows: int = Field(default=100_000_000, ge=1)
    """Most rows of a dataset; one with more is answered with `413`."""

    max_dataset_values: int = Field(default=2_000_000_000, ge=1)
    """Most numbers of a dataset, columns times rows times the values in each; likewise."""

    max_dataset_bytes: int = Field(default=64 * 1024**3, ge=1)
    """Most bytes of a dataset as it's stored, which is uncompressed; likewise. Nothing beyond is unpacked."""

    dataset_memory_bytes: int = Field(default=4 * 1024**3, ge=256 * 1024**2)
    """Most memory of the process that reads an uploaded dataset; a file that needs more is answered with
    `422`."""

    max_wait_seconds: float = Field(default=60.0, ge=0)
    """Longest that `Prefer: wait` holds an answer back; a longer wish is cut to this."""

    workers: int = Field(
        default_factory=lambda: usual_workers(len(os.sched_getaffinity(0)), machine_memory()), ge=0, le=64
    )
    """Worker processes that `kerb serve` keeps alive, of which each trains one run at a time; 0 where workers
    run on other machines. By default two, or one on a machine with one core or less than 8 GB of memory."""

    runs_per_worker: int = Field(default=100, ge=1)
    """Runs after which a worker ends and a fresh one takes its place, so that memory can't grow forever."""

    poll_seconds: float = Field(default=0.02, gt=0, le=60)
    """How often an idle worker looks for a queued run."""

    lease_seconds: float = Field(default=10.0, ge=1)
    """How long a claimed run stays with a worker that gives no sign of life; then another may claim it."""

    max_attempts: int = Field(default=5, ge=1)
    """How often a run is tried whose worker dies; after that it fails with `worker_lost`."""

    checkpoint_seconds: float = Field(default=2.0, ge=0)
    """Least time between two checkpoints of a run in training."""

    retention_days: float = Field(default=0, ge=0)
    """Age, since it ended, at which a run is deleted with its files; 0 means never. Runs that a model names,
    that another run started from, or that a running sweep needs are always kept."""

    retention_runs: int = Field(default=0, ge=0)
    """Most ended runs that are kept; the oldest are deleted first. 0 means all."""

    retention_bytes: int = Field(default=0, ge=0)
    """Most bytes that the files of runs may take; the oldest runs are deleted first. 0 means no limit."""

    min_free_bytes: int = Field(default=256 * 1024 * 1024, ge=0)
    """Free space of the data folder's disk below which `/readyz` says that the service isn't ready."""

    hang_seconds: float = Field(default=60.0, ge=1)
    """How long a worker may give no sign of life, or neither get ahead in a run nor use the processor; then
    it's ended, and another takes its place."""

    worker_memory_bytes: int = Field(default=0, ge=0)
    """Most memory that a worker may hold, mapped files not counted; a run that makes it hold more fails with
    `memory_exceeded`, and one that can't fit is refused. 0 means nine tenths of the machine's, or of the
    container's, divided among the workers."""

    stop_seconds: float = Field(default=10.0, gt=0)
    """How long a worker may take to put its run aside when the service stops, before it is killed."""

    open_models: int = Field(default=32, ge=1)
    """Most models that the API keeps open for predictions; the one unused for longest makes room."""

    call_seconds: float = Field(default=30.0, gt=0)
    """How long a request waits for an answer that only a worker can compute, before it gets `503`."""

    max_waiting_calls: int = Field(default=256, ge=1)
    """Most requests of an API process that wait for such an answer; more are answered with `503`."""

    def is_private(self) -> bool:
        """Whether the service listens where this machine alone reaches it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:  # a name
            return self.host == "localhost"

    def memory_of_worker(self) -> int:
        """Most bytes that a worker may hold, with the default filled in."""
        return self.worker_memory_bytes or machine_memory() * 9 // 10 // max(1, self.workers)

    def host_names(self) -> frozenset[bytes] | None:
        """The names that a request's `Host` may have, in lower case; None for any."""
        names = listed(self.allowed_hosts)
        if not names and not self.is_private():
            return None
        return frozenset(name.lower().encode() for name in (*names, "localhost", "127.0.0.1", "[::1]"))

    def url_of_database(self) -> str:
        """The SQLAlchemy URL, with the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'kerb.db'}"

    def environment(self) -> dict[str, str]:
        """The variables that give a child process these very settings."""
        values = self.model_dump(mode="json") | {"data_dir": str(self.data_dir.absolute())}
        return {f"KERB_{name.upper()}": str(value) for name, value in values.items()}


def listed(text: str) -> list[str]:
    """The parts of a list in one text, which commas separate."""
    return [part.strip() for part in text.split(",") if part.strip()]

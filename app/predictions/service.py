"""Scores what a request asks for. Knows no HTTP.

Whatever a request names is resolved first, once, to a `Served`; what scores it is a `Scorer`, and stays the
same to the end of the request, whatever happens to the run or the name meanwhile. Another protocol does

    served = await state.predictor.resolve(ModelTarget("spam"))
    outputs = await state.predictor.score(served.scorer, {"x": array})

and finds names, shapes and dtypes in `served.scorer.signature`, the version in `served.target`.

The event loop's thread scores small requests itself, as handing them to another thread would cost more than
the scoring; large ones, and slow models, go to a pool of threads, as many as there are cores, so that small
requests don't wait for them.
"""

import asyncio
import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import IO, Any, TypeVar

from app.calls import WaitingLine, ask_worker_and_wait
from app.database import Database
from app.errors import Conflict, InvalidDocument
from app.models.names import ModelNames, ModelVersion
from app.predictions.answers import ends_of, json_of, returned, thresholds_of
from app.predictions.batch_statistics import GatheredStatistics
from app.predictions.documents import PredictRequest, Wanted, read_request
from app.predictions.layer_sparsity import LayerSparsity
from app.predictions.media import Form
from app.predictions.scorers import Ensemble, Scorer, Served, check_same_tensors
from app.predictions.sessions import (
    BYTES_PER_NUMBER,
    Array,
    ModelCache,
    ModelKey,
    ServedModel,
    open_model,
)
from app.predictions.table_answers import open_writer
from app.predictions.tables.reading import read_batches
from app.predictions.targets import EnsembleTarget, ModelTarget, RunTarget, Target
from app.predictions.worker_models import WorkerModel, find_worker_model
from app.runs.artifacts import read_checksums
from app.runs.files import RunFiles
from app.runs.service import get_succeeded_run

MOST_WAITING = 8
"""Requests that wait for a worker's predictions at the same time; others wait for these."""

LOOP_BYTES = 128 * 1024
"""Largest body that the event loop's thread parses itself: about 10,000 numbers, 1 ms."""

QUICK_FORMS: frozenset[Form] = frozenset(("json", "ndjson", "npy"))
"""Forms that need no pyarrow, whose import would keep the event loop waiting."""

Result = TypeVar("Result")

_RUN_ID = re.compile(r"\w{1,64}", re.ASCII)


class Predictor:
    """Scores with the models of finished runs.

    Args:
        files: where models lie.
        database: tells which runs there are, and whose.
        names: tells which runs a model's name stands for.
        capacity: how many models to keep open.
        call_seconds: how long to wait for a worker's answer.
        line: for those who wait.
    """

    def __init__(
        self,
        files: RunFiles,
        database: Database,
        names: ModelNames,
        capacity: int,
        call_seconds: float,
        line: WaitingLine,
    ) -> None:
        self._files = files
        self._database = database
        self._names = names
        self._call_seconds = call_seconds
        self._line = line
        self._models: ModelCache[ServedModel | WorkerModel] = ModelCache(capacity)
        self._opening: dict[ModelKey, asyncio.Task[ServedModel | WorkerModel]] = {}
        self._threads = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="predict")
        # Of their own, so that no request waits for a large file.
        self._table_threads = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="tables")
        # For models that a worker scores: these threads only wait.
        self._waiting_threads = ThreadPoolExecutor(MOST_WAITING, thread_name_prefix="waiting")
        self._stopping = threading.Event()

    def of_project(self, database: Database, names: ModelNames) -> "Predictor":
        """The same for another project, whose runs and names alone it finds; models and threads are shared.

        Args:
            database: as the project sees it.
            names: those of the project.
        """
        predictor = copy(self)
        predictor._database, predictor._names = database, names
        return predictor

    async def predict(self, body: bytes) -> bytes:
        """The JSON answer to the JSON body of `POST /predict`.

        Raises:
            MalformedDocument: the body isn't JSON.
            InvalidDocument: a field is wrong, or an instance doesn't fit the model.
            NotFound: there is no such run, model or version.
            Conflict: a run has no model, or not yet, or its files are lost.
        """
        if len(body) <= LOOP_BYTES:
            request = read_request(body)
        else:
            request = await self._in_thread(read_request, body)
        served = await self.resolve(request.target)
        if len(body) <= min(LOOP_BYTES, served.scorer.quick_bytes) and not request.wanted.layers:
            return answer(served, request)
        return await self._in_thread_for(served.scorer, self._threads, answer, served, request)

    async def predict_table(
        self, form: Form, file: IO[bytes], target: Target, wanted: Wanted, answered: Form, folder: Path
    ) -> IO[bytes]:
        """The answer to a file of instances, at its end; both are gone through some rows at a time.

        Args:
            form: of the file.
            file: the instances alone.
            target: what is to predict.
            wanted: what the answer is to hold.
            answered: the form of the answer.
            folder: for an answer too large for the memory.

        Raises:
            InvalidDocument: the file isn't of that form, or an instance doesn't fit the model.
            NotFound: there is no such run, model or version.
            Conflict: a run has no model, or not yet; or the answer can't have that form.
        """
        served = await self.resolve(target)

        def score() -> IO[bytes]:
            batches = read_batches(form, file, served.scorer.inputs)
            return answer_in_form(served, batches, wanted, answered, folder)

        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size <= min(LOOP_BYTES, served.scorer.quick_bytes) and {form, answered} <= QUICK_FORMS:
            return score()
        return await self._in_thread_for(served.scorer, self._table_threads, score)

    async def predict_in_form(self, body: bytes, answered: Form, folder: Path) -> IO[bytes]:
        """The answer to the JSON body of `POST /predict` in another form than JSON, at its end.

        Raises:
            MalformedDocument, InvalidDocument, NotFound, Conflict: as `predict` and `predict_table` do.
        """
        request = await self._in_thread(read_request, body)
        served = await self.resolve(request.target)

        def score() -> IO[bytes]:
            batches = [request.arrays(served.scorer.inputs)]
            return answer_in_form(served, batches, request.wanted, answered, folder)

        return await self._in_thread_for(served.scorer, self._table_threads, score)

    async def resolve(self, target: Target) -> Served:
        """What scores a target, and goes on doing so as long as the caller keeps it.

        Raises:
            InvalidDocument: the runs of an ensemble don't go together.
            NotFound: there is no such run, model or version.
            Conflict: a run has no model, or not yet, or its files are damaged.
        """
        match target:
            case RunTarget(run_id):
                return Served(target, await self._model_of(run_id))
            case EnsembleTarget(run_ids, combine):
                members = [await self._model_of(run_id) for run_id in run_ids]
                check_same_tensors([member.signature for member in members], "/run_ids")
                return Served(target, Ensemble(members, combine))
            case ModelTarget():
                found = self._names.get(target) or await self._find_version(target)
                served = await self.resolve(found.members)
                return Served(found.target, served.scorer)

    async def score(
        self, scorer: Scorer, inputs: Mapping[str, Array], pointer: str = "/instances"
    ) -> dict[str, Array]:
        """The outputs by name, each (n, …), for inputs by name, each (n, …); in a thread where that is slow.

        Args:
            scorer: what `resolve` gave.
            inputs: arrays of the signature's dtypes and shapes, n ≥ 1 the same for all.
            pointer: JSON Pointer of what holds them in the client's document.

        Raises:
            InvalidDocument: the model can't take these numbers.
        """
        elements = sum(array.size for array in inputs.values())
        try:
            if elements * BYTES_PER_NUMBER <= min(LOOP_BYTES, scorer.quick_bytes):
                return scorer.predict(inputs)
            return await self._in_thread_for(scorer, self._threads, scorer.predict, inputs)
        except InvalidDocument as error:
            raise InvalidDocument.at(pointer, error.problems[0].message) from error

    def close(self) -> None:
        """Ends the threads, once they have done what they are at."""
        self._stopping.set()
        self._threads.shutdown()
        self._table_threads.shutdown()
        self._waiting_threads.shutdown()

    async def _find_version(self, target: ModelTarget) -> ModelVersion:
        changes = self._names.changes
        found = await self._in_thread(self._names.read, target)
        self._names.keep(target, found, changes)
        return found

    async def _model_of(self, run_id: str) -> ServedModel | WorkerModel:
        key = self._database.project, run_id  # another project mustn't find the model by the run alone
        return self._models.get(key) or await self._open(key)

    async def _open(self, key: ModelKey) -> ServedModel | WorkerModel:
        """Opens a run's model, once for all requests that wait for it."""
        task = self._opening.get(key)
        if task is None:
            task = self._opening[key] = asyncio.create_task(self._in_thread(self._find_model, key[1]))
            task.add_done_callback(lambda _: self._opening.pop(key))
        model = await asyncio.shield(task)
        self._models.keep(key, model)
        return model

    def _find_model(self, run_id: str) -> ServedModel | WorkerModel:
        with self._database.reading() as session:
            run = get_succeeded_run(session, run_id)
        if _RUN_ID.fullmatch(run_id):  # anything else could lead out of the folder, or be no name of one
            folder = self._files.artifacts(run_id)
            with contextlib.suppress(FileNotFoundError):
                return open_model(folder)
            with contextlib.suppress(FileNotFoundError):
                return find_worker_model(folder, run_id, self._ask_worker)
        read_checksums(self._files.artifacts(run.id))  # tells if its files are lost
        raise Conflict(f"Expected a run whose model lies among its artifacts; run {run.id} has none.")

    def _ask_worker(self, kind: str, payload: dict[str, Any]) -> Any:
        return ask_worker_and_wait(self._database, kind, payload, self._call_seconds, self._stopping)

    async def _in_thread_for(
        self, scorer: Scorer, threads: Executor, function: Callable[..., Result], *arguments: Any
    ) -> Result:
        """Calls the function in one of these threads, or of those that wait, if the scorer does."""
        loop = asyncio.get_running_loop()
        if not scorer.waits:
            return await loop.run_in_executor(threads, function, *arguments)
        with self._line.place():
            return await loop.run_in_executor(self._waiting_threads, function, *arguments)

    async def _in_thread(self, function: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def answer(served: Served, request: PredictRequest) -> bytes:
    """The JSON answer to a request.

    Raises:
        InvalidDocument: an instance doesn't fit the model.
    """
    inputs = request.arrays(served.scorer.inputs)
    outputs = served.scorer.predict(inputs)
    if not request.wanted.layers:
        return json_of(served, outputs, request.wanted)
    sparsity = LayerSparsity(served.scorer, request.wanted.layers)
    sparsity.add(inputs)
    return json_of(served, outputs, request.wanted, sparsity.figures())


def answer_in_form(
    served: Served, batches: Iterable[Mapping[str, Array]], wanted: Wanted, answered: Form, folder: Path
) -> IO[bytes]:
    """The answer to instances that come in parts, in a file at its end.

    Args:
        served: what predicts.
        batches: inputs by name, each (n, …).
        wanted: what the answer is to hold.
        answered: its form.
        folder: for what is too large for the memory.
    """
    signature = served.scorer.signature
    gathered = GatheredStatistics(signature, thresholds_of(signature, wanted))
    sparsity = LayerSparsity(served.scorer, wanted.layers)
    writer = open_writer(answered, folder)
    try:
        for inputs in batches:
            outputs = served.scorer.predict(inputs)
            gathered.add(outputs)
            sparsity.add(inputs)
            writer.write(returned(outputs, signature, wanted))
    except BaseException:
        writer.close()
        raise
    return writer.finish(ends_of(served, gathered.result() | sparsity.figures()))

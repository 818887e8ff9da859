"""Requests of several callers joined into one run, and its answers split again."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field

import numpy as np

from zoo.serving.batching_parameters import BatchingParameters
from zoo.serving.errors import ServingError, invalid

Arrays = Mapping[str, np.ndarray]


@dataclass(eq=False)
class _Task:
    inputs: Arrays
    size: int
    deadline: float | None = None
    answer: Future = field(default_factory=Future)


@dataclass(eq=False)
class _Batch:
    key: tuple
    deadline: float
    tasks: list[_Task] = field(default_factory=list)
    size: int = 0
    closed: bool = False


class BatchQueue:
    """Joins requests of one signature, as TF Serving's batching session does.

    Rows are joined on axis 0. Only requests whose other dimensions are equal are
    joined. Rows of a caller are answered to that caller, in order. It differs from
    TF Serving in what a failure does: when a joined run fails, each of its requests is
    run alone, so that nobody gets the error of another; and its threads are its own.

    As in TF Serving, what a model pads to the longest row of its run is padded to the
    longest row of all callers: such answers are as wide as the run was.

    Args:
        run: answers inputs by name with outputs by name, within a number of seconds
            if it is not none; any number of threads may call it.
        parameters: how large batches grow and how long they wait.
    """

    def __init__(
        self,
        run: Callable[[Arrays, float | None], dict],
        parameters: BatchingParameters,
    ):
        self._run = run
        self._parameters = parameters
        self._batches: deque[_Batch] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._closed = False
        # Until a run answers without rows on axis 0.
        self._splits = True

    def run(
        self, inputs: Arrays, timeout_seconds: float | None = None
    ) -> dict[str, np.ndarray]:
        """Answers a request, together with others if there are some.

        Args:
            inputs: by name.
            timeout_seconds: how long to wait for the answer. A run of several requests
                goes on as long as one of them waits for it.

        Raises:
            ServingError: the request has too many rows, too many batches wait, the
                queue is closed, the time is over, or the run failed.
        """
        size = _rows(inputs)
        if size is None or not self._splits:
            return self._run(inputs, timeout_seconds)
        if size > self._parameters.max_batch_size:
            raise invalid(
                f"Task size {size} is larger than maximum input batch size "
                f"{self._parameters.max_batch_size}"
            )
        task = _Task(inputs, size)
        if timeout_seconds is not None:
            task.deadline = time.monotonic() + timeout_seconds
        with self._changed:
            self._enqueue(task)
            self._changed.notify_all()
        try:
            return task.answer.result(timeout_seconds)
        except FutureTimeoutError:
            task.answer.cancel()
            raise ServingError(
                "DEADLINE_EXCEEDED", "Timed out waiting for the answer of a batch"
            ) from None

    def close(self) -> None:
        """Takes no more requests and waits until those that wait are answered."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _enqueue(self, task: _Task) -> None:
        if self._closed:
            raise ServingError("UNAVAILABLE", "The batch scheduling queue is closed")
        limits = self._parameters
        key = _shapes(task.inputs)
        batch = self._open_batch(key)
        if batch is not None and batch.size + task.size > limits.max_batch_size:
            batch.closed, batch = True, None
        if batch is None:
            if len(self._batches) >= limits.max_enqueued_batches:
                raise ServingError(
                    "UNAVAILABLE",
                    "The batch scheduling queue to which this task was submitted is "
                    "full",
                )
            wait = limits.batch_timeout_micros / 1e6
            batch = _Batch(key, time.monotonic() + wait)
            self._batches.append(batch)
        batch.tasks.append(task)
        batch.size += task.size
        batch.closed = batch.size >= limits.max_batch_size
        if len(self._threads) < limits.num_batch_threads:
            thread = threading.Thread(target=self._work, daemon=True, name="batches")
            self._threads.append(thread)
            thread.start()

    def _open_batch(self, key) -> _Batch | None:
        for batch in self._batches:
            if batch.key == key and not batch.closed:
                return batch
        return None

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            self._answer(batch.tasks)

    def _next_batch(self) -> _Batch | None:
        """Waits for a batch that is full or has waited enough; none when closed."""
        with self._changed:
            while True:
                now = time.monotonic()
                for batch in self._batches:
                    if batch.closed or self._closed or batch.deadline <= now:
                        self._batches.remove(batch)
                        return batch
                if self._closed:
                    return None
                deadlines = [batch.deadline for batch in self._batches]
                self._changed.wait(min(deadlines) - now if deadlines else None)

    def _answer(self, tasks: list[_Task]) -> None:
        tasks = [task for task in tasks if task.answer.set_running_or_notify_cancel()]
        if len(tasks) > 1 and self._splits:
            try:
                answers = self._run_joined(tasks)
            except Exception:
                answers = None
            if answers is not None:
                for task, answer in zip(tasks, answers, strict=True):
                    task.answer.set_result(answer)
                return
        for task in tasks:
            try:
                task.answer.set_result(self._run_alone(task))
            except BaseException as error:
                task.answer.set_exception(error)

    def _run_joined(self, tasks: list[_Task]) -> list[dict] | None:
        """The answer of each, or none if outputs have other rows than inputs."""
        rows = sum(task.size for task in tasks)
        fill = self._fill(rows)
        joined = {
            name: _filled([task.inputs[name] for task in tasks], fill)
            for name in tasks[0].inputs
        }
        outputs = self._run(joined, _seconds_left(tasks))
        if any(_length(value) != rows + fill for value in outputs.values()):
            self._splits = False
            return None
        ends = np.cumsum([task.size for task in tasks])
        starts = ends - [task.size for task in tasks]
        return [
            # A copy: a caller's rows should not hold the others' in memory.
            {name: value[start:end].copy() for name, value in outputs.items()}
            for start, end in zip(starts, ends, strict=True)
        ]

    def _run_alone(self, task: _Task) -> dict:
        fill = self._fill(task.size)
        if not fill:
            return dict(self._run(task.inputs, _seconds_left([task])))
        filled = {name: _filled([value], fill) for name, value in task.inputs.items()}
        outputs = self._run(filled, _seconds_left([task]))
        if any(_length(value) != task.size + fill for value in outputs.values()):
            return dict(self._run(task.inputs, _seconds_left([task])))
        return {name: value[: task.size] for name, value in outputs.items()}

    def _fill(self, rows: int) -> int:
        """How many rows are missing to the next batch size that is allowed."""
        sizes = self._parameters.allowed_batch_sizes
        return (
            next((size for size in sizes if size >= rows), rows) - rows if rows else 0
        )


def _seconds_left(tasks: list[_Task]) -> float | None:
    """Until the last of them gives up; none if one never does."""
    deadlines = [task.deadline for task in tasks]
    return None if None in deadlines else max(deadlines) - time.monotonic()


def _rows(inputs: Arrays) -> int | None:
    """The common length of axis 0; none if there is none."""
    lengths = {_length(value) for value in inputs.values()}
    return lengths.pop() if len(lengths) == 1 else None


def _length(value: np.ndarray) -> int | None:
    return len(value) if np.ndim(value) else None


def _shapes(inputs: Arrays) -> tuple:
    return tuple(sorted((name, value.shape[1:]) for name, value in inputs.items()))


def _filled(values: list[np.ndarray], fill: int) -> np.ndarray:
    """Values joined on axis 0; the last request's first row fills up, as TF Serving."""
    if fill:
        filler = next(value for value in reversed(values) if len(value))
        values = [*values, np.repeat(filler[:1], fill, axis=0)]
    return np.concatenate(values) if len(values) > 1 else values[0]

"""Threads that nobody waits for when a process ends."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue


class DaemonThreads:
    """A pool of threads, made as they are needed.

    Python waits for those of a `ThreadPoolExecutor` before it ends, however long what
    they compute takes; for these it does not.

    Args:
        most: how many threads there are at most; more calls wait in a queue.
        name: of the threads.
    """

    def __init__(self, most: int, name: str):
        self._most = most
        self._name = name
        self._calls: SimpleQueue = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._count = 0
        self._closed = False

    def submit(self, function: Callable, *arguments, **named) -> Future:
        """Calls a function in one of the threads.

        Raises:
            RuntimeError: the pool is closed.
        """
        future: Future = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("The threads are told to end.")
            self._calls.put((future, function, arguments, named))
            if not self._idle.acquire(blocking=False) and self._count < self._most:
                self._count += 1
                threading.Thread(
                    target=self._work, daemon=True, name=f"{self._name}-{self._count}"
                ).start()
        return future

    def close(self) -> None:
        """Ends the threads, each when it has done what was submitted before."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in range(self._count):
                    self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            _answer(*call)
            # A thread that waits should not hold a request in memory.
            del call
            self._idle.release()


def _answer(future: Future, function: Callable, arguments, named) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function(*arguments, **named)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)

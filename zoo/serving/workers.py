"""How much a server takes on at once, and the threads that do it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from zoo.serving.daemon_threads import DaemonThreads
from zoo.serving.errors import ServingError


@dataclass(frozen=True)
class Limits:
    """What a server accepts.

    Attributes:
        max_body_bytes: of a request, as sent and as unpacked.
        max_requests_in_flight: of both ports together; more are refused at once.
        timeout_seconds: of a request, from its first byte to its answer.
    """

    max_body_bytes: int = 32 << 20
    max_requests_in_flight: int = 64
    timeout_seconds: float = 30.0

    def __post_init__(self):
        if min(self.max_body_bytes, self.max_requests_in_flight) < 1 or not (
            self.timeout_seconds > 0
        ):
            raise ValueError(f"Limits must be positive. Received: {self}")


class Workers:
    """Threads that answer requests, and a count of those under way.

    A request holds its place until its thread is done with it, even if nobody waits
    for the answer any more: what a model still computes is load.

    Args:
        limits: how many places there are, and how long an answer may take.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self._places = threading.BoundedSemaphore(limits.max_requests_in_flight)
        self._threads = DaemonThreads(limits.max_requests_in_flight, "answer")
        self._changed = threading.Condition()
        self._in_flight = 0
        self._closed = False

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def enter(self) -> "Place":
        """A place for one request, to be left or to be used for one `submit`.

        Raises:
            ServingError: there is none free, or the server is stopping.
        """
        if self._closed:
            raise ServingError("UNAVAILABLE", "The server is stopping.")
        if not self._places.acquire(blocking=False):
            raise ServingError(
                "UNAVAILABLE",
                f"{self.limits.max_requests_in_flight} requests are in flight, which "
                "is as many as this server takes. Try again later.",
            )
        self._count(1)
        return Place(self)

    def refuse(self) -> None:
        """Lets nobody in any more; who has a place keeps it."""
        self._closed = True

    def wait(self, seconds: float) -> int:
        """Waits until no request is under way.

        Args:
            seconds: the longest to wait.

        Returns:
            How many are under way still.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._in_flight, seconds)
            return self._in_flight

    def close(self) -> None:
        """Ends the threads, each as soon as it has answered."""
        self.refuse()
        self._threads.close()

    def _count(self, change: int) -> None:
        with self._changed:
            self._in_flight += change
            self._changed.notify_all()

    def _leave(self) -> None:
        self._count(-1)
        self._places.release()

    def _submit(self, answer: Callable) -> Future:
        try:
            return self._threads.submit(answer)
        except RuntimeError:
            raise ServingError("UNAVAILABLE", "The server is stopping.") from None


class Place:
    """A request's place among those under way."""

    def __init__(self, workers: Workers):
        self._workers = workers
        self._held = True

    def submit(self, answer: Callable) -> Future:
        """Runs `answer()` in a thread, which leaves the place when it is done."""
        future = self._workers._submit(answer)
        self._held = False
        future.add_done_callback(lambda _: self._workers._leave())
        return future

    def leave(self) -> None:
        """Gives the place back, if no thread has it."""
        if self._held:
            self._held = False
            self._workers._leave()


def timed_out(seconds: float) -> ServingError:
    return ServingError(
        "DEADLINE_EXCEEDED", f"The answer took more than {seconds:g} seconds."
    )

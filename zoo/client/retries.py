"""Trying again, with growing pauses, until the time is up."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from zoo.client.errors import Retryable

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Retries:
    """How often a request that failed by chance is sent again, and when.

    Pauses grow twofold, and each is drawn evenly between 0 and its limit, so that
    clients that failed together do not come back together ("full jitter", Brooker,
    2015, https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Attributes:
        times: how often at most, after the first try; 0 never.
        first: limit of the first pause, in seconds.
        longest: limit of all pauses, in seconds.
        clock: seconds from any start.
        sleep: waits so many seconds.
        draw: gives a number in [0, 1).

    Raises:
        ValueError: numbers below 0.
    """

    times: int = 4
    first: float = 0.1
    longest: float = 5.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = random.random

    def __post_init__(self):
        if min(self.times, self.first, self.longest) < 0:
            raise ValueError(
                "times, first and longest must be at least 0. Received: "
                f"{self.times}, {self.first}, {self.longest}."
            )

    def run(self, attempt: Callable[[float], Answer], timeout: float) -> Answer:
        """Calls until there is an answer, another error, or no more time.

        Args:
            attempt: takes the seconds that are left.
            timeout: seconds for all tries and the pauses between them.

        Raises:
            ServerError: the last try's. It is raised at once where the pause before
                the next would take the time that is left.
        """
        end = self.clock() + timeout
        tried = 0
        while True:
            try:
                return attempt(max(end - self.clock(), 0.001))
            except Retryable as failure:
                tried += 1
                pause = self._pause(tried, failure.after)
                if tried <= self.times and pause < end - self.clock():
                    last = None
                else:
                    last = failure.error
            if last is not None:
                said = f"Tried {tried} times." if tried > 1 else ""
                raise last.with_hint(said)
            self.sleep(pause)

    def _pause(self, tried: int, after: float | None) -> float:
        limit = min(self.first * 2 ** (tried - 1), self.longest)
        return (after or 0.0) + self.draw() * limit

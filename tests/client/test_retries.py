import pytest

from zoo.client import Retries, ServerError
from zoo.client.errors import Retryable


class Time:
    """A clock that only sleeping and work move."""

    def __init__(self):
        self.now, self.pauses = 100.0, []

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


def retries(time, draw=1.0, **options):
    return Retries(
        clock=lambda: time.now, sleep=time.sleep, draw=lambda: draw, **options
    )


def failing(times, after=None):
    """Fails so often, then says how many seconds were left."""
    failures = [
        Retryable(ServerError("UNAVAILABLE", f"busy {number}"), after)
        for number in range(times)
    ]

    def attempt(seconds):
        if failures:
            raise failures.pop(0)
        return seconds

    return attempt


def test_pauses_grow_twofold_up_to_the_longest():
    time = Time()
    left = retries(time, times=5, first=0.25, longest=1.5).run(failing(5), 60)
    assert time.pauses == [0.25, 0.5, 1.0, 1.5, 1.5]
    assert left == pytest.approx(60 - sum(time.pauses))


def test_pauses_are_drawn_from_nothing_to_their_limits():
    time = Time()
    retries(time, draw=0.0, times=3).run(failing(3), 60)
    assert time.pauses == [0, 0, 0]
    time = Time()
    retries(time, draw=0.5, times=2, first=0.25).run(failing(2), 60)
    assert time.pauses == [0.125, 0.25]


def test_a_server_that_says_when_is_believed():
    time = Time()
    retries(time, times=1, first=0.25).run(failing(1, after=7.0), 60)
    assert time.pauses == [7.25]


def test_after_so_many_tries_the_last_error_is_raised():
    time = Time()
    with pytest.raises(ServerError, match=r"busy 2.*Tried 3 times") as caught:
        retries(time, times=2).run(failing(5), 60)
    assert caught.value.message == "busy 2"
    assert len(time.pauses) == 2


def test_a_pause_that_would_miss_the_deadline_is_not_begun():
    time = Time()
    with pytest.raises(ServerError, match="busy 0"):
        retries(time).run(failing(1, after=30.0), 30)
    assert time.pauses == []
    with pytest.raises(ServerError, match="busy 2"):
        retries(time, first=4.0, longest=8.0).run(failing(9), 13)
    assert time.pauses == [4.0, 8.0]


def test_other_errors_are_raised_at_once():
    def attempt(seconds):
        raise ServerError("NOT_FOUND", "nope")

    time = Time()
    with pytest.raises(ServerError, match=r"^NOT_FOUND: nope$"):
        retries(time).run(attempt, 60)
    assert time.pauses == []


def test_none_means_one_try():
    with pytest.raises(ServerError, match=r"^UNAVAILABLE: busy 0$"):
        retries(Time(), times=0).run(failing(1), 60)


@pytest.mark.parametrize("wrong", [{"times": -1}, {"first": -0.1}, {"longest": -1}])
def test_numbers_below_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match="at least 0"):
        Retries(**wrong)

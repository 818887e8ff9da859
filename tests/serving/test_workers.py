import threading

import pytest

from zoo.serving.errors import ServingError
from zoo.serving.workers import Limits, Workers


@pytest.fixture
def workers():
    workers = Workers(Limits(max_requests_in_flight=2))
    yield workers
    workers.close()


def test_requests_beyond_the_limit_are_refused(workers):
    release = threading.Event()
    running = [workers.enter().submit(release.wait) for _ in range(2)]
    with pytest.raises(ServingError, match="2 requests are in flight") as refused:
        workers.enter()
    assert refused.value.code == "UNAVAILABLE"
    assert workers.in_flight == 2
    release.set()
    assert all(future.result(10) for future in running)
    workers.enter().leave()


def test_a_place_is_left_once(workers):
    for _ in range(5):
        place = workers.enter()
        place.leave()
        place.leave()
    place = workers.enter()
    assert place.submit(lambda: 3).result(10) == 3
    place.leave()
    assert workers.in_flight == 0


def test_a_failure_leaves_its_place(workers):
    for _ in range(5):
        future = workers.enter().submit(lambda: 1 / 0)
        assert isinstance(future.exception(10), ZeroDivisionError)
    assert workers.in_flight == 0


def test_an_answer_that_nobody_waits_for_keeps_its_place(workers):
    release, begun = threading.Event(), threading.Event()
    future = workers.enter().submit(lambda: begun.set() or release.wait(10))
    assert begun.wait(10)
    assert not future.cancel() and workers.in_flight == 1
    release.set()
    assert future.result(10)


def test_a_stopping_server_lets_nobody_in(workers):
    place = workers.enter()
    workers.refuse()
    with pytest.raises(ServingError, match="stopping"):
        workers.enter()
    assert place.submit(lambda: 5).result(10) == 5


def test_the_last_to_end_is_waited_for(workers):
    release = threading.Event()
    running = workers.enter().submit(release.wait)
    assert workers.wait(0.01) == 1
    threading.Timer(0.05, release.set).start()
    assert workers.wait(10) == 0
    assert running.done()


@pytest.mark.parametrize("limits", [(0, 1, 1), (1, 0, 1), (1, 1, 0.0)])
def test_limits_are_positive(limits):
    with pytest.raises(ValueError, match="positive"):
        Limits(*limits)

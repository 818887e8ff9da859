import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError

import numpy as np
import pytest

from zoo.serving.batching import BatchQueue
from zoo.serving.batching_parameters import BatchingParameters
from zoo.serving.errors import ServingError


class Squares:
    """A model that remembers how many rows each of its runs had."""

    def __init__(self, gate=None):
        self.rows = []
        self.gate = gate

    def __call__(self, inputs, seconds=None):
        if self.gate is not None:
            assert self.gate.wait(60)
        x = inputs["x"]
        self.rows.append(len(x))
        if (x < 0).any():
            raise ServingError("INVALID_ARGUMENT", f"negative: {x.min()}")
        return {"square": x**2, "name": np.array([b"%d" % v for v in x[:, 0]], object)}


def _ask_all(queue, requests):
    """Answers, or errors, of requests that are made at the same time."""

    def ask(x):
        try:
            return queue.run({"x": x})
        except ServingError as error:
            return error

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(ask, requests))


def _waiting(queue):
    return sum(len(batch.tasks) for batch in queue._batches)


def _until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_callers_are_joined_and_each_gets_its_own_rows(random):
    model = Squares()
    queue = BatchQueue(model, BatchingParameters(64, 20_000, 100, 2))
    requests = [
        random.integers(0, 1000, size=(rows, 3))
        for rows in (1, 2, 5, 3)
        for _ in range(7)
    ]
    answers = _ask_all(queue, requests)
    queue.close()
    for x, answer in zip(requests, answers, strict=True):
        np.testing.assert_array_equal(answer["square"], x**2)
        assert answer["name"].tolist() == [b"%d" % value for value in x[:, 0]]
    assert sum(model.rows) == 77
    assert len(model.rows) < 28 and max(model.rows) <= 64


def test_a_batch_is_full_at_its_largest_size_and_does_not_wait_longer():
    model = Squares()
    queue = BatchQueue(model, BatchingParameters(4, 60_000_000, 100, 1))
    begun = time.monotonic()
    _ask_all(queue, [np.full((2, 1), value) for value in (3, 5, 7, 11)])
    assert model.rows == [4, 4]
    assert time.monotonic() - begun < 30
    queue.close()


def test_a_lone_request_waits_no_longer_than_the_time_given():
    model = Squares()
    queue = BatchQueue(model, BatchingParameters(4, 30_000, 100, 1))
    begun = time.monotonic()
    queue.run({"x": np.ones((1, 1))})
    assert 0.03 <= time.monotonic() - begun < 10
    queue.close()


def test_only_requests_of_equal_other_dimensions_are_joined():
    model = Squares()
    queue = BatchQueue(model, BatchingParameters(4, 60_000_000, 100, 1))
    requests = [np.full((2, width), width) for width in (3, 5, 3, 5)]
    answers = _ask_all(queue, requests)
    assert [answer["square"].shape for answer in answers] == [(2, 3), (2, 5)] * 2
    assert model.rows == [4, 4]
    queue.close()


def test_a_request_larger_than_a_batch_is_refused_in_the_servers_words():
    queue = BatchQueue(Squares(), BatchingParameters(max_batch_size=8))
    with pytest.raises(ServingError) as raised:
        queue.run({"x": np.ones((20, 1))})
    assert raised.value.code == "INVALID_ARGUMENT"
    assert raised.value.message == (
        "Task size 20 is larger than maximum input batch size 8"
    )
    queue.close()


def test_a_full_queue_refuses_and_answers_what_it_has_taken():
    gate = threading.Event()
    queue = BatchQueue(Squares(gate), BatchingParameters(1, 0, 3, 1))
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(queue.run, {"x": np.full((1, 1), 2)})
        _until(lambda: queue._threads and not queue._batches)
        more = [pool.submit(queue.run, {"x": np.full((1, 1), v)}) for v in (3, 5, 7)]
        _until(lambda: _waiting(queue) == 3)
        with pytest.raises(ServingError, match="full") as raised:
            queue.run({"x": np.ones((1, 1))})
        assert raised.value.code == "UNAVAILABLE"
        gate.set()
        found = [int(each.result(60)["square"][0, 0]) for each in (first, *more)]
    assert found == [4, 9, 25, 49]
    queue.close()


def test_a_failing_request_fails_alone():
    queue = BatchQueue(Squares(), BatchingParameters(4, 60_000_000, 100, 1))
    requests = [np.full((1, 1), value) for value in (3, -5, 7, -11)]
    good, bad, fine, worse = _ask_all(queue, requests)
    assert (good["square"], fine["square"]) == (9, 49)
    assert (bad.message, worse.message) == ("negative: -5", "negative: -11")
    queue.close()


def test_answers_without_the_rows_of_the_inputs_are_asked_for_one_by_one():
    runs = []

    def total(inputs, seconds):
        runs.append(len(inputs["x"]))
        return {"total": inputs["x"].sum(keepdims=True)}

    queue = BatchQueue(total, BatchingParameters(4, 60_000_000, 100, 1))
    answers = _ask_all(queue, [np.full((2, 1), value) for value in (3, 5)])
    assert [int(answer["total"][0, 0]) for answer in answers] == [6, 10]
    assert runs == [4, 2, 2]
    # It has learnt that they are not to be joined, and does not wait either.
    assert queue.run({"x": np.full((2, 1), 7)})["total"] == 14
    assert runs == [4, 2, 2, 2]
    queue.close()


def test_inputs_without_a_common_axis_of_rows_are_run_as_they_are():
    queue = BatchQueue(
        lambda inputs, seconds: {"y": inputs["x"] * inputs["factor"]},
        BatchingParameters(2),
    )
    answer = queue.run({"x": np.arange(5), "factor": np.array(3)})
    np.testing.assert_array_equal(answer["y"], 3 * np.arange(5))
    queue.close()


def test_runs_are_filled_up_to_the_sizes_allowed():
    model = Squares()
    parameters = BatchingParameters(8, 0, 100, 1, allowed_batch_sizes=(3, 8))
    queue = BatchQueue(model, parameters)
    answer = queue.run({"x": np.array([[5], [7]])})
    assert answer["square"].ravel().tolist() == [25, 49]
    assert queue.run({"x": np.zeros((0, 1))})["square"].shape == (0, 1)
    assert model.rows == [3, 0]
    queue.close()


def test_joined_runs_are_filled_up_too():
    model = Squares()
    parameters = BatchingParameters(7, 60_000_000, 100, 1, allowed_batch_sizes=(5, 7))
    queue = BatchQueue(model, parameters)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(queue.run, {"x": np.full((2, 1), v)}) for v in (3, 5)]
        _until(lambda: _waiting(queue) == 2)
        queue.close()
        found = [each.result(60)["square"].ravel().tolist() for each in asked]
    assert found == [[9, 9], [25, 25]]
    assert model.rows == [5]


def test_a_caller_waits_no_longer_than_it_said_and_the_others_get_their_answers():
    gate, seconds = threading.Event(), []

    def slow(inputs, left):
        seconds.append(left)
        assert gate.wait(60)
        return dict(inputs)

    queue = BatchQueue(slow, BatchingParameters(2, 60_000_000, 100, 1))
    with ThreadPoolExecutor(3) as pool:
        patient = pool.submit(queue.run, {"x": np.full((1, 1), 3)}, 300)
        hasty = pool.submit(queue.run, {"x": np.full((1, 1), 5)}, 0.05)
        with pytest.raises(ServingError) as raised:
            hasty.result(60)
        assert raised.value.code == "DEADLINE_EXCEEDED"
        # Nobody waits for it any longer when its turn comes.
        late = pool.submit(queue.run, {"x": np.full((2, 1), 7)}, 0.05)
        with pytest.raises(ServingError):
            late.result(60)
        gate.set()
        assert patient.result(60)["x"] == 3
    queue.close()
    assert len(seconds) == 1 and 200 < seconds[0] <= 300


def test_closing_answers_what_waits_and_takes_no_more():
    model = Squares()
    queue = BatchQueue(model, BatchingParameters(64, 60_000_000, 100, 2))
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(queue.run, {"x": np.full((1, 1), v)}) for v in (3, 5, 7)]
        _until(lambda: _waiting(queue) == 3)
        queue.close()
        assert [int(each.result(60)["square"][0, 0]) for each in asked] == [9, 25, 49]
    assert model.rows == [3]
    assert not any(thread.is_alive() for thread in queue._threads)
    with pytest.raises(ServingError, match="closed"):
        queue.run({"x": np.ones((1, 1))})


def test_closing_waits_for_the_runs_under_way():
    gate = threading.Event()
    queue = BatchQueue(Squares(gate), BatchingParameters(1, 0, 10, 1))
    with ThreadPoolExecutor(2) as pool:
        asked = pool.submit(queue.run, {"x": np.full((1, 1), 3)})
        _until(lambda: queue._threads and not queue._batches)
        closed = pool.submit(queue.close)
        with pytest.raises(FutureTimeoutError):
            closed.result(0.1)
        gate.set()
        closed.result(60)
        assert asked.result(60)["square"] == 9

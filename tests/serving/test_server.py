import gzip
import json
import logging
import socket
import threading
import time
from concurrent.futures.thread import _threads_queues
from contextlib import contextmanager

import grpc
import httpx
import pytest
import tensorflow as tf
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.serving.stand_in_models import StandInModels
from zoo.serving.daemon_threads import DaemonThreads
from zoo.serving.errors import ServingError, invalid
from zoo.serving.server import Server
from zoo.serving.workers import Limits

PREDICT = "/v1/models/slow:predict"
BODY = {"instances": [1.5, 2]}
ANSWER = {"predictions": [3, 4]}


class Slow:
    """A server of stand-in models, and its clients."""

    def __init__(self, models, server, rest, channel):
        self.models = models
        self.server = server
        self.rest = rest
        self.channel = channel
        self.pool = DaemonThreads(8, "clients")

    def post(self, **options):
        return self.pool.submit(self.rest.post, PREDICT, json=BODY, **options)

    def call(self, timeout=None):
        request = PredictRequest()
        request.model_spec.name = "slow"
        request.inputs["numbers"].CopyFrom(tf.make_tensor_proto([1.5]))
        return PredictionServiceStub(self.channel).Predict.future(request, timeout)

    def wait_until_begun(self, count=1):
        for _ in range(count):
            assert self.models.begun.acquire(timeout=10)


@contextmanager
def _slow(**limits):
    models = StandInModels()
    with Server(models, rest_port=0, grpc_port=0, limits=Limits(**limits)) as server:
        address = f"http://127.0.0.1:{server.rest_port}"
        target = f"127.0.0.1:{server.grpc_port}"
        with (
            httpx.Client(base_url=address, timeout=20) as rest,
            grpc.insecure_channel(target) as channel,
        ):
            slow = Slow(models, server, rest, channel)
            try:
                yield slow
            finally:
                models.let_go.set()
                slow.pool.close()


def _code(call):
    with pytest.raises(grpc.RpcError) as raised:
        call.result(20)
    return raised.value.code().name, raised.value.details()


def test_both_ports_answer_and_say_who_they_are_not():
    with _slow() as slow:
        assert slow.server.ready and slow.models.started
        slow.models.let_go.set()
        answer = slow.post().result(20)
        assert answer.json() == ANSWER and answer.headers["server"] == "attention-zoo"
        response = slow.call().result(20)
        assert tf.make_ndarray(response.outputs["doubled"]).tolist() == [3]
    assert not slow.server.ready and not slow.models.started


def test_answers_over_rest_leave_at_once():
    """Joined with what may come, each would wait 40 ms for the last one's receipt."""
    with _slow() as slow:
        took = []
        for _ in range(20):
            start = time.monotonic()
            assert slow.rest.get("/v1/models/slow").status_code == 200
            took.append(time.monotonic() - start)
        assert sorted(took[1:])[2] < 0.03


def test_requests_beyond_the_limit_are_refused_at_both_ports_and_states_are_not():
    with _slow(max_requests_in_flight=2) as slow:
        first, second = slow.post(), slow.call()
        slow.wait_until_begun(2)
        refused = slow.post().result(20)
        assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
        assert "2 requests are in flight" in refused.json()["error"]
        code, details = _code(slow.call())
        assert code == "UNAVAILABLE" and "2 requests are in flight" in details
        assert slow.rest.get("/v1/models/slow").status_code == 200
        page = slow.rest.get("/monitoring/prometheus/metrics").text
        assert "zoo_serving_requests_in_flight 2.0" in page.splitlines()
        slow.models.let_go.set()
        assert first.result(20).json() == ANSWER and second.result(20)
        assert slow.post().result(20).status_code == 200


def test_however_many_calls_there_are_they_may_come_again():
    """At its own limit gRPC says RESOURCE_EXHAUSTED, after which nobody comes again."""
    with _slow(max_requests_in_flight=1) as slow:
        first = slow.post()
        slow.wait_until_begun()
        calls = [slow.call() for _ in range(150)]
        assert {_code(call)[0] for call in calls} == {"UNAVAILABLE"}
        slow.models.let_go.set()
        assert first.result(20).json() == ANSWER


def test_an_answer_that_takes_too_long_is_given_up_and_still_counts_as_load():
    with _slow(timeout_seconds=0.2, max_requests_in_flight=1) as slow:
        late = slow.post().result(20)
        assert late.status_code == 504
        assert late.json() == {"error": "The answer took more than 0.2 seconds."}
        assert slow.post().result(20).status_code == 503
        slow.models.let_go.set()
        _until(lambda: slow.post().result(20).status_code == 200)
        slow.models.let_go.clear()
        assert _code(slow.call()) == (
            "DEADLINE_EXCEEDED",
            "The answer took more than 0.2 seconds.",
        )


def _until(condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("It did not happen in five seconds.")


def test_a_callers_deadline_is_kept():
    with _slow() as slow:
        assert _code(slow.call(timeout=0.2))[0] == "DEADLINE_EXCEEDED"
        # The server too has given it up, long before its own limit.
        count = b'{model_name="slow",status="DEADLINE_EXCEEDED"} 1.0'
        _until(lambda: count in slow.server.metrics.page())


def test_a_body_that_never_ends_is_given_up():
    with _slow(timeout_seconds=0.3) as slow:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{{"
        answer = _raw(slow.server.rest_port, head.encode())
        assert answer.startswith(b"HTTP/1.1 504 ")


def _raw(port, content):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(content)
        return connection.recv(10_000)


def test_a_client_that_goes_away_leaves_its_place(caplog):
    with _slow(max_requests_in_flight=1) as slow:
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{{"
        address = ("127.0.0.1", slow.server.rest_port)
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(head.encode())
            _until(lambda: slow.server.metrics.page().endswith(b"in_flight 1.0\n"))
            assert slow.post().result(20).status_code == 503
        slow.models.let_go.set()
        _until(lambda: slow.post().result(20).status_code == 200)
    assert [of for of in caplog.records if of.name.startswith("zoo")] == []


@pytest.mark.parametrize("packed", [False, True])
def test_bodies_beyond_the_limit_are_refused_at_both_ports(packed):
    with _slow(max_body_bytes=2000) as slow:
        content = json.dumps({"instances": [1] * 2000}).encode()
        headers = {"Content-Encoding": "gzip"} if packed else {}
        body = gzip.compress(content) if packed else content
        answer = slow.rest.post(PREDICT, content=body, headers=headers)
        assert answer.status_code == 413
        assert "longer than 2000 bytes" in answer.json()["error"]
        # In parts, without a length.
        answer = slow.rest.post(PREDICT, content=iter([content[:1900], content[1900:]]))
        assert answer.status_code == 413
        request = PredictRequest()
        request.model_spec.name = "a" * 3000
        predict = PredictionServiceStub(slow.channel).Predict
        assert _code(predict.future(request))[0] == "RESOURCE_EXHAUSTED"
        slow.models.let_go.set()
        assert slow.post().result(20).json() == ANSWER


def test_packed_bodies_are_read():
    with _slow() as slow:
        slow.models.let_go.set()
        body = gzip.compress(json.dumps(BODY).encode())
        headers = {"Content-Encoding": "gzip"}
        answer = slow.rest.post(PREDICT, content=body, headers=headers)
        assert answer.json() == ANSWER
        headers = {"Content-Encoding": "br"}
        assert slow.rest.post(PREDICT, content=body, headers=headers).status_code == 415


def test_an_error_of_the_model_is_told_at_both_ports():
    with _slow() as slow:
        slow.models.let_go.set()
        slow.models.error = invalid("too few")
        answer = slow.post().result(20)
        assert answer.status_code == 400 and answer.json() == {"error": "too few"}
        assert _code(slow.call()) == ("INVALID_ARGUMENT", "too few")


def test_a_fault_of_the_server_is_told_and_logged(caplog):
    with _slow() as slow, caplog.at_level(logging.ERROR, "zoo.serving"):
        slow.models.let_go.set()
        slow.models.error = ZeroDivisionError("by design")
        answer = slow.post().result(20)
        assert answer.status_code == 500
        assert answer.json() == {"error": "ZeroDivisionError: by design"}
        assert _code(slow.call()) == ("INTERNAL", "ZeroDivisionError: by design")
        assert len(caplog.records) == 2


def test_a_stop_lets_requests_under_way_end_and_refuses_new_ones():
    with _slow() as slow:
        running, called = slow.post(), slow.call()
        slow.wait_until_begun(2)
        stopping = threading.Thread(target=slow.server.stop, args=(20,))
        stopping.start()
        _until(lambda: not _listens(slow.server.rest_port))
        assert _code(slow.call())[0] == "UNAVAILABLE"
        assert not running.done() and stopping.is_alive()
        slow.models.let_go.set()
        assert running.result(20).json() == ANSWER
        assert called.result(20)
        stopping.join(20)
        assert not stopping.is_alive() and not slow.models.started


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_stop_gives_up_requests_after_its_grace(caplog):
    before = _waited_for()
    with _slow() as slow:
        running, called = slow.post(), slow.call()
        slow.wait_until_begun(2)
        start = time.monotonic()
        assert slow.server.stop(0.3) == 2
        assert 0.3 <= time.monotonic() - start < 1.3
        assert "2 requests are given up after 0.3 s" in caplog.text
        # What they compute does not keep the process from ending.
        assert _waited_for() == before
        assert _code(called)[0] in ("CANCELLED", "UNAVAILABLE")
        answer = running.result(20)
        assert answer.status_code == 503
        assert answer.json() == {"error": "The server is stopping."}


def _waited_for():
    """Threads that end before the process does: no daemons, and those of pools."""
    alive = threading.enumerate()
    return [of for of in alive if not of.daemon or of in _threads_queues]


def test_a_stop_does_not_wait_for_a_load(caplog):
    with _slow() as slow:
        slow.models.unloaded.clear()
        start = time.monotonic()
        assert slow.server.stop(0.1) == 0
        assert time.monotonic() - start < 1.1
        assert "they still load or compute" in caplog.text
        slow.models.unloaded.set()


@pytest.mark.parametrize("argument", ["rest_port", "grpc_port"])
def test_a_port_that_is_taken_is_named(argument):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"rest_port": 0, "grpc_port": 0, argument: port}
        models = StandInModels()
        with pytest.raises(OSError, match=f"Port {port} .* pass another {argument}"):
            Server(models, **ports).start()
        assert not models.started


def test_models_that_do_not_load_leave_both_ports_free():
    models = StandInModels()
    models.load_error = ServingError("NOT_FOUND", "no such model")
    server = Server(models, rest_port=0, grpc_port=0)
    with pytest.raises(ServingError, match="no such model"):
        server.start(3)
    assert not _listens(server.rest_port) and not _listens(server.grpc_port)
    assert not models.started and not server.ready


@pytest.mark.parametrize(
    ("error", "is_waited_for"),
    [(ServingError("NOT_FOUND", "no such model"), True), (KeyboardInterrupt(), False)],
)
def test_only_who_interrupts_a_start_does_not_wait_for_a_load(error, is_waited_for):
    models = StandInModels()
    models.load_error = error
    models.unloaded.clear()
    threading.Timer(0.8, models.unloaded.set).start()
    with pytest.raises(type(error)):
        Server(models, rest_port=0, grpc_port=0).start()
    assert models.unloaded.is_set() == is_waited_for


def test_what_is_not_offered_says_so():
    from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
    from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest

    with _slow() as slow:
        several = PredictionServiceStub(slow.channel).MultiInference
        code, details = _code(several.future(MultiInferenceRequest()))
        assert code == "UNIMPLEMENTED" and "call Classify and Regress" in details
        reload = ModelServiceStub(slow.channel).HandleReloadConfigRequest
        code, details = _code(reload.future(ReloadConfigRequest()))
        assert code == "UNIMPLEMENTED" and "found by themselves" in details

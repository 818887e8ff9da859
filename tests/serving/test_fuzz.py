"""Requests that nobody should send: the server refuses them and goes on."""

import copy
import gc
import gzip
import json
import logging
import socket
from pathlib import Path
from urllib.parse import quote

import grpc
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.serving.recorded_models import DATA

PREDICT = "/v1/models/tiny:predict"
RECORDS = json.loads((DATA / "rest.json").read_text(encoding="utf-8"))
BODIES = [json.loads(of["body"]) for of in RECORDS if of.get("body", "").endswith("}")]
ROUTES = sorted({(record["method"], record["path"]) for record in RECORDS})
ROUTES += [("POST", PREDICT), ("POST", "/v1/models/multi/labels/canary:predict")] * 40
ROUTES += [("POST", "/v1/models/multi:classify"), ("POST", "/v1/models/multi:regress")]


def _fuzzed(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@pytest.fixture(scope="module")
def rest(recorded_server):
    address = f"http://127.0.0.1:{recorded_server.rest_port}"
    with httpx.Client(base_url=address, timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def channel(recorded_server):
    with grpc.insecure_channel(f"127.0.0.1:{recorded_server.grpc_port}") as channel:
        yield channel


@pytest.fixture(autouse=True, scope="module")
def still_answers(rest, channel):
    """After all of this file, as before it."""
    yield
    answer = rest.post(PREDICT, json={"instances": ["bad"]})
    assert answer.json()["predictions"][0]["label"] == "negative|bad"
    request = PredictRequest()
    request.model_spec.name = "tiny"
    request.inputs["text"].CopyFrom(TensorProto(dtype=7, string_val=[b"bad"]))
    request.inputs["text"].tensor_shape.dim.add(size=1)
    response = PredictionServiceStub(channel).Predict(request, timeout=20)
    assert response.outputs["label"].string_val == [b"negative|bad"]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([2**63, 2**64, -(2**200), 1e39, "serving_default", "classify"])
    | st.text(max_size=20)
    | st.binary(max_size=9).map(lambda code: {"b64": code.hex()})
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["text", "inputs", "instances", "b64", "examples"])
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@st.composite
def changed_values(draw):
    """A good request of which one part is another."""
    value = copy.deepcopy(draw(st.sampled_from(BODIES)))
    places = list(_places(value))
    holder, key = draw(st.sampled_from(places))
    action = draw(st.sampled_from(["replace", "retype", "remove", "add", "repeat"]))
    if action == "replace":
        holder[key] = draw(VALUES)
    elif action == "retype":
        holder[key] = draw(st.text(max_size=30) | SCALARS)
    elif action == "remove":
        del holder[key]
    elif isinstance(holder, list):
        holder.append(draw(VALUES) if action == "add" else holder[key])
    else:
        holder[draw(st.text(max_size=3))] = draw(VALUES)
    return value


def _places(value):
    keys = range(len(value)) if isinstance(value, list) else list(value)
    for key in keys:
        yield value, key
        if isinstance(value[key], (list, dict)):
            yield from _places(value[key])


@st.composite
def bodies(draw):
    value = draw(st.one_of(*[changed_values()] * 5, VALUES))
    body = json.dumps(value, ensure_ascii=draw(st.booleans()))
    content = body.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 4)) == 0:
        place = draw(st.integers(0, len(content)))
        removed = draw(st.integers(0, 3))
        content = (
            content[:place] + draw(st.binary(max_size=4)) + content[place:][removed:]
        )
    return content


def _check(answer, method, path):
    assert answer.status_code < 500, answer.text
    if method == "HEAD":
        assert answer.content == b""
    elif path.lower().startswith("/v1/"):
        value = json.loads(answer.content.decode("utf-8"))
        assert isinstance(value, dict)
        assert ("error" in value) == (answer.status_code != 200)


@given(
    route=st.sampled_from(ROUTES),
    other_method=st.sampled_from([None] * 9 + ["PUT", "HEAD", "DELETE", "OPTIONS"]),
    body=bodies(),
    packed=st.sampled_from([None] * 6 + ["gzip", "br"]),
)
@_fuzzed(200)
def test_changed_requests_are_answered_or_refused(
    rest, route, other_method, body, packed
):
    method, path = other_method or route[0], route[1]
    headers = {"Content-Encoding": packed} if packed else {}
    if packed == "gzip" and len(body) % 3:
        body = gzip.compress(body)
    answer = rest.request(method, path, content=body, headers=headers)
    if path.startswith("/v1/"):
        assert answer.headers["content-type"] == "application/json"
    _check(answer, method, path)


@given(
    parts=st.lists(
        st.sampled_from(["v1", "models", "tiny", "multi", "versions", "1", "labels"])
        | st.sampled_from(["metadata", "tiny:predict", "stable", "9" * 30, "..", ""])
        | st.text(max_size=6),
        max_size=7,
    ),
    method=st.sampled_from(["GET", "POST"]),
)
@_fuzzed(60)
def test_any_path_is_answered_or_refused(rest, parts, method):
    path = "/v1/" + "/".join(
        quote(part, safe=":?&%", errors="replace") for part in parts
    )
    _check(rest.request(method, path, content=b"{}"), method, path)


def _send_raw(port, content, seconds=0.05):
    """What comes back, if anything does before the server waits for more."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.settimeout(seconds)
        try:
            connection.sendall(content)
            return connection.recv(10_000)
        except OSError:
            return b""


HTTP_STARTS = [b"", b"POST /v1/models/tiny:predict HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n"]
HTTP_STARTS += [HTTP_STARTS[1] + b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"]


@given(
    start=st.sampled_from(HTTP_STARTS),
    content=st.binary(max_size=200),
    end=st.sampled_from([b"", b"\r\n\r\n", b"\r\n\r\n"]),
)
@_fuzzed(40)
def test_any_bytes_at_the_rest_port_are_refused(recorded_server, start, content, end):
    answer = _send_raw(recorded_server.rest_port, start + content + end)
    assert not answer.startswith(b"HTTP/1.1 5")


DATA, HEADERS, SETTINGS = 0, 1, 4  # kinds of frames, RFC 9113


def _frame_kinds(content):
    """What each frame of HTTP/2 is: its length in 3 bytes, kind, 5 more, content."""
    kinds = []
    while len(content) >= 9:
        kinds.append(content[3])
        content = content[9 + int.from_bytes(content[:3], "big") :]
    return kinds


HTTP2_STARTS = [b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
HTTP2_STARTS += [HTTP2_STARTS[1] + bytes.fromhex("000000040000000000")]


@given(start=st.sampled_from(HTTP2_STARTS), content=st.binary(max_size=200))
@_fuzzed(40)
def test_any_bytes_at_the_grpc_port_are_refused(
    recorded_server, channel, start, content
):
    # The server's settings come first, whatever is sent.
    answer = _send_raw(recorded_server.grpc_port, start + content, 10)
    kinds = _frame_kinds(answer)
    assert kinds[0] == SETTINGS
    assert not {DATA, HEADERS} & set(kinds)
    request = GetModelStatusRequest()
    request.model_spec.name = "tiny"
    status = ModelServiceStub(channel).GetModelStatus(request, timeout=20)
    assert len(status.model_version_status) == 1


def _grpc_code(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


@given(st.binary(max_size=100))
@_fuzzed(30)
def test_bytes_that_are_no_message_are_refused(channel, content):
    logging.getLogger("grpc._server").disabled = True
    send = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    code = _grpc_code(lambda: send(content, timeout=20))
    # INTERNAL is what gRPC itself answers to a message that it cannot read.
    expected = "INVALID_ARGUMENT NOT_FOUND" if _is_message(content) else "INTERNAL"
    assert code in expected.split()


def _is_message(content):
    try:
        PredictRequest.FromString(content)
    except Exception:
        return False
    return True


@st.composite
def tensors(draw):
    # Mostly what the signatures take.
    proto = TensorProto(dtype=draw(st.sampled_from([7] * 60 + [*range(32)])))
    sizes = st.sampled_from([0, 1, 2, 3])
    odd_sizes = st.sampled_from([-1, 0, 1, 2**31, 2**62])
    shapes = [st.lists(sizes, min_size=1, max_size=1)] * 5
    for size in draw(st.one_of(*shapes, st.lists(odd_sizes, max_size=4))):
        proto.tensor_shape.dim.add(size=size)
    proto.string_val.extend(draw(st.lists(st.binary(max_size=9), max_size=3)))
    field = draw(st.sampled_from([""] * 4 + ["int", "float", "content", "rank"]))
    if field == "int":
        proto.int_val.extend(draw(st.lists(st.integers(-(2**31), 2**31 - 1))))
    elif field == "float":
        proto.float_val.extend(draw(st.lists(st.floats(width=32), max_size=3)))
    proto.tensor_content = b"123" if field == "content" else b""
    proto.tensor_shape.unknown_rank = field == "rank"
    return proto


@given(
    proto=tensors(),
    name=st.sampled_from(["text"] * 8 + ["other", ""]),
    signature=st.sampled_from(["", "", "normalize", "normalize", "classify", "zz"]),
)
@_fuzzed(80)
def test_any_tensor_is_answered_or_refused(channel, proto, name, signature):
    request = PredictRequest()
    request.model_spec.name = "tiny"
    request.model_spec.signature_name = signature
    request.inputs[name].CopyFrom(proto)
    predict = PredictionServiceStub(channel).Predict
    code = _grpc_code(lambda: predict(request, timeout=20))
    assert code in ("OK", "INVALID_ARGUMENT", "FAILED_PRECONDITION"), request


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells it")
def test_refused_requests_leave_nothing_behind(rest):
    """24 of 0.9 MB: 22 MB if their bodies stayed, and more if what is in them did."""
    wrong = [
        b'{"instances": [' + b"1," * 450_000 + b"1]}",
        b'{"instances": ["a", ' + b"[" * 900_000,
        b'{"inputs": {"text": "' + b"a" * 900_000 + b'"}, "signature_name": 3}',
        b'{"examples": [{"a": [' + b'"a",' * 225_000 + b"1]}]}",
    ]

    def send(times):
        for _ in range(times):
            for body in wrong:
                answer = rest.post(PREDICT, content=body)
                assert answer.status_code == 400
                assert len(answer.content) < 10_000
        gc.collect()
        return _resident_megabytes()

    before = send(2)
    assert send(6) - before < 16


def _resident_megabytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return (
        int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024
    )

"""The Ray application in a process of its own, where Ray is installed."""

import contextlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is optional."
)
PATIENCE_SECONDS = 120


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def ports(deployed_folder, tmp_path_factory):
    rest, grpc = free_port(), free_port()
    log = tmp_path_factory.mktemp("ray") / "log"
    command = [sys.executable, "ray_app.py", f"--rest-port={rest}"]
    environment = {"RAY_USAGE_STATS_ENABLED": "0", "CUDA_VISIBLE_DEVICES": "-1"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, f"--grpc-port={grpc}"],
            cwd=deployed_folder,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(process, log)
        yield rest, grpc
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()


def wait_until_ready(process, log):
    until = time.monotonic() + PATIENCE_SECONDS
    while "'models' is ready" not in log.read_text(errors="replace"):
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        assert time.monotonic() < until, log.read_text(errors="replace")[-2000:]
        time.sleep(0.2)


@pytest.fixture
def ask(ports):
    """Posts a body to a model; gives the status and the answer."""

    def post(model, body):
        address = f"http://127.0.0.1:{ports[0]}/v1/models/{model}:predict"
        request = urllib.request.Request(address, json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    return post


@pytest.fixture
def predict(ports):
    """Asks by TF Serving's own client."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    with grpc.insecure_channel(f"127.0.0.1:{ports[1]}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def run(model, **inputs):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            return stub.Predict(request, timeout=60)

        yield run


def test_rows_and_columns_are_answered_as_by_tf_serving(ask):
    rows = [{"loud": "FINE", "lengths": 5}, {"loud": "猫", "lengths": 3}]
    assert ask("loud", {"instances": ["ﬁne", "猫"]}) == (200, {"predictions": rows})
    columns = {"loud": ["FINE"], "lengths": [5]}
    body = {"inputs": {"texts": ["ﬁne"]}}
    assert ask("loud", body) == (200, {"outputs": columns})
    assert ask("loud", {"inputs": [{"b64": "4pi6"}]})[1]["outputs"]["loud"] == ["☺"]


def test_several_inputs_are_named(ask):
    row = {"texts": "a", "text_pairs": "b"}
    assert ask("joined", {"instances": [row]}) == (200, {"predictions": ["a+b"]})
    code, answer = ask("joined", {"instances": ["a"]})
    assert (code, answer["error"]) == (
        400,
        "serving_default takes the inputs ['text_pairs', 'texts'].",
    )


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"instances": ["a"], "inputs": ["a"]},
        {"instances": [{"texts": "a"}, {"text": "b"}]},
        {"inputs": {"texts": [{"b64": "!"}]}},
        {"inputs": {"texts": [{"c": "a"}]}},
        {"inputs": [1.5]},
        {"signature_name": "nope", "inputs": ["a"]},
    ],
)
def test_wrong_requests_are_the_callers_mistake(ask, body):
    code, answer = ask("loud", body)
    assert code == 400
    assert answer["error"]


def test_an_unknown_model_is_not_found(ask):
    assert ask("nope", {"inputs": ["a"]}) == (404, {"error": "No model 'nope'."})


def test_tf_servings_own_client_is_answered(predict):
    import grpc
    import tensorflow as tf

    found = predict("loud", texts=["ﬁne"])
    assert found.model_spec.version.value == 10
    assert found.model_spec.signature_name == "serving_default"
    assert tf.make_ndarray(found.outputs["loud"]).tolist() == [b"FINE"]
    for model, name, code in [
        ("nope", "texts", grpc.StatusCode.NOT_FOUND),
        ("loud", "text", grpc.StatusCode.INVALID_ARGUMENT),
    ]:
        with pytest.raises(grpc.RpcError) as refused:
            predict(model, **{name: ["a"]})
        assert refused.value.code() == code


def test_requests_at_a_time_get_their_own_answers(ask):
    found = {}

    def one(number):
        _, answer = ask("loud", {"inputs": [f"caller {number}"]})
        found[number] = answer["outputs"]["loud"]

    threads = [threading.Thread(target=one, args=(n,)) for n in range(23)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < PATIENCE_SECONDS
    assert found == {number: [f"CALLER {number}"] for number in range(23)}

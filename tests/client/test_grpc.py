"""What is of gRPC alone."""

import pytest

from zoo.client import Client, ServerError, VersionStatus
from zoo.client.messages import message

CHOICES = [
    ({}, None, ""),
    ({"version": 0}, 0, ""),
    ({"version": 3}, 3, ""),
    ({"label": "stable"}, None, "stable"),
]


def check_spec(spec, version, label):
    assert spec.name == "tiny"
    assert spec.HasField("version") == (version is not None)
    assert (spec.version.value, spec.version_label) == (version or 0, label)


@pytest.mark.parametrize(("options", "version", "label"), CHOICES)
def test_a_prediction_is_asked_as_the_protocol_says(
    grpc_server, options, version, label
):
    grpc_server.answer = lambda signature, inputs: {"a": [1.5], "b": [2.5]}
    with Client(grpc_server.url, "tiny", **options) as client:
        found = client.predict({"texts": ["a"]}, "score", outputs=["b"])
    assert found["b"].tolist() == [2.5]
    request = message("PredictRequest").FromString(grpc_server.contents[0])
    check_spec(request.model_spec, version, label)
    assert request.model_spec.signature_name == "score"
    # The server leaves out what is not wanted.
    assert list(request.output_filter) == ["b"]
    assert list(found) == ["b"]
    path, _ = grpc_server.requests[0]
    assert path == "/tensorflow.serving.PredictionService/Predict"


@pytest.mark.parametrize(("options", "version", "label"), CHOICES)
def test_metadata_is_asked_as_the_protocol_says(grpc_server, options, version, label):
    with Client(grpc_server.url, "tiny", **options) as client:
        assert client.metadata().signatures == {}
    request = message("GetModelMetadataRequest").FromString(grpc_server.contents[0])
    check_spec(request.model_spec, version, label)
    assert list(request.metadata_field) == ["signature_def"]
    path, _ = grpc_server.requests[0]
    assert path == "/tensorflow.serving.PredictionService/GetModelMetadata"


@pytest.mark.parametrize(("options", "version", "label"), CHOICES)
def test_status_is_of_all_versions_or_of_one(grpc_server, options, version, label):
    answer = message("GetModelStatusResponse")()
    answer.model_version_status.add(version=2, state=20)
    ended = answer.model_version_status.add(version=1, state=50)
    ended.status.error_code, ended.status.error_message = 5, "no file"
    grpc_server.steps = [lambda _: answer.SerializeToString()]
    with Client(grpc_server.url, "tiny", **options) as client:
        assert client.status() == [
            VersionStatus(2, "LOADING", "OK", ""),
            VersionStatus(1, "END", "NOT_FOUND", "no file"),
        ]
    request = message("GetModelStatusRequest").FromString(grpc_server.contents[0])
    check_spec(request.model_spec, version, "")
    path, _ = grpc_server.requests[0]
    assert path == "/tensorflow.serving.ModelService/GetModelStatus"


def test_metadata_of_another_kind_is_told(grpc_server):
    answer = message("GetModelMetadataResponse")()
    grpc_server.steps = [lambda _: answer.SerializeToString()]
    with (
        Client(grpc_server.url, "tiny") as client,
        pytest.raises(ServerError, match="holds no signatures"),
    ):
        client.metadata()


def test_an_answer_that_is_none_is_told(grpc_server):
    grpc_server.steps = [lambda _: b"\xff\xff"]
    with (
        Client(grpc_server.url, "tiny") as client,
        pytest.raises(ServerError, match=r"INTERNAL.*response"),
    ):
        client.predict({"texts": ["a"]})


def test_answers_larger_than_grpcs_usual_limit_come_through(grpc_server):
    grpc_server.answer = lambda signature, inputs: {"a": [[0.5] * 1_500_000]}
    with Client(grpc_server.url, "tiny") as client:
        assert client.predict({"texts": ["a"]})["a"].shape == (1, 1_500_000)

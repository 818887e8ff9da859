import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.apis.regression_pb2 import RegressionRequest


@pytest.fixture(scope="module")
def channel(recorded_server):
    with grpc.insecure_channel(f"127.0.0.1:{recorded_server.grpc_port}") as channel:
        yield channel


@pytest.fixture(scope="module")
def service(channel):
    return PredictionServiceStub(channel)


def _example(**features):
    example = tf.train.Example()
    for name, text in features.items():
        example.features.feature[name].bytes_list.value.append(text)
    return example


def _refusal(call, request):
    with pytest.raises(grpc.RpcError) as raised:
        call(request, timeout=20)
    return raised.value.code().name, raised.value.details()


def test_a_label_chooses_who_answers(service):
    for label, version in (("stable", 1), ("canary", 2)):
        request = PredictRequest()
        request.model_spec.name = "multi"
        request.model_spec.version_label = label
        request.inputs["text"].CopyFrom(tf.make_tensor_proto(["bad"]))
        response = service.Predict(request, timeout=20)
        assert response.model_spec.version.value == version
        assert response.model_spec.signature_name == "serving_default"


def test_values_stand_in_the_fields_of_their_types(service):
    """As TF Serving sends them: not every client reads packed content."""
    request = PredictRequest()
    request.model_spec.name = "tiny"
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(["bad", "Good movies"]))
    outputs = service.Predict(request, timeout=20).outputs
    assert list(outputs["n_slow"].int_val) == [1, 3]
    assert len(outputs["probs"].float_val) == 6
    assert list(outputs["label"].string_val) == [
        b"negative|bad",
        b"negative|good movies",
    ]


def test_examples_share_a_context_and_have_the_last_word(service):
    request = ClassificationRequest()
    request.model_spec.name = "multi"
    request.model_spec.signature_name = "classify"
    examples = request.input.example_list_with_context
    examples.context.CopyFrom(_example(text=b"bad"))
    examples.examples.extend([_example(), _example(text=b"Good movies")])
    result = service.Classify(request, timeout=20).result
    scores = [of.classes[0].score for of in result.classifications]
    assert scores == pytest.approx([0.338752836, 0.339162856], abs=1e-9)


def test_no_examples_are_refused(service):
    for signature, kind, call in (
        ("classify", ClassificationRequest, service.Classify),
        ("regress", RegressionRequest, service.Regress),
    ):
        request = kind()
        request.model_spec.name = "multi"
        request.model_spec.signature_name = signature
        assert _refusal(call, request) == ("INVALID_ARGUMENT", "Input is empty.")


def test_a_request_names_its_model_and_what_it_wants(service):
    missing = ("INVALID_ARGUMENT", "Missing ModelSpec")
    assert _refusal(service.Predict, PredictRequest()) == missing
    assert _refusal(service.Classify, ClassificationRequest()) == missing
    request = GetModelMetadataRequest()
    request.model_spec.name = "tiny"
    code, details = _refusal(service.GetModelMetadata, request)
    assert code == "INVALID_ARGUMENT" and "at least one metadata_field" in details


def test_the_metadata_is_that_of_the_version(service):
    for version, form in ((1, "predict"), (2, "classify")):
        request = GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = "multi"
        request.model_spec.version.value = version
        response = service.GetModelMetadata(request, timeout=20)
        signatures = SignatureDefMap()
        assert response.metadata["signature_def"].Unpack(signatures)
        method = signatures.signature_def["classify"].method_name
        assert method == f"tensorflow/serving/{form}"


def test_states_are_told_of_all_versions_or_of_one(channel):
    status = ModelServiceStub(channel).GetModelStatus
    request = GetModelStatusRequest()
    request.model_spec.name = "multi"
    found = [of.version for of in status(request, timeout=20).model_version_status]
    assert found == [2, 1]
    request.model_spec.version.value = 1
    (only,) = status(request, timeout=20).model_version_status
    assert only.version == 1 and only.state == only.AVAILABLE

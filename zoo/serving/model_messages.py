"""What a server tells of its models, as TF Serving's messages."""

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusResponse,
    ModelVersionStatus,
)
from tensorflow_serving.apis.model_pb2 import ModelSpec

from zoo.serving.models import Models
from zoo.serving.servable import Servable


def status_message(
    models: Models, name: str, version: int | None = None
) -> GetModelStatusResponse:
    """The states of a model's versions.

    Raises:
        ServingError: there is no such model, or no such version.
    """
    message = GetModelStatusResponse()
    for status in models.status(name, version):
        entry = message.model_version_status.add(
            version=status.version,
            state=ModelVersionStatus.State.Value(status.state),
        )
        entry.status.error_code = error_codes_pb2.Code.Value(status.error_code)
        entry.status.error_message = status.error_message
        # Present even where both are as they are by default.
        entry.status.SetInParent()
    return message


def signatures_message(servable: Servable) -> SignatureDefMap:
    message = SignatureDefMap()
    for name, definition in servable.signatures.items():
        message.signature_def[name].CopyFrom(definition)
    return message


def status_text(message: GetModelStatusResponse) -> str:
    return _text(message)


def metadata_text(servable: Servable) -> str:
    """The signatures of a version, as the REST interface prints them."""
    spec = ModelSpec(name=servable.name)
    spec.version.value = servable.version
    return (
        f'{{\n"model_spec":{_text(spec)},\n'
        f'"metadata": {{"signature_def": {_text(signatures_message(servable))}}}\n}}\n'
    )


def _text(message: Message) -> str:
    text = MessageToJson(
        message,
        always_print_fields_with_no_presence=True,
        preserving_proto_field_name=True,
        indent=1,
    )
    return text + "\n"

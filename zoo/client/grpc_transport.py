"""TF Serving's gRPC API, by grpcio."""

from collections.abc import Mapping

import grpc
import numpy as np

from zoo.client.address import Address, Target
from zoo.client.descriptions import (
    INIT_OP,
    Metadata,
    Signature,
    spec_of,
)
from zoo.client.errors import Retryable, ServerError, no_answer, overdue
from zoo.client.messages import enum_name, message
from zoo.client.tensor_messages import from_message, to_message
from zoo.protocol.version_status import VersionStatus

_PREDICTION = "/tensorflow.serving.PredictionService"
_MODEL = "/tensorflow.serving.ModelService"
_OPTIONS = [
    # Pictures and attention are larger than the usual 4 MiB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # `Retries` tries again; a channel must not be the slower of the two.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]


class GrpcTransport:
    """One try at a request over gRPC; many threads may call at once.

    Args:
        address: of the server.
        target: the model that is asked.
        headers: sent with each request.
    """

    def __init__(self, address: Address, target: Target, headers: Mapping[str, str]):
        self.address = address
        self.target = target
        self._headers = [(name.lower(), value) for name, value in headers.items()]
        if address.scheme == "grpcs":
            secrets = grpc.ssl_channel_credentials()
            self._channel = grpc.secure_channel(address.place, secrets, _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(address.place, _OPTIONS)
        self._predict = self._method(f"{_PREDICTION}/Predict", "PredictResponse")
        self._metadata = self._method(
            f"{_PREDICTION}/GetModelMetadata", "GetModelMetadataResponse"
        )
        self._status = self._method(
            f"{_MODEL}/GetModelStatus", "GetModelStatusResponse"
        )

    def close(self) -> None:
        """Ends all connections."""
        self._channel.close()

    def status(self, seconds: float) -> list[VersionStatus]:
        """Status of the versions; of a label too of all, as over REST."""
        request = message("GetModelStatusRequest")()
        self._aim(request, of_label=False)
        found = self._call(self._status, request, seconds)
        return [
            VersionStatus(
                one.version,
                enum_name("tensorflow.serving.VersionState", one.state),
                enum_name("tensorflow.error.Code", one.status.error_code),
                one.status.error_message,
            )
            for one in found.model_version_status
        ]

    def metadata(self, seconds: float) -> Metadata:
        """The signatures."""
        request = message("GetModelMetadataRequest")(metadata_field=["signature_def"])
        self._aim(request)
        found = self._call(self._metadata, request, seconds)
        signatures = message("SignatureDefMap")()
        if not found.metadata["signature_def"].Unpack(signatures):
            raise no_answer("metadata holds no signatures")
        return Metadata(
            found.model_spec.name,
            found.model_spec.version.value,
            {
                name: Signature(
                    _specs(one.inputs), _specs(one.outputs), one.method_name
                )
                for name, one in sorted(signatures.signature_def.items())
                if name != INIT_OP
            },
        )

    def predict(
        self,
        inputs: Mapping[str, np.ndarray],
        signature: str,
        outputs: tuple[str, ...],
        seconds: float,
    ) -> dict[str, np.ndarray]:
        """What a signature answers.

        Args:
            inputs: arrays by name.
            signature: its name.
            outputs: of which outputs are wanted; all if none is named.
            seconds: that are left.

        Raises:
            Retryable: it may go well next time.
            ServerError: it will not.
        """
        request = message("PredictRequest")(output_filter=outputs)
        self._aim(request)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(to_message(array))
        found = self._call(self._predict, request, seconds)
        return {
            name: from_message(tensor, name)
            for name, tensor in sorted(found.outputs.items())
        }

    def _aim(self, request, of_label: bool = True) -> None:
        spec = request.model_spec
        spec.name = self.target.model
        if self.target.version is not None:
            spec.version.value = self.target.version
        elif self.target.label is not None and of_label:
            spec.version_label = self.target.label

    def _method(self, path: str, answer: str):
        return self._channel.unary_unary(
            path,
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message(answer).FromString,
        )

    def _call(self, method, request, seconds: float):
        try:
            return method(request, timeout=seconds, metadata=self._headers)
        except grpc.RpcError as error:
            raise self._failure(error) from error

    def _failure(self, error) -> Exception:
        code, words = error.code().name, error.details() or ""
        # In grpcio's words it ran out here, in others at the server.
        if code == "DEADLINE_EXCEEDED" and "Deadline Exceeded" in words:
            return overdue(self.address)
        if code != "UNAVAILABLE":
            return ServerError(code, words)
        hint = f"Is the server running, and is {self.address} its port of gRPC?"
        return Retryable(ServerError(code, words, hint=hint))


def _specs(found: Mapping) -> dict:
    return {
        name: spec_of(
            enum_name("tensorflow.DataType", one.dtype),
            [dim.size for dim in one.tensor_shape.dim],
            one.tensor_shape.unknown_rank,
        )
        for name, one in sorted(found.items())
    }

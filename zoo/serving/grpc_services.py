"""TF Serving's two gRPC services: PredictionService and ModelService."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as NoAnswer

import grpc
from tensorflow_serving.apis.classification_pb2 import ClassificationResponse
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceServicer
from tensorflow_serving.apis.predict_pb2 import PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    PredictionServiceServicer,
)
from tensorflow_serving.apis.regression_pb2 import RegressionResponse

from zoo.serving.errors import ServingError, as_serving_error, invalid
from zoo.serving.metrics import Metrics
from zoo.serving.model_messages import signatures_message, status_message
from zoo.serving.models import Models
from zoo.serving.serialized_examples import serialized_examples
from zoo.serving.servable import Servable
from zoo.serving.tensor_protos import read_proto, write_proto
from zoo.serving.workers import Workers, timed_out

_SIGNATURES = "signature_def"
_log = logging.getLogger(__name__)


class PredictionService(PredictionServiceServicer):
    """Answers of models.

    Args:
        models: what is served.
        workers: the threads that answer; their limits are the requests'.
        metrics: told of every request to a model.
    """

    def __init__(self, models: Models, workers: Workers, metrics: Metrics):
        self._models = models
        self._workers = workers
        self._metrics = metrics

    def Predict(self, request, context) -> PredictResponse:
        return self._answered("Predict", request, context, self._predict)

    def Classify(self, request, context) -> ClassificationResponse:
        return self._answered("Classify", request, context, self._classify)

    def Regress(self, request, context) -> RegressionResponse:
        return self._answered("Regress", request, context, self._regress)

    def GetModelMetadata(self, request, context) -> GetModelMetadataResponse:
        return _told(context, lambda: self._metadata(request))

    def MultiInference(self, request, context):
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            "This server has no MultiInference: call Classify and Regress.",
        )

    def _answered(self, api: str, request, context, answer: Callable):
        start = time.monotonic()
        name = request.model_spec.name
        model = name if name in self._models.names else ""
        try:
            response = self._in_time(lambda until: answer(request, until), context)
        except Exception as error:
            told = _tellable(error)
            self._metrics.count_request(model, told.code)
            context.abort(grpc.StatusCode[told.code], told.message)
        self._metrics.count_request(model, "OK")
        self._metrics.time_request(model, api, "GRPC", time.monotonic() - start)
        return response

    def _in_time(self, answer: Callable, context):
        """Runs `answer(until)` in a worker: until the caller's time or ours is up."""
        seconds = self._workers.limits.timeout_seconds
        left = context.time_remaining()
        if left is not None:
            seconds = max(0.0, min(seconds, left))
        until = time.monotonic() + seconds
        place = self._workers.enter()
        try:
            future = place.submit(lambda: answer(until))
        finally:
            place.leave()
        try:
            return future.result(seconds)
        except NoAnswer:
            # One that waits in the queue is not begun any more.
            future.cancel()
            raise timed_out(seconds) from None

    def _predict(self, request, until: float) -> PredictResponse:
        limits = self._workers.limits
        response = PredictResponse()
        with self._servable(request.model_spec) as servable:
            inputs = {
                name: read_proto(name, proto, limits.max_body_bytes)
                for name, proto in request.inputs.items()
            }
            signature, outputs = servable.predict(
                request.model_spec.signature_name,
                inputs,
                list(request.output_filter),
                timeout_seconds=_left(until),
            )
            _echo(response.model_spec, servable, signature)
        for name, output in outputs.items():
            response.outputs[name].CopyFrom(write_proto(output))
        return response

    def _classify(self, request, until: float) -> ClassificationResponse:
        response = ClassificationResponse()
        with self._servable(request.model_spec) as servable:
            signature, results = servable.classify(
                request.model_spec.signature_name,
                serialized_examples(request.input),
                timeout_seconds=_left(until),
            )
            _echo(response.model_spec, servable, signature)
        for result in results:
            entry = response.result.classifications.add()
            for label, score in result:
                entry.classes.add(label=label, score=score)
        return response

    def _regress(self, request, until: float) -> RegressionResponse:
        response = RegressionResponse()
        with self._servable(request.model_spec) as servable:
            signature, results = servable.regress(
                request.model_spec.signature_name,
                serialized_examples(request.input),
                timeout_seconds=_left(until),
            )
            _echo(response.model_spec, servable, signature)
        for value in results:
            response.result.regressions.add(value=value)
        return response

    def _metadata(self, request) -> GetModelMetadataResponse:
        if not request.metadata_field:
            raise invalid(
                "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for field in request.metadata_field:
            if field != _SIGNATURES:
                raise invalid(f"Metadata field {field} is not supported")
        response = GetModelMetadataResponse()
        with self._servable(request.model_spec) as servable:
            response.metadata[_SIGNATURES].Pack(signatures_message(servable))
            _echo(response.model_spec, servable)
        return response

    def _servable(self, spec: ModelSpec):
        if not spec.ByteSize():
            raise invalid("Missing ModelSpec")
        version = spec.version.value if spec.HasField("version") else None
        return self._models.servable(spec.name, version, spec.version_label or None)


class ModelService(ModelServiceServicer):
    """The states of models."""

    def __init__(self, models: Models):
        self._models = models

    def GetModelStatus(self, request, context):
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        return _told(context, lambda: status_message(self._models, spec.name, version))

    def HandleReloadConfigRequest(self, request, context):
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            "This server keeps the models it was started with; new versions of them "
            "are found by themselves.",
        )


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _told(context, answer: Callable):
    try:
        return answer()
    except Exception as error:
        told = _tellable(error)
    context.abort(grpc.StatusCode[told.code], told.message)


def _tellable(error: Exception) -> ServingError:
    if not isinstance(error, ServingError):
        _log.error("A call failed: %s", error, exc_info=error)
    return as_serving_error(error)


def _echo(spec: ModelSpec, servable: Servable, signature: str = "") -> None:
    """Says who answered."""
    spec.name = servable.name
    spec.version.value = servable.version
    spec.signature_name = signature

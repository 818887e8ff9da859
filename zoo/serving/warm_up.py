"""Requests that a version answers before it is served."""

import logging

import tensorflow as tf

from zoo.files import MOST_WARM_UP_RECORDS, WARM_UP
from zoo.serving.errors import ServingError, as_serving_error, invalid
from zoo.serving.serialized_examples import serialized_examples
from zoo.serving.tensor_protos import read_proto

_MOST_BYTES = 1 << 30  # of a tensor
_log = logging.getLogger(__name__)


def warm_up(servable) -> int:
    """Replays the records of a version's warm-up file through its own methods.

    Args:
        servable: a `Servable`, whose `folder` may hold the file.

    Returns:
        How many records were replayed; 0 without a file.

    Raises:
        ServingError: the file is not readable, holds more than 1000 records, or one of
            them fails. A server that stops here keeps the older version.
    """
    path = servable.folder / WARM_UP
    if not path.is_file():
        return 0
    done = 0
    for record in _records(path):
        if done == MOST_WARM_UP_RECORDS:
            raise invalid(
                "Number of warmup records exceeds the maximum "
                f"({MOST_WARM_UP_RECORDS}) at {path}"
            )
        try:
            _replay(servable, record)
        except ServingError as error:
            raise ServingError(
                error.code, f"{error.message} (record {done} of {path})"
            ) from error
        done += 1
    return done


def _records(path):
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            yield record.numpy()
    except tf.errors.OpError as error:
        found = as_serving_error(error)
        raise ServingError(
            found.code,
            f"{found.message}. Please verify your warmup data is in TFRecord format.",
        ) from error


def _replay(servable, record: bytes) -> None:
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    try:
        log = PredictionLog.FromString(record)
    except DecodeError as error:
        raise invalid(f"Failed to parse warmup record: {error}") from error
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {
            name: read_proto(name, proto, _MOST_BYTES)
            for name, proto in request.inputs.items()
        }
        servable.predict(
            request.model_spec.signature_name, inputs, list(request.output_filter)
        )
    elif kind in ("classify_log", "regress_log"):
        request = getattr(log, kind).request
        ask = servable.classify if kind == "classify_log" else servable.regress
        ask(request.model_spec.signature_name, serialized_examples(request.input))
    elif kind is None:
        raise invalid("A warmup record holds no request.")
    else:
        _log.warning(
            "%s: a warm-up record of the kind %s is passed over.", servable.folder, kind
        )

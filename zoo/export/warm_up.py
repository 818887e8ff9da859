"""Requests that a server answers while it loads an export, and we before it does.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of `PredictionLog`s. A
server runs them before it calls a version available, so the first request is as fast as
the others; if one fails, the version never becomes available. They name a signature and
no model, which the server knows by then: the folder may be served under any name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.export.exportable import CLASSIFY, PREDICT, REGRESS
from zoo.export.refusal import ExportRefused
from zoo.files import MOST_WARM_UP_RECORDS, WARM_UP

# A text of so many bytes is long: most models cut it or come near to that.
_LONG = 600


@dataclass(frozen=True)
class Request:
    """A request to a signature.

    Attributes:
        signature: its name.
        form: of the request: `PREDICT`, `CLASSIFY` or `REGRESS`.
        inputs: arrays by name; strings are bytes.
    """

    signature: str
    form: str
    inputs: Mapping[str, np.ndarray]


def warm_up_requests(samples: Mapping, functions: Mapping, forms: Mapping) -> list:
    """The sample of each signature, and a long text where it takes texts.

    Args:
        samples: inputs by signature, as `Exportable` has them.
        functions: concrete functions by signature.
        forms: of those that are asked in another form than `PREDICT`.
    """
    found = []
    for name, function in functions.items():
        form, specs = forms.get(name, PREDICT), input_specs(function)
        inputs = {
            key: _as_array(values, specs[key]) if key in specs else np.array(values)
            for key, values in samples[name].items()
        }
        found.append(Request(name, form, inputs))
        if (longer := _longer(samples[name], form)) is not None:
            found.append(Request(name, form, longer))
    return found


def write_warm_up(folder, requests: Sequence[Request]) -> None:
    """Writes the file into a version's folder.

    Raises:
        ExportRefused: more records than a server reads.
    """
    import tensorflow as tf

    if len(requests) > MOST_WARM_UP_RECORDS:
        raise ExportRefused(
            f"A server reads {MOST_WARM_UP_RECORDS} records for warming up at most. "
            f"Received: {len(requests)}."
        )
    with tf.io.TFRecordWriter(str(Path(folder) / WARM_UP)) as writer:
        for request in requests:
            writer.write(_as_log(request).SerializeToString(deterministic=True))


def read_warm_up(folder) -> list[Request]:
    """The requests of the file in a version's folder, in its order.

    Raises:
        ExportRefused: it is no such file, or holds what no server runs.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    path = Path(folder) / WARM_UP
    try:
        records = [record.numpy() for record in tf.data.TFRecordDataset([str(path)])]
        requests = [_as_request(record) for record in records]
    except (tf.errors.OpError, DecodeError, ValueError) as error:
        raise ExportRefused(
            f"{path} is no file of requests for warming up: {error}"
        ) from error
    if len(requests) > MOST_WARM_UP_RECORDS:
        raise ExportRefused(f"{path} holds more than {MOST_WARM_UP_RECORDS} records.")
    return requests


def replay(requests: Sequence[Request], functions: Mapping) -> list[dict]:
    """Answers requests as a server does while it loads.

    Args:
        requests: as read from the file.
        functions: concrete functions by signature.

    Returns:
        The outputs of each, arrays by name.

    Raises:
        ExportRefused: one fails: no server would load the version.
    """
    import tensorflow as tf

    answers = []
    for number, request in enumerate(requests, 1):
        try:
            answers.append(_answer(request, functions))
        except (ValueError, TypeError, tf.errors.OpError) as error:
            message = getattr(error, "message", str(error))
            raise ExportRefused(
                f"Record {number} for warming up, to signature {request.signature!r}, "
                f"fails, and no server would load the export: {message}"
            ) from error
    return answers


def input_specs(function) -> dict:
    """A concrete function's input specs by name."""
    import tensorflow as tf

    specs = tf.nest.flatten(function.structured_input_signature)
    return {spec.name: spec for spec in specs}


def _answer(request: Request, functions: Mapping) -> dict:
    import tensorflow as tf

    if request.signature not in functions:
        raise ValueError(f"there is {', '.join(functions)}.")
    function = functions[request.signature]
    specs = input_specs(function)
    if set(specs) != set(request.inputs):
        raise ValueError(
            f"its inputs are {sorted(specs)}, and the record has "
            f"{sorted(request.inputs)}."
        )
    tensors = {name: tf.constant(value) for name, value in request.inputs.items()}
    for name, tensor in tensors.items():
        if not specs[name].is_compatible_with(tensor):
            raise ValueError(f"{name!r} is {specs[name]}, and the record has {tensor}.")
    return {name: value.numpy() for name, value in function(**tensors).items()}


def _as_array(values, spec) -> np.ndarray:
    if spec.dtype.name == "string":
        return _as_bytes(values)
    return np.array(values, spec.dtype.as_numpy_dtype)


def _as_bytes(values) -> np.ndarray:
    values = [v.encode() if isinstance(v, str) else v for v in values]
    return np.array(values, object)


def _longer(sample: Mapping[str, list], form: str) -> dict | None:
    """One row as long as texts get, or `None` if a sample has no texts."""
    if form != PREDICT:
        ((name, rows),) = sample.items()
        return {name: _as_bytes([_longer_example(rows)])}
    if not all(isinstance(row, str) for rows in sample.values() for row in rows):
        return None
    return {name: _as_bytes([_repeated(" ".join(r))]) for name, r in sample.items()}


def _longer_example(rows: Sequence[bytes]) -> bytes:
    import tensorflow as tf

    example = tf.train.Example.FromString(rows[0])
    for feature in example.features.feature.values():
        texts = feature.bytes_list.value
        texts[:] = [_repeated(text.decode()).encode() for text in texts]
    return example.SerializeToString(deterministic=True)


def _repeated(text: str) -> str:
    text = text.strip() or "word"
    return " ".join([text] * -(-_LONG // (len(text.encode()) + 1)))


def _as_log(request: Request):
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    if request.form == PREDICT:
        message = log.predict_log.request
        for name, value in request.inputs.items():
            message.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    else:
        kind = log.classify_log if request.form == CLASSIFY else log.regress_log
        message = kind.request
        ((_, rows),) = request.inputs.items()
        examples = [tf.train.Example.FromString(row) for row in rows]
        message.input.example_list.examples.extend(examples)
    message.model_spec.signature_name = request.signature
    return log


def _as_request(record: bytes) -> Request:
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog.FromString(record)
    kind = log.WhichOneof("log_type")
    forms = {"predict_log": PREDICT, "classify_log": CLASSIFY, "regress_log": REGRESS}
    if kind not in forms:
        raise ValueError(f"a record of kind {kind}, which no server runs.")
    message = getattr(log, kind).request
    name = message.model_spec.signature_name or "serving_default"
    if kind == "predict_log":
        inputs = {key: tf.make_ndarray(value) for key, value in message.inputs.items()}
        return Request(name, PREDICT, inputs)
    rows = [
        example.SerializeToString(deterministic=True)
        for example in message.input.example_list.examples
    ]
    return Request(name, forms[kind], {"inputs": _as_bytes(rows)})

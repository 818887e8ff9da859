"""What an export says of itself: `assets.extra/zoo.json`."""

import base64
import datetime
import importlib.metadata
from collections.abc import Mapping


def manifest_of(exportable, concrete, card) -> dict:
    return {
        "format": 1,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(
            timespec="seconds"
        ),
        "versions": {
            package: importlib.metadata.version(package)
            for package in ("tensorflow", "tensorflow-text", "keras")
        },
        "details": dict(exportable.details),
        "environment": dict(exportable.environment),
        "card": dict(card or {}),
        "signatures": {
            name: {
                "inputs": _specs(_inputs(function)),
                "outputs": _specs(function.structured_outputs),
                "sample": _as_json(exportable.samples[name]),
                "answer": _answer(function, exportable.samples[name]),
            }
            for name, function in concrete.items()
        },
    }


def _inputs(function) -> dict:
    """A signature's input specs by name."""
    import tensorflow as tf

    specs = tf.nest.flatten(function.structured_input_signature)
    return {spec.name: spec for spec in specs}


def _specs(specs: Mapping) -> dict:
    return {
        name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
        for name, spec in sorted(specs.items())
    }


def _answer(function, sample: Mapping[str, list]) -> dict:
    """What the signature answers to its sample, as JSON."""
    import tensorflow as tf

    specs = _inputs(function)
    inputs = {
        name: tf.constant(value, specs[name].dtype) for name, value in sample.items()
    }
    return {name: to_json(value) for name, value in function(**inputs).items()}


def _as_json(sample: Mapping[str, list]) -> dict:
    """Inputs as TF Serving's REST takes them: bytes that are no text in base64."""
    return {
        name: [
            {"b64": base64.b64encode(value).decode()}
            if isinstance(value, bytes)
            else value
            for value in values
        ]
        for name, values in sample.items()
    }


def to_json(tensor) -> list:
    """A tensor as nested lists; strings decoded."""
    import tensorflow as tf

    value = tensor.numpy()
    if value.dtype.kind in "OS":
        return tf.nest.map_structure(bytes.decode, value.tolist())
    return value.tolist()

"""What an export says of itself: `assets.extra/zoo.json`.

format        1
created       when, in UTC
versions      of the packages that made it
servers       releases of TF Serving that have all of its operations
details       of the task: labels, vocabularies, options
environment   variables that a server's process must have
card          the preset's: licence, data, scores, limits
signatures    by name: `inputs` and `outputs` with dtype and shape, a `sample` as
              REST takes it, and the `answer` to it
"""

import base64
import datetime
import importlib.metadata
from collections.abc import Mapping

from zoo.environment import checked_environment
from zoo.export.audit import read_saved_model, servers
from zoo.export.exportable import PREDICT
from zoo.export.refusal import ExportRefused
from zoo.export.warm_up import Request


def manifest_of(folder, exportable, answers: Mapping, card: Mapping | None) -> dict:
    """The content of `zoo.json`.

    Args:
        folder: the version's.
        exportable: what was exported.
        answers: the sample's request and its outputs, by signature.
        card: the preset's.
    """
    described = contract(folder)
    return {
        "format": 1,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(
            timespec="seconds"
        ),
        "versions": {
            package: importlib.metadata.version(package)
            for package in ("tensorflow", "tensorflow-text", "keras")
        },
        "servers": servers(folder),
        "details": dict(exportable.details),
        "environment": checked_environment(exportable.environment, "the export"),
        "card": dict(card or {}),
        "signatures": {
            name: {
                "inputs": described[name]["inputs"],
                "outputs": described[name]["outputs"],
                "sample": as_json(request),
                "answer": {
                    key: to_json(value, f"{name}.{key}")
                    for key, value in outputs.items()
                },
            }
            for name, (request, outputs) in answers.items()
        },
    }


def contract(folder) -> dict:
    """What a client may rely on: names, dtypes and shapes of a SavedModel's signatures.

    Args:
        folder: a version.

    Returns:
        By signature: `method`, the form of request that it answers; `inputs` and
        `outputs`, by name, each with `dtype` and `shape`, `None` for any size. A shape
        is `None` if not even the rank is known.
    """
    (meta_graph,) = read_saved_model(folder).meta_graphs
    return {
        name: {
            "method": signature.method_name,
            "inputs": _tensors(signature.inputs),
            "outputs": _tensors(signature.outputs),
        }
        for name, signature in sorted(meta_graph.signature_def.items())
        if not name.startswith("__")
    }


def _tensors(infos: Mapping) -> dict:
    import tensorflow as tf

    return {
        name: {
            "dtype": tf.dtypes.as_dtype(info.dtype).name,
            "shape": None
            if info.tensor_shape.unknown_rank
            else [d.size if d.size >= 0 else None for d in info.tensor_shape.dim],
        }
        for name, info in sorted(infos.items())
    }


def as_json(request: Request) -> dict:
    """A request's inputs as TF Serving's REST takes them.

    Raises:
        ExportRefused: bytes that are no text, in an input that is not named for it.
    """
    return {
        name: [_text_or_base64(request, name, value) for value in values]
        if values.dtype.kind in "OS"
        else values.tolist()
        for name, values in request.inputs.items()
    }


def _text_or_base64(request: Request, name: str, value: bytes):
    if request.form != PREDICT or name.endswith("_bytes"):
        return {"b64": base64.b64encode(value).decode()}
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ExportRefused(
            f"Input {name!r} of {request.signature!r} takes bytes that are no text, "
            "and JSON has them in base64 alone. End its name in '_bytes', so that "
            "clients know."
        ) from error


def to_json(values, name: str = "") -> list:
    """An array as nested lists; strings decoded.

    Args:
        values: what a signature answered.
        name: of the output, for messages.

    Raises:
        ExportRefused: what TF Serving's REST would say otherwise than it is.
    """
    if values.dtype.kind == "f" and not _all_finite(values):
        raise ExportRefused(f"{name} is not finite, and JSON has no word for that.")
    if values.dtype.kind not in "OS":
        return values.tolist()
    is_bytes = name.endswith("_bytes")
    try:
        texts = _decoded(values.tolist())
    except UnicodeDecodeError as error:
        if is_bytes:
            return _encoded(values.tolist())
        raise ExportRefused(
            f"{name} is no text, and servers would write it as if it were. End the "
            "output's name in '_bytes': they write that in base64."
        ) from error
    if is_bytes:
        raise ExportRefused(
            f"{name} is text, and servers write outputs whose names end in '_bytes' in "
            "base64. Name it otherwise."
        )
    return texts


def _all_finite(values) -> bool:
    import numpy as np

    return bool(np.isfinite(values).all())


def _decoded(values):
    if isinstance(values, list):
        return [_decoded(value) for value in values]
    return values.decode()


def _encoded(values):
    if isinstance(values, list):
        return [_encoded(value) for value in values]
    return {"b64": base64.b64encode(values).decode()}

"""Exports for TF Serving: audited, described, written whole.

<folder>/<version>/saved_model.pb, variables/     the SavedModel
<folder>/<version>/assets.extra/zoo.json          what it is, and recorded answers
"""

import base64
import datetime
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf

from zoo.files import MANIFEST, folder_written_whole, write_json

# Operations of TF Text that tensorflow_model_server links in every release since 2.10
# (tensorflow/serving, model_servers/BUILD); those of SentencePiece since 2.2.
TEXT_OPS = {
    "FastWordpieceTokenizeWithOffsets",
    "NormalizeUTF8",
    "SentencepieceOp",
    "SentencepieceTokenizeOp",
    "SentencepieceTokenizeWithOffsetsOp",
    "SentencepieceDetokenizeOp",
    "SentencepieceVocabSizeOp",
    "SentencepieceIdToStringOp",
    "SentencepieceStringToIdOp",
}
# The forms of TF Serving's own requests: tensorflow/python/saved_model/
# signature_constants.py.
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
# They run Python, which a server does not have.
PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "MapPyFunc"}


@dataclass(frozen=True)
class Exportable:
    """What a task gives to be exported.

    Attributes:
        module: tracks the variables and resources of the signatures.
        signatures: functions of named `tf.TensorSpec`s that return dictionaries.
        samples: an input of each signature, whose answers are recorded.
        details: labels, vocabularies and the like, for the manifest.
        environment: variables that the server's environment must have.
        forms: which signatures answer TF Serving's own requests, `CLASSIFY` or
            `REGRESS`; the others answer its predict requests.
        labels: names of classes, a line each in `assets.extra/labels.txt`; no file if
            there are none.
    """

    module: tf.Module
    signatures: Mapping[str, Any]
    samples: Mapping[str, Mapping[str, list]]
    details: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    labels: Sequence[str] = ()


class ExportRefused(ValueError):
    """The graph holds something that an unmodified TF Serving cannot run."""


def export(exportable: Exportable, folder, card: Mapping | None = None) -> Path:
    """Writes the next version of a model that TF Serving can load.

    Args:
        exportable: module, signatures and samples.
        folder: the model's base path; versions are its numbered subfolders.
        card: the preset's card, for the manifest.

    Returns:
        The new version's folder.

    Raises:
        ExportRefused: an operation that TF Serving does not have.
        OSError: it could not be written.
    """
    folder = Path(folder)
    concrete = {
        name: function.get_concrete_function()
        for name, function in exportable.signatures.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    version = folder / str(next_version(folder))
    with folder_written_whole(version) as beside:
        try:
            tf.saved_model.save(exportable.module, str(beside), signatures=concrete)
        except tf.errors.OpError as error:
            raise OSError(f"Cannot write {version}: {error.message}") from error
        _set_forms(beside, exportable.forms)
        audit(beside)
        (beside / "assets.extra").mkdir()
        if exportable.labels:
            lines = "".join(f"{name}\n" for name in exportable.labels)
            path = beside / "assets.extra" / "labels.txt"
            path.write_text(lines, encoding="utf-8", newline="")
        manifest = _manifest(exportable, concrete, card)
        write_json(beside / MANIFEST, manifest)
    return version


def next_version(folder) -> int:
    """One more than the highest version there is."""
    versions = [
        int(path.name) for path in Path(folder).iterdir() if path.name.isdigit()
    ]
    return max(versions, default=0) + 1


def audit(folder) -> list[str]:
    """Checks that an unmodified TF Serving has every operation of a SavedModel.

    Returns:
        The operations, sorted.

    Raises:
        ExportRefused: Python functions, operations compiled by XLA, or operations that
            are neither TensorFlow's own nor TF Text's in every server. The message
            names them and the functions that hold them.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((Path(folder) / "saved_model.pb").read_bytes())
    found, refused = set(), []
    for meta_graph in saved_model.meta_graphs:
        graph = meta_graph.graph_def
        local = {function.signature.name for function in graph.library.function}
        holders = [("the graph", graph.node)]
        holders += [(f.signature.name, f.node_def) for f in graph.library.function]
        for holder, nodes in holders:
            for node in nodes:
                found.add(node.op)
                if node.op not in local and (reason := _refuse(node)):
                    refused.append(f"{node.op} ({node.name} in {holder}): {reason}")
    if refused:
        raise ExportRefused(
            "TF Serving could not run this export:\n  " + "\n  ".join(refused)
        )
    return sorted(found)


def _refuse(node) -> str | None:
    if node.op in PYTHON_OPS:
        return "calls Python; write it with TensorFlow operations"
    if node.op.startswith("Xla") or node.attr["_XlaMustCompile"].b:
        return "compiled by XLA, which servers refuse by default; drop jit_compile"
    if node.op not in TEXT_OPS and not hasattr(tf.raw_ops, node.op):
        return "not an operation of TensorFlow, nor of TF Text in every server"
    return None


def _set_forms(folder: Path, forms: Mapping[str, str]) -> None:
    """Says which signatures answer classify and regress requests.

    TensorFlow writes that all answer predict requests, and a server refuses the others.
    """
    if not forms:
        return
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString(path.read_bytes())
    for name, form in forms.items():
        saved_model.meta_graphs[0].signature_def[name].method_name = form
    path.write_bytes(saved_model.SerializeToString(deterministic=True))


def _manifest(exportable, concrete, card) -> dict:
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
    specs = tf.nest.flatten(function.structured_input_signature)
    return {spec.name: spec for spec in specs}


def _specs(specs: Mapping) -> dict:
    return {
        name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
        for name, spec in sorted(specs.items())
    }


def _answer(function, sample: Mapping[str, list]) -> dict:
    """What the signature answers to its sample, as JSON."""
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
    value = tensor.numpy()
    if value.dtype.kind in "OS":
        return tf.nest.map_structure(bytes.decode, value.tolist())
    return value.tolist()

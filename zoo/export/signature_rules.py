"""Whether TF Serving's REST interface can say a signature's inputs and outputs."""

from collections.abc import Mapping

from zoo.export.exportable import CLASSIFY, REGRESS
from zoo.export.graph_places import GRAPH, GraphPlaces

# What its JSON has words for (tensorflow/serving, util/json_tensor.cc).
_JSON_TYPES = {
    *("DT_BOOL", "DT_STRING", "DT_FLOAT", "DT_DOUBLE"),
    *("DT_INT8", "DT_INT16", "DT_INT32", "DT_INT64"),
    *("DT_UINT8", "DT_UINT16", "DT_UINT32", "DT_UINT64"),
}
# Names that a server looks for (tensorflow/serving, classifier.cc and regressor.cc).
_NAMES = {CLASSIFY: {"classes", "scores"}, REGRESS: {"outputs"}}


def refused_signatures(signatures: Mapping, places: GraphPlaces) -> list[str]:
    """What requests or answers could not be written as JSON, a sentence each.

    Args:
        signatures: `SignatureDef`s by name.
        places: of their graph.
    """
    found = []
    for name, signature in sorted(signatures.items()):
        found += _misnamed(name, signature)
        for side in ("inputs", "outputs"):
            for key, info in sorted(getattr(signature, side).items()):
                reason = _type_reason(info) or _shape_reason(info, side[:-1])
                if reason:
                    where = _place(places, info)
                    found.append(f"{where}: {side[:-1]} {key!r} of {name!r} {reason}")
    return found


def _misnamed(name: str, signature) -> list[str]:
    known = _NAMES.get(signature.method_name)
    if known is None:
        return []
    found = []
    if set(signature.inputs) != {"inputs"}:
        found.append(
            f"signature {name!r} answers {signature.method_name} requests, so its one "
            f"input is 'inputs'; it has {sorted(signature.inputs)}"
        )
    if not signature.outputs or not set(signature.outputs) <= known:
        found.append(
            f"signature {name!r} answers {signature.method_name} requests, so its "
            f"outputs are {sorted(known)}; it has {sorted(signature.outputs)}"
        )
    return found


def _type_reason(info) -> str | None:
    from tensorflow.core.framework import types_pb2

    if types_pb2.DataType.Name(info.dtype) in _JSON_TYPES:
        return None
    word = types_pb2.DataType.Name(info.dtype).removeprefix("DT_").lower()
    return f"is {word}, which JSON requests cannot say; cast it, to float32 say"


def _shape_reason(info, side: str) -> str | None:
    shape = info.tensor_shape
    if shape.unknown_rank:
        return (
            "has no shape information, not even a rank, and requests by rows need it; "
            "set it with tf.ensure_shape"
        )
    if not shape.dim:
        return f"is a single number; rows need an {side} with the batch as first axis"
    if shape.dim[0].size != -1:
        return (
            f"always has {shape.dim[0].size} rows; the first axis is the batch, of any "
            "size"
        )
    return None


def _place(places: GraphPlaces, info) -> str:
    """The operation that an output comes from, and where it stands."""
    holder, node = places.origin(GRAPH, info.name)
    if node is None:
        return f"tensor {info.name!r}"
    return f"{node.op} ({places.place(holder, node)})"

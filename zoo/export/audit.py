"""Whether an unmodified TF Serving can run a SavedModel."""

from pathlib import Path

from zoo.export.graph_places import GRAPH, GraphPlaces
from zoo.export.refusal import ExportRefused
from zoo.export.server_ops import (
    NEWEST,
    RELEASES,
    checked_release,
    first_release,
    is_text_op,
    number,
)
from zoo.export.signature_rules import refused_signatures

# They run Python, which a server does not have.
_PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "MapPyFunc"}
# They make what only a module's own attribute is written and initialised for.
_MAKING_OPS = {
    *("HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2"),
    *("MutableDenseHashTableV2", "MutableHashTableOfTensorsV2"),
    *("VarHandleOp", "VariableV2"),
}
# They change what later requests would be answered from.
_CHANGING_OPS = {
    *("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"),
    *("LookupTableInsertV2", "LookupTableRemoveV2", "LookupTableImportV2"),
}


def audit(folder, server: str = NEWEST) -> list[str]:
    """Checks that an unmodified TF Serving can run a SavedModel and speak of it.

    Args:
        folder: a version.
        server: the release of TF Serving, such as "2.20".

    Returns:
        The operations, sorted.

    Raises:
        ExportRefused: Python functions, operations compiled by XLA or that this release
            does not have, state made or changed by a request, or signatures that its
            REST interface cannot say. The message names each operation, its node, the
            function that holds it, the layer, and the signatures that run it.
        ValueError: an unknown release.
    """
    server = checked_release(server)
    saved_model = read_saved_model(folder)
    found, refused = set(), []
    for meta_graph in saved_model.meta_graphs:
        signatures = {
            name: signature
            for name, signature in meta_graph.signature_def.items()
            if not name.startswith("__")
        }
        places = GraphPlaces(meta_graph.graph_def, signatures)
        for holder, node in places.nodes():
            found.add(node.op)
            if node.op in places.functions:
                continue
            for reason in _reasons(node, server):
                refused.append(f"{node.op} ({places.place(holder, node)}): {reason}")
            if reason := _state(places, holder, node):
                refused.append(f"{node.op} ({places.place(holder, node)}): {reason}")
        refused += refused_signatures(signatures, places)
    if refused:
        raise ExportRefused.of(server, refused)
    return sorted(found)


def servers(folder) -> list[str]:
    """Releases of TF Serving that have every operation of a SavedModel."""
    needed = {number(RELEASES[0])}
    for meta_graph in read_saved_model(folder).meta_graphs:
        for _, node in GraphPlaces(meta_graph.graph_def).nodes():
            needed.add(number(first_release(node.op, node.attr)[0]))
    return [release for release in RELEASES if number(release) >= max(needed)]


def read_saved_model(folder):
    """The `SavedModel` message of a version's folder."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((Path(folder) / "saved_model.pb").read_bytes())
    return saved_model


def _reasons(node, server: str) -> list[str]:
    """Why a server cannot run a node."""
    import tensorflow as tf

    if node.op in _PYTHON_OPS:
        return ["calls Python; write it with TensorFlow operations"]
    if node.op.startswith("Xla") or node.attr["_XlaMustCompile"].b:
        return ["compiled by XLA, which servers refuse by default; drop jit_compile"]
    if not is_text_op(node.op) and not hasattr(tf.raw_ops, node.op):
        return ["not an operation of TensorFlow, nor of TF Text in any server"]
    first, attribute = first_release(node.op, node.attr)
    if number(first) <= number(server):
        return []
    what = f"its attribute {attribute!r} is" if attribute else "is"
    where = f"in TF Serving {first}" if first in RELEASES else "in no server yet"
    return [f"{what} new {where}, and {server} does not have it"]


def _state(places: GraphPlaces, holder: str, node) -> str | None:
    """Why a request must not run a node, if it does."""
    if node.op not in _MAKING_OPS | _CHANGING_OPS or holder == GRAPH:
        return None
    if not places.signatures_of(holder, node):
        return None
    if node.op in _CHANGING_OPS:
        return "changes what later requests are answered from; export what only reads"
    return (
        "made by each request, with nothing in it; make it an attribute of the module"
    )

"""Whether an unmodified TF Serving can run a SavedModel."""

from pathlib import Path

from zoo.export.server_ops import TEXT_OPS

# They run Python, which a server does not have.
PYTHON_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "MapPyFunc"}


class ExportRefused(ValueError):
    """The graph holds something that an unmodified TF Serving cannot run."""


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
    import tensorflow as tf

    if node.op in PYTHON_OPS:
        return "calls Python; write it with TensorFlow operations"
    if node.op.startswith("Xla") or node.attr["_XlaMustCompile"].b:
        return "compiled by XLA, which servers refuse by default; drop jit_compile"
    if node.op not in TEXT_OPS and not hasattr(tf.raw_ops, node.op):
        return "not an operation of TensorFlow, nor of TF Text in every server"
    return None

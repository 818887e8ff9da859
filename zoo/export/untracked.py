"""What a save says of tables and variables that would be lost."""

import re
from collections.abc import Mapping

from zoo.export.graph_places import GRAPH, GraphPlaces
from zoo.export.refusal import ExportRefused


def untracked(error: AssertionError, functions: Mapping, server: str) -> ExportRefused:
    """The refusal for what a SavedModel would be written without.

    Args:
        error: `tf.saved_model.save`'s.
        functions: concrete functions by signature.
        server: the release of TF Serving.
    """
    handle = re.search(r"Captured Tensor = (.*)", str(error))
    resource = re.search(r"Trackable referencing this tensor = (.*)", str(error))
    # Addresses in memory say nothing.
    what = re.sub(r" object at 0x\w+", "", resource[1]) if resource else "a resource"
    found = [
        f"{place}: reads {what}, which no attribute of the exported module holds, so "
        "it would not be written; make it one"
        for name, function in functions.items()
        for place in _readers(name, function, handle[1] if handle else "")
    ]
    return ExportRefused.of(server, dict.fromkeys(found) or [str(error)])


def _readers(name: str, function, handle: str):
    """Operations that read a captured resource, and where they stand."""
    places = GraphPlaces(function.graph.as_graph_def())
    for captured, inside in function.graph.captures:
        if handle and handle in repr(captured):
            for holder, node in places.users(GRAPH, inside.op.name):
                where = places.place(holder, node)
                yield f"{node.op} ({where}; signature {name})"

"""Where a node of a SavedModel stands: its function, layer and signatures."""

import re
from collections.abc import Iterator
from functools import cached_property

# Scopes of TensorFlow's control flow, which are no layers.
_FLOW = re.compile(r"(while|cond|case|switch_case|indexed_case|body)(_\d+)?")
# Keras counts the calls of a layer behind its name, from 1. TensorFlow's own scopes are
# mostly in camel case, or not counted.
_LAYER = re.compile(r"([a-z][a-z0-9_]*)_\d+")
GRAPH = ""


class GraphPlaces:
    """The nodes of a graph and of its functions.

    Args:
        graph_def: a `GraphDef`.
        signatures: `SignatureDef`s by name.
    """

    def __init__(self, graph_def, signatures=None):
        self.functions = {f.signature.name: f for f in graph_def.library.function}
        self._graph = graph_def
        self._signatures = signatures or {}

    def nodes(self) -> Iterator[tuple]:
        """Pairs of a function's name and a node of it; of the graph itself, `GRAPH`."""
        for holder in (GRAPH, *self.functions):
            for node in self._nodes_of(holder):
                yield holder, node

    def place(self, holder: str, node) -> str:
        """What a message says of a node: name, function, layer and signatures."""
        parts = [f"node {node.name!r}"]
        parts += [f"function {holder!r}" if holder else "the graph itself"]
        layer = self.layer(holder, node)
        parts += [f"layer {layer!r}"] if layer else ["no layer"]
        used = self.signatures_of(holder, node)
        parts += [f"signature {', '.join(used)}"] if used else []
        return "; ".join(parts)

    def layer(self, holder: str, node) -> str:
        """The layers that a node was made in, outermost first, "/" between them."""
        scopes = node.name.split("/")[:-1]
        seen = {holder}
        while holder in self._callers and not seen & {self._callers[holder][0]}:
            holder, caller = self._callers[holder]
            seen.add(holder)
            outer = caller.name.split("/")[:-1]
            # Bodies of control flow repeat the scopes around them.
            scopes = scopes if scopes[: len(outer)] == outer else outer + scopes
        found = [_LAYER.fullmatch(s) for s in scopes if not _FLOW.fullmatch(s)]
        return "/".join(scope[1] for scope in found if scope)

    def signatures_of(self, holder: str, node) -> list[str]:
        """Signatures that run a node."""
        return sorted(
            name
            for name, (tops, holders) in self._reached.items()
            if (holder in holders if holder else node.name in tops)
        )

    def origin(self, holder: str, tensor: str) -> tuple:
        """The function and node that a tensor comes from, through calls."""
        name, *place = tensor.split(":")
        node = self._by_name[holder].get(name)
        if node is None:
            return holder, None
        index = int(place[-1]) if place else 0
        if node.op in ("PartitionedCall", "StatefulPartitionedCall"):
            function = self.functions[node.attr["f"].func.name]
            result = function.signature.output_arg[index].name
            return self.origin(function.signature.name, function.ret[result])
        if node.op == "Identity":
            before = self.origin(holder, node.input[0])
            return before if before[1] is not None else (holder, node)
        return holder, node

    def users(self, holder: str, tensor: str) -> list[tuple]:
        """Functions and nodes that use a tensor, through calls."""
        found = []
        for node in self._nodes_of(holder):
            for index, name in enumerate(node.input):
                if name.split(":")[0] != tensor:
                    continue
                inside = self.functions.get(node.attr["f"].func.name)
                if inside is None:
                    found.append((holder, node))
                else:
                    argument = inside.signature.input_arg[index].name
                    found += self.users(inside.signature.name, argument)
        return found

    def _nodes_of(self, holder: str):
        return self.functions[holder].node_def if holder else self._graph.node

    @cached_property
    def _by_name(self) -> dict:
        return {
            holder: {node.name: node for node in self._nodes_of(holder)}
            for holder in (GRAPH, *self.functions)
        }

    @cached_property
    def _callers(self) -> dict:
        """One node that calls each function, and where it stands."""
        return {
            name: (holder, node)
            for holder, node in self.nodes()
            for name in self._called(node)
        }

    def _called(self, node) -> list[str]:
        """Functions that a node calls."""
        names = [node.op] if node.op in self.functions else []
        for attribute in node.attr.values():
            names += [attribute.func.name] if attribute.func.name else []
            names += [function.name for function in attribute.list.func]
        return [name for name in names if name in self.functions]

    @cached_property
    def _reached(self) -> dict:
        """Nodes of the graph and functions that each signature runs."""
        found = {}
        for name, signature in self._signatures.items():
            ends = [info.name for info in signature.outputs.values()]
            tops = self._before({end.split(":")[0] for end in ends})
            called = [
                one for top in tops for one in self._called(self._by_name[GRAPH][top])
            ]
            found[name] = tops, self._inside(called)
        return found

    def _before(self, names: set[str]) -> set[str]:
        """Nodes of the graph that others are computed from, and these."""
        found, waiting = set(), [n for n in names if n in self._by_name[GRAPH]]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                inputs = self._by_name[GRAPH][name].input
                waiting += [one.lstrip("^").split(":")[0] for one in inputs]
        return found

    def _inside(self, names: list[str]) -> set[str]:
        """Functions, and all that they call."""
        found, waiting = set(), list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                for node in self._nodes_of(name):
                    waiting += self._called(node)
        return found

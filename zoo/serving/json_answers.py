"""Answers of a model as the JSON text that TF Serving prints, character for character.

Floats have the six digits of C's "%g" where these say the number exactly, else the
nine (doubles: seventeen) that always do. Bytes of outputs named `..._bytes` are
base64; in other strings what is not UTF-8 becomes U+FFFD, so that the answer is JSON.
"""

import base64
import math
from collections.abc import Mapping, Sequence

import numpy as np

from zoo.protocol.tensor_types import TENSOR_TYPES, data_type
from zoo.serving.errors import invalid
from zoo.serving.json_text import string_text

_INDENT = "    "


def predictions_text(outputs: Mapping[str, np.ndarray]) -> str:
    """Answers to rows: `{"predictions": [...]}`.

    Args:
        outputs: of each output's name a tensor whose first axis is the examples'.

    Raises:
        ServingError: the outputs have different numbers of examples, or an output
            is of a type that has no JSON.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    count = None
    for name, output in outputs.items():
        if np.ndim(output) == 0:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if count not in (None, len(output)):
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(output)} "
                f"expecting: {count}"
            )
        count = len(output)
    if not count:
        return _object(1, {"predictions": "[]"})
    named = len(outputs) > 1
    columns = {
        name: _texts(name, output, depth=3 if named else 2, first_axis=1)
        for name, output in outputs.items()
    }
    rows = _rows_text(columns) if named else _on_lines(*columns.values())
    return _object(1, {"predictions": rows})


def outputs_text(outputs: Mapping[str, np.ndarray]) -> str:
    """Answers to columns: `{"outputs": ...}`.

    Args:
        outputs: of each output's name a tensor.

    Raises:
        ServingError: an output is of a type that has no JSON.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    named = len(outputs) > 1
    columns = {
        name: _texts(name, np.asarray(output), depth=2 if named else 1)[0]
        for name, output in outputs.items()
    }
    value = _object(2, columns) if named else next(iter(columns.values()))
    return _object(1, {"outputs": value})


def classifications_text(results: Sequence[Sequence[tuple[str, float]]]) -> str:
    """Answers to `classify`: of each example its (label, score) pairs."""
    if not results:
        raise invalid("Cannot convert empty ClassificationResults to JSON")
    scores = [score for result in results for _, score in result]
    texts = iter(decimal_texts(np.array(scores, np.float32)))
    lists = []
    for result in results:
        pairs = [f"[{string_text(label)}, {next(texts)}]" for label, _ in result]
        lists.append("[" + ", ".join(pairs) + "]")
    return _object(1, {"results": _on_lines(lists)})


def regressions_text(results: Sequence[float]) -> str:
    """Answers to `regress`: of each example a number."""
    if not len(results):
        raise invalid("Cannot convert empty RegressionResults to JSON")
    texts = decimal_texts(np.array(results, np.float32))
    return _object(1, {"results": "[" + ", ".join(texts) + "]"})


def error_text(message: str) -> str:
    return _object(1, {"error": string_text(message)})


def _object(depth: int, members: Mapping[str, str]) -> str:
    lines = [
        f"\n{_INDENT * depth}{string_text(name)}: {text}"
        for name, text in members.items()
    ]
    return "{" + ",".join(lines) + "\n" + _INDENT * (depth - 1) + "}"


def _rows_text(columns: Mapping[str, list[str]]) -> str:
    """Objects of a list, each on lines of its own."""
    indent = "\n" + _INDENT * 2
    rows = [
        indent + _object(3, dict(zip(columns, texts, strict=True)))
        for texts in zip(*columns.values(), strict=True)
    ]
    return "[" + ",".join(rows) + f"\n{_INDENT}]"


def _on_lines(texts: list[str]) -> str:
    """A list that begins on one line, and ends on the next: so the server prints it."""
    return "[" + ", ".join(texts) + f"\n{_INDENT}]"


def _texts(name: str, output, depth: int, first_axis: int = 0) -> list[str]:
    """A tensor's elements along the axes before `first_axis`, as texts.

    Rows keep lists on one line, columns give every element a line.
    """
    shape = output.shape
    texts = _leaves(name, output, depth + len(shape) - first_axis)
    for axis in reversed(range(first_axis, len(shape))):
        start, between, end = "[", ", ", "]"
        if not first_axis:
            inner = "\n" + _INDENT * (depth + axis + 1)
            start, between = "[" + inner, "," + inner
            end = "\n" + _INDENT * (depth + axis) + "]"
        size = shape[axis]
        if size:
            texts = [
                start + between.join(texts[index : index + size]) + end
                for index in range(0, len(texts), size)
            ]
        else:
            texts = ["[]"] * math.prod(shape[:axis])
    return texts


def _leaves(name: str, output: np.ndarray, depth: int) -> list[str]:
    kind = TENSOR_TYPES.get(data_type(output))
    if kind is None or not kind.has_json:
        type_name = kind.name if kind else output.dtype.name
        raise invalid(f"Failed to write JSON value for tensor type: {type_name}")
    flat = output.ravel()
    if kind.name == "string":
        values = [_as_bytes(value) for value in flat.tolist()]
        if name.endswith("_bytes"):
            codes = [base64.b64encode(value).decode("ascii") for value in values]
            return [_object(depth + 1, {"b64": string_text(code)}) for code in codes]
        return [string_text(value.decode("utf-8", "replace")) for value in values]
    if kind.name in ("float", "double"):
        return decimal_texts(flat)
    if kind.name == "bool":
        return ["true" if value else "false" for value in flat.tolist()]
    return list(map(str, flat.tolist()))


def _as_bytes(value) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8")


def decimal_texts(values: np.ndarray) -> list[str]:
    """Decimals as text.

    Args:
        values: float32 or float64, flat.

    Returns:
        For each number the shortest of six and nine (float64: seventeen) significant
        digits that reads back as the same number, with a point or an exponent.
    """
    digits = 9 if values.dtype == np.float32 else 17
    texts = _printed(values, digits)
    short = np.flatnonzero(_may_be_short(values))
    if len(short):
        chosen = values[short]
        fewer = _printed(chosen, 6)
        with np.errstate(over="ignore"):
            same = np.array(list(map(float, fewer))).astype(values.dtype) == chosen
        for index in np.flatnonzero(same):
            texts[short[index]] = fewer[index]
    for index in np.flatnonzero(values == np.rint(values)):
        text = texts[index]
        if text.lstrip("-").isdigit():
            texts[index] = text + ".0"
    for index in np.flatnonzero(~np.isfinite(values)):
        value = values[index]
        infinity = "Infinity" if value > 0 else "-Infinity"
        texts[index] = "NaN" if np.isnan(value) else infinity
    return texts


def _printed(values: np.ndarray, digits: int) -> list[str]:
    # One call for all: several times as fast as one for each.
    form = f"%.{digits}g\n" * len(values)
    return (form % tuple(values.tolist())).split("\n")[:-1]


def _may_be_short(values: np.ndarray) -> np.ndarray:
    """Where six digits may say a number exactly; where not is certain."""
    sizes = np.abs(values.astype(np.float64))
    limits = np.finfo(values.dtype)
    normal = np.isfinite(sizes) & (sizes >= limits.tiny)
    safe = np.where(normal, sizes, 1.0)
    scaled = safe / 10.0 ** (np.floor(np.log10(safe)) - 5)
    # `scaled` is below a million; rounding moved it by less than this.
    near = np.abs(scaled - np.rint(scaled)) <= max(1e6 * float(limits.eps), 1e-6)
    return (~normal | near) & np.isfinite(sizes)

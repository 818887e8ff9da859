"""Single JSON values as elements of tensors: which fit, which do not and why."""

import base64
import binascii
import math
from collections.abc import Iterable

import numpy as np

from zoo.protocol.tensor_types import TensorType
from zoo.serving.errors import ServingError, invalid
from zoo.serving.json_answers import decimal_texts
from zoo.serving.json_text import type_name, value_text

_INT64, _UINT64 = 2**63, 2**64


def is_base64(value: dict) -> bool:
    """Whether an object is `{"b64": "..."}`, which stands for bytes."""
    return len(value) == 1 and isinstance(value.get("b64"), str)


def flat_array(values: list, kind: TensorType) -> np.ndarray | None:
    """Values as an array of a type; None if one of them does not fit."""
    if any(refusal(found, kind) for found in _suspects(values, kind)):
        return None
    if kind.name == "string":
        flat = np.empty(len(values), object)
        flat[:] = [value_bytes(value) for value in values]
        return flat
    if kind.name in ("float", "double"):
        return np.array(values, np.float64).astype(kind.numpy)
    return np.array(values, kind.numpy)


def _suspects(values: list, kind: TensorType) -> Iterable:
    """Values of which one is refused if any is: far fewer than all, where it can be."""
    firsts = dict(zip(map(type, values), values, strict=True))
    if not firsts:
        return ()
    if not firsts.keys() <= {int, float}:
        return values if {dict} & firsts.keys() else firsts.values()
    extremes = []
    for of in firsts:
        same = values if len(firsts) == 1 else [v for v in values if type(v) is of]
        finite = [v for v in same if abs(v) < math.inf] if of is float else same
        extremes += [min(finite, default=0), max(finite, default=0), same[0]]
    is_decimal = kind.name in ("float", "double")
    # Past what 64 bits hold, integers count as decimals: no order helps.
    past = int in firsts and is_decimal and max(map(abs, extremes)) >= _INT64
    return values if past else extremes


def value_bytes(value: str | dict) -> bytes:
    """The bytes of a string, or of `{"b64": ...}`."""
    if isinstance(value, str):
        return value.encode("utf-8")
    text = "".join(value["b64"].split()).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def refusal(value, kind: TensorType) -> str:
    """Why a value is none of the type; "": it is one."""
    expected = (
        f"JSON Value: {printed(value)} Type: {type_name(value)} "
        f"is not of expected type: {kind.name}"
    )
    if isinstance(value, dict):
        if kind.name != "string":
            return expected
        if not is_base64(value):
            return (
                f"JSON Value: {value_text(value)} not formatted correctly "
                "for base64 data"
            )
        try:
            value_bytes(value)
        except ServingError as error:
            return error.message
        return ""
    if kind.name == "string":
        return "" if isinstance(value, str) else expected
    if kind.name == "bool":
        return "" if isinstance(value, bool) else expected
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return expected
    if kind.name in ("float", "double"):
        if _is_lossless(value, kind):
            return ""
        return (
            f"Cannot convert JSON value: {printed(value)} to {kind.name} "
            "without loss of precision."
        )
    limits = np.iinfo(kind.numpy)
    whole = isinstance(value, int) and limits.min <= value <= limits.max
    return "" if whole else expected


def _is_lossless(value, kind: TensorType) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return True
    limits = np.finfo(kind.numpy)
    if isinstance(value, int) and -_INT64 <= value < _UINT64:
        return abs(value) < 2 ** (limits.nmant + 1)
    return abs(value) <= float(limits.max)


def printed(value) -> str:
    """A single value as messages print it."""
    if isinstance(value, float):
        fits = abs(value) <= float(np.finfo(np.float32).max)
        kind = np.float32 if fits else np.float64
        return decimal_texts(np.array([value], kind))[0]
    return value_text(value)

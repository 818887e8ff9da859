"""Arrays as TF Serving's JSON has them, and back."""

import base64
import binascii

import numpy as np

from zoo.client.errors import no_answer


def to_json(array: np.ndarray):
    """An input as nested lists; bytes as {"b64": …}."""
    if array.dtype.kind != "O":
        return array.tolist()
    return _mapped(array.tolist(), _string)


def from_json(value, name: str) -> np.ndarray:
    """An output as an array: float64, int64, bool, or objects: `str` or `bytes`.

    Args:
        value: nested lists. JSON does not say of what type numbers were.
        name: of the output, for messages.

    Raises:
        ServerError: lists nested unevenly, or another kind of value.
    """
    leaf = value
    while isinstance(leaf, list) and leaf:
        leaf = leaf[0]
    try:
        if not isinstance(leaf, str | dict):
            array = np.array(value)
            if array.dtype.kind in "biuf":
                return array
        elif (array := np.array(value, object)).size:
            flat = [_text_or_bytes(one) for one in array.flat]
            array.flat = flat
            return array
    except (ValueError, TypeError, OverflowError) as error:
        raise no_answer(f"output {name!r} is no even array: {error}.") from None
    raise no_answer(f"output {name!r} holds {str(leaf)[:60]!r}.")


def is_bytes(value) -> bool:
    """Whether a value of JSON stands for bytes."""
    return isinstance(value, dict) and set(value) == {"b64"}


def _string(leaf):
    if isinstance(leaf, bytes):
        return {"b64": base64.b64encode(leaf).decode()}
    return leaf


def _text_or_bytes(leaf):
    if isinstance(leaf, str):
        return leaf
    if not is_bytes(leaf):
        raise ValueError(f"{str(leaf)[:60]} among strings")
    try:
        return base64.b64decode(leaf["b64"], validate=True)
    except (binascii.Error, TypeError):
        raise ValueError("base64 is damaged") from None


def _mapped(value, change):
    if isinstance(value, list):
        return [_mapped(one, change) for one in value]
    return change(value)

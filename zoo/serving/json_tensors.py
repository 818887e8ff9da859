"""The tensors that a REST request holds, by TF Serving's rules.

Two forms (https://www.tensorflow.org/tfx/serving/api_rest): rows,
`{"instances": [...]}`, of which each is one example, and columns, `{"inputs": ...}`,
of which each is a whole tensor. A signature with one input may leave its name out.
Bytes are `{"b64": "..."}`. What is refused, is in the server's own words.
"""

from collections.abc import Mapping
from itertools import chain

import numpy as np

from zoo.protocol.tensor_types import TENSOR_TYPES, TensorType
from zoo.serving.errors import ServingError, invalid
from zoo.serving.json_text import value_text
from zoo.serving.json_values import flat_array, is_base64, printed, refusal

# More than any model has, fewer than NumPy can.
_MOST_AXES = 32


def signature_name(request: Mapping) -> str:
    """The signature that a request asks for; "" is the default one."""
    name = request.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {value_text(request)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name


def is_row_form(request: Mapping) -> bool:
    return "instances" in request


def read_tensors(request: Mapping, inputs: Mapping) -> dict[str, np.ndarray]:
    """The tensors of a request.

    Args:
        request: the JSON object, see `read_json`.
        inputs: of each input's name the TensorInfo of its signature.

    Returns:
        Arrays of the types that the signature has; strings are objects of bytes.

    Raises:
        ServingError: the request does not have the form, or is not of the types.
    """
    kinds = {name: _kind(info.dtype) for name, info in inputs.items()}
    if not kinds:
        name = signature_name(request) or "DEFAULT"
        raise invalid(f"Failed to get input map for signature: {name}")
    if "instances" in request and "inputs" in request:
        raise _malformed(
            request,
            "Not formatted correctly expecting only one of 'inputs' or "
            "'instances' keys to exist ",
        )
    if "inputs" in request:
        return _columns(request["inputs"], kinds)
    if "instances" not in request:
        raise invalid("Missing 'inputs' or 'instances' key")
    rows = request["instances"]
    if not isinstance(rows, list):
        raise _malformed(request, "Expecting 'instances' to be an list/array")
    if not rows:
        raise _malformed(request, "No values in 'instances' array")
    return _rows(rows, kinds)


def _kind(number: int) -> TensorType:
    return TENSOR_TYPES.get(number, TensorType(f"type {number}", object, "", False))


def _malformed(request, text: str) -> ServingError:
    return invalid(f"JSON Value: {value_text(request)} {text}")


def _columns(value, kinds: Mapping[str, TensorType]) -> dict[str, np.ndarray]:
    if not _is_named(value):
        if len(kinds) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        return {name: _tensor(value, kind) for name, kind in kinds.items()}
    tensors = {}
    for name, kind in kinds.items():
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        tensors[name] = _tensor(value[name], kind)
    return tensors


def _rows(rows: list, kinds: Mapping[str, TensorType]) -> dict[str, np.ndarray]:
    named = _is_named(rows[0])
    if not named and len(kinds) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    tensors = {}
    if all(_is_named(row) == named for row in rows):
        if not named:
            tensors = {name: _dense(rows, kind) for name, kind in kinds.items()}
        elif all(row.keys() == kinds.keys() for row in rows):
            tensors = {
                name: _dense([row[name] for row in rows], kind)
                for name, kind in kinds.items()
            }
    if not tensors or any(tensor is None for tensor in tensors.values()):
        _refuse_rows(rows, kinds, named)
    return tensors


def _is_named(value) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _tensor(value, kind: TensorType) -> np.ndarray:
    tensor = _dense(value, kind)
    if tensor is None:
        _count(value, kind, _first_shape(value))
        raise invalid(f"JSON Value: {value_text(value)} is no tensor of {kind.name}")
    return tensor


def _dense(value, kind: TensorType) -> np.ndarray | None:
    """The array of nested lists; None where a rule is broken, without saying which."""
    shape, values = [], [value]
    while values and type(values[0]) is list:
        sizes = set(map(len, values)) if set(map(type, values)) == {list} else ()
        if len(sizes) != 1 or len(shape) == _MOST_AXES:
            return None
        shape.append(len(values[0]))
        values = list(chain.from_iterable(values))
    flat = flat_array(values, kind) if kind.has_json else None
    return None if flat is None else flat.reshape(shape)


def _refuse_rows(rows: list, kinds: Mapping[str, TensorType], named: bool):
    """Raises what is wrong with the first row that breaks a rule."""
    first: dict[str, tuple] = {}
    for index, row in enumerate(rows):
        if named and not _is_named(row):
            raise invalid(
                f"Expecting object but got list at item {index} of input list"
            )
        if not named and _is_named(row):
            raise invalid(
                f"Expecting value/list but got object at item {index} of input list"
            )
        items = row.items() if named else [(next(iter(kinds)), row)]
        for name, item in items:
            place = f" key: {name}" if named else ""
            try:
                _refuse_item(item, name, kinds, first)
            except ServingError as error:
                raise invalid(
                    f"Failed to process element: {index}{place} of 'instances' list. "
                    f"Error: {error.code}: {error.message}"
                ) from None
        if named and row.keys() != kinds.keys():
            raise invalid(
                f"Failed to process element: {index} of 'instances' list. "
                f"JSON object: {value_text(row)} keys must be equal to: "
                + ",".join(sorted(kinds))
            )
    raise invalid("The rows of 'instances' are no tensors of the signature")


def _refuse_item(item, name: str, kinds: Mapping[str, TensorType], first: dict):
    if name not in kinds:
        raise invalid(f"JSON object: does not have named input: {name}")
    shape = _first_shape(item)
    size = _count(item, kinds[name], shape)
    first_size, first_shape = first.setdefault(name, (size, shape))
    if size != first_size:
        raise invalid(f"Expecting tensor size: {first_size} but got: {size}")
    if shape != first_shape:
        texts = ["[" + ",".join(map(str, of)) + "]" for of in (first_shape, shape)]
        raise invalid(f"Expecting shape {texts[0]} but got: {texts[1]}")


def _first_shape(value) -> list[int]:
    """The sizes of nested lists, each looked up in the first element."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if len(shape) > _MOST_AXES:
            raise invalid(f"JSON value has more than {_MOST_AXES} nested lists")
        value = value[0] if value else None
    return shape


def _count(value, kind: TensorType, shape: list[int], level: int = 0) -> int:
    """How many values nested lists hold; raises where they are no tensor of a shape."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {printed(value)} found at incorrect level: {level + 1} "
                f"in the JSON DOM. Expected at level: {len(shape)}"
            )
        if not kind.has_json:
            raise ServingError(
                "UNIMPLEMENTED",
                f"Conversion of JSON Value: {printed(value)} to type: {kind.name}",
            )
        reason = refusal(value, kind)
        if reason:
            raise invalid(reason)
        return 1
    if level >= len(shape):
        raise invalid(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    return sum(_count(element, kind, shape, level + 1) for element in value)

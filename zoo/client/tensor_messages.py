"""Arrays as TensorFlow's `TensorProto`, and back, without TensorFlow."""

import math

import numpy as np

from zoo.client.errors import no_answer
from zoo.client.messages import enum_name, message
from zoo.protocol.tensor_types import (
    BFLOAT16,
    HALF,
    STRING,
    TENSOR_TYPES,
    data_type,
    listed,
)


def to_message(array: np.ndarray):
    """An input as a `TensorProto`.

    Args:
        array: numbers, or objects that are `str` or `bytes`.

    Raises:
        TypeError: a type of numbers that TensorFlow does not have.
    """
    tensor = message("tensorflow.TensorProto")()
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    number = data_type(array)
    if number is None:
        raise TypeError(f"TensorFlow has no type for NumPy's {array.dtype}.")
    tensor.dtype = number
    if number == STRING:
        tensor.string_val.extend(
            one.encode() if isinstance(one, str) else one for one in array.flat
        )
        return tensor
    little = array.dtype.newbyteorder("<")
    tensor.tensor_content = array.astype(little, copy=False).tobytes()
    return tensor


def from_message(tensor, name: str) -> np.ndarray:
    """An output as an array; bfloat16 as float32.

    Args:
        tensor: a `TensorProto`.
        name: of the output. Strings become `str`, but `bytes` where the name ends in
            "_bytes", as in TF Serving's JSON.

    Raises:
        ServerError: a type without a counterpart, or fewer values than the shape says.
    """
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if tensor.dtype == STRING:
        values = np.empty(len(tensor.string_val), object)
        is_text = not name.endswith("_bytes")
        values[:] = [_text(one) if is_text else one for one in tensor.string_val]
    elif tensor.dtype in TENSOR_TYPES or tensor.dtype == BFLOAT16:
        values = _numbers(tensor, name)
    else:
        kind = enum_name("tensorflow.DataType", tensor.dtype)
        raise no_answer(f"output {name!r} is of type {kind}.")
    count = math.prod(shape)
    if 0 < len(values) < count and not tensor.tensor_content:
        # A message may leave out repetitions of its last value.
        last = np.repeat(values[-1:], count - len(values))
        values = np.concatenate([values, last])
    if len(values) != count:
        raise no_answer(
            f"output {name!r} has {len(values)} values for its shape {shape}."
        )
    return values.reshape(shape)


def _numbers(tensor, name: str) -> np.ndarray:
    is_brain = tensor.dtype == BFLOAT16
    kind = TENSOR_TYPES[HALF if is_brain else tensor.dtype]
    stored = np.dtype(np.uint16 if is_brain else kind.numpy)
    if tensor.tensor_content:
        try:
            values = np.frombuffer(tensor.tensor_content, stored.newbyteorder("<"))
        except ValueError as error:
            raise no_answer(f"output {name!r}: {error}.") from None
        values = values.astype(stored)
    else:
        in_list = listed(np.zeros(0, stored)).dtype
        values = np.array(getattr(tensor, kind.field), in_list).view(stored)
    if is_brain:
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values


def _text(value: bytes) -> str:
    # What is no text comes back whole by `.encode("utf-8", "surrogateescape")`.
    return value.decode("utf-8", "surrogateescape")

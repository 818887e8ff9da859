"""Arrays as TensorFlow's `TensorProto`, and back, without TensorFlow."""

import math

import numpy as np

from zoo.client.errors import no_answer
from zoo.client.messages import DATA_TYPES, enum_name, message

_NUMPY = {
    "DT_FLOAT": "<f4",
    "DT_DOUBLE": "<f8",
    "DT_INT32": "<i4",
    "DT_UINT8": "|u1",
    "DT_INT16": "<i2",
    "DT_INT8": "|i1",
    "DT_COMPLEX64": "<c8",
    "DT_INT64": "<i8",
    "DT_BOOL": "|b1",
    "DT_UINT16": "<u2",
    "DT_COMPLEX128": "<c16",
    "DT_HALF": "<f2",
    "DT_UINT32": "<u4",
    "DT_UINT64": "<u8",
}
_DATA_TYPES = {np.dtype(numpy): name for name, numpy in _NUMPY.items()}
# Where a message lists its values one by one; half_val holds bits.
_LISTED = {
    "DT_FLOAT": "float_val",
    "DT_DOUBLE": "double_val",
    "DT_INT64": "int64_val",
    "DT_BOOL": "bool_val",
    "DT_UINT32": "uint32_val",
    "DT_UINT64": "uint64_val",
    "DT_COMPLEX64": "scomplex_val",
    "DT_COMPLEX128": "dcomplex_val",
}
_BITS = ("DT_HALF", "DT_BFLOAT16")


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
    if array.dtype.kind == "O":
        tensor.dtype = DATA_TYPES["DT_STRING"]
        tensor.string_val.extend(
            one.encode() if isinstance(one, str) else one for one in array.flat
        )
        return tensor
    little = array.dtype.newbyteorder("<")
    if little not in _DATA_TYPES:
        raise TypeError(f"TensorFlow has no type for NumPy's {array.dtype}.")
    tensor.dtype = DATA_TYPES[_DATA_TYPES[little]]
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
    kind = enum_name("tensorflow.DataType", tensor.dtype)
    if kind == "DT_STRING":
        values = np.empty(len(tensor.string_val), object)
        is_text = not name.endswith("_bytes")
        values[:] = [_text(one) if is_text else one for one in tensor.string_val]
    elif kind in _NUMPY or kind in _BITS:
        values = _numbers(tensor, kind, name)
    else:
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


def _numbers(tensor, kind: str, name: str) -> np.ndarray:
    stored = "<u2" if kind in _BITS else _NUMPY[kind]
    if tensor.tensor_content:
        try:
            values = np.frombuffer(tensor.tensor_content, stored)
        except ValueError as error:
            raise no_answer(f"output {name!r}: {error}.") from None
    elif kind in _BITS:
        values = np.array(tensor.half_val, stored)
    else:
        listed = getattr(tensor, _LISTED.get(kind, "int_val"))
        is_complex = kind.startswith("DT_COMPLEX")
        part = {"DT_COMPLEX64": "<f4", "DT_COMPLEX128": "<f8"}.get(kind, stored)
        values = np.array(listed, part)
        values = values.view(stored) if is_complex else values
    if kind == "DT_HALF":
        return values.view("<f2")
    if kind == "DT_BFLOAT16":
        return (values.astype("<u4") << 16).view("<f4")
    return values.astype(np.dtype(stored).newbyteorder("="))


def _text(value: bytes) -> str:
    # What is no text comes back whole by `.encode("utf-8", "surrogateescape")`.
    return value.decode("utf-8", "surrogateescape")

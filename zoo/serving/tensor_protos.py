"""Tensors of gRPC messages."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from zoo.protocol.tensor_types import STRING, TENSOR_TYPES, data_type, listed
from zoo.serving.errors import invalid

# A string that is empty still takes a pointer.
_POINTER_BYTES = 8


def read_proto(name: str, proto: TensorProto, most_bytes: int) -> np.ndarray:
    """The array of a message; strings are objects of bytes.

    Args:
        name: for messages of errors.
        proto: the message.
        most_bytes: of the array. A few bytes can claim to be any size, for a message
            may hold one value for all.

    Raises:
        ServingError: the message is no tensor, or a larger one.
    """
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        raise invalid(f"tensor parsing error: {name}")
    count = math.prod(shape)
    kind = TENSOR_TYPES.get(proto.dtype)
    size = _POINTER_BYTES if kind is None else np.dtype(kind.numpy).itemsize
    if count * size > most_bytes:
        raise invalid(
            f"tensor parsing error: {name}: {count} values are more than the "
            f"{most_bytes} bytes that a request may have"
        )
    try:
        if proto.dtype == STRING:
            return _strings(proto, shape, count)
        return tf.make_ndarray(proto)
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise invalid(f"tensor parsing error: {name}: {error}") from None


def _strings(proto: TensorProto, shape: list[int], count: int) -> np.ndarray:
    values = list(proto.string_val)
    if len(values) > count:
        raise ValueError(f"{len(values)} strings for {count} places")
    if proto.tensor_content:
        raise ValueError("strings belong in string_val, not in tensor_content")
    last = values[-1] if values else b""
    array = np.empty(count, object)
    array[:] = values + [last] * (count - len(values))
    return array.reshape(shape)


def write_proto(array: np.ndarray) -> TensorProto:
    """A message with its values in the field of their type, as TF Serving sends it."""
    array = np.asarray(array)
    number = data_type(array)
    if number is None:
        return tf.make_tensor_proto(array)
    proto = TensorProto(dtype=number)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    values = listed(array).tolist()
    if number == STRING:
        values = [v if isinstance(v, bytes) else str(v).encode("utf-8") for v in values]
    getattr(proto, TENSOR_TYPES[number].field).extend(values)
    return proto

"""Types of tensors: their names, NumPy's types, and where messages hold them."""

from typing import NamedTuple

import numpy as np


class TensorType(NamedTuple):
    """A type of tensor.

    Attributes:
        name: what error messages call it.
        numpy: the type in NumPy; strings are objects, each of `bytes`.
        field: the field of a TensorProto that holds its values.
        has_json: whether the REST interface reads and writes it.
    """

    name: str
    numpy: type
    field: str
    has_json: bool


# By the number of tensorflow.DataType.
TENSOR_TYPES = {
    1: TensorType("float", np.float32, "float_val", True),
    2: TensorType("double", np.float64, "double_val", True),
    3: TensorType("int32", np.int32, "int_val", True),
    4: TensorType("uint8", np.uint8, "int_val", True),
    5: TensorType("int16", np.int16, "int_val", True),
    6: TensorType("int8", np.int8, "int_val", True),
    7: TensorType("string", np.object_, "string_val", True),
    9: TensorType("int64", np.int64, "int64_val", True),
    10: TensorType("bool", np.bool_, "bool_val", True),
    17: TensorType("uint16", np.uint16, "int_val", False),
    19: TensorType("half", np.float16, "half_val", False),
    22: TensorType("uint32", np.uint32, "uint32_val", True),
    23: TensorType("uint64", np.uint64, "uint64_val", True),
}
_NUMBERS = {np.dtype(kind.numpy): number for number, kind in TENSOR_TYPES.items()}


def data_type(array: np.ndarray) -> int | None:
    """The number in tensorflow.DataType of an array's type; None: it has none here."""
    if array.dtype.kind in "OSU":
        return 7
    return _NUMBERS.get(array.dtype)

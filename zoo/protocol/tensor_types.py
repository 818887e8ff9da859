"""Types of tensors: their names, NumPy's types, and where messages hold them."""

from typing import NamedTuple

import numpy as np

# In the order of their numbers in tensorflow/core/framework/types.proto.
_NAMES = "INVALID FLOAT DOUBLE INT32 UINT8 INT16 INT8 STRING COMPLEX64 INT64 BOOL QINT8"
_NAMES += " QUINT8 QINT32 BFLOAT16 QINT16 QUINT16 UINT16 COMPLEX128 HALF RESOURCE"
_NAMES += " VARIANT UINT32 UINT64 FLOAT8_E5M2 FLOAT8_E4M3FN"
DATA_TYPES = {f"DT_{name}": number for number, name in enumerate(_NAMES.split())}
STRING, BFLOAT16, HALF = (DATA_TYPES[f"DT_{n}"] for n in ("STRING", "BFLOAT16", "HALF"))


class TensorType(NamedTuple):
    """A type of tensor.

    Attributes:
        name: what error messages call it.
        numpy: the type in NumPy; strings are objects, each of `bytes`.
        field: the field of a TensorProto that holds its values. A half stands there as
            the 16 bits that it is, a complex number as two.
        has_json: whether the REST interface reads and writes it.
    """

    name: str
    numpy: type
    field: str
    has_json: bool


# By the number of tensorflow.DataType; those that NumPy has.
TENSOR_TYPES = {
    1: TensorType("float", np.float32, "float_val", True),
    2: TensorType("double", np.float64, "double_val", True),
    3: TensorType("int32", np.int32, "int_val", True),
    4: TensorType("uint8", np.uint8, "int_val", True),
    5: TensorType("int16", np.int16, "int_val", True),
    6: TensorType("int8", np.int8, "int_val", True),
    STRING: TensorType("string", np.object_, "string_val", True),
    8: TensorType("complex64", np.complex64, "scomplex_val", False),
    9: TensorType("int64", np.int64, "int64_val", True),
    10: TensorType("bool", np.bool_, "bool_val", True),
    17: TensorType("uint16", np.uint16, "int_val", False),
    18: TensorType("complex128", np.complex128, "dcomplex_val", False),
    HALF: TensorType("half", np.float16, "half_val", False),
    22: TensorType("uint32", np.uint32, "uint32_val", True),
    23: TensorType("uint64", np.uint64, "uint64_val", True),
}
_NUMBERS = {np.dtype(kind.numpy): number for number, kind in TENSOR_TYPES.items()}


def data_type(array: np.ndarray) -> int | None:
    """The number in tensorflow.DataType of an array's type; None: it has none here."""
    if array.dtype.kind in "OSU":
        return STRING
    return _NUMBERS.get(array.dtype.newbyteorder("="))


def listed(array: np.ndarray) -> np.ndarray:
    """Values of an array, flat, as the field of their type lists them."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype.kind == "c":
        return flat.view(flat.real.dtype)
    return flat.view(np.uint16) if flat.dtype == np.float16 else flat

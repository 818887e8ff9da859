"""The functions of TensorFlow's C API, and tensors from and to Python's lists.

The standard library alone: see `c_api.py`, which needs it beside itself.
"""

import base64
import ctypes
import glob
import itertools
import os
from array import array

# tensorflow/core/framework/types.proto: number of a dtype, name and code of its array.
STRING, BOOL = 7, 10
DTYPES = {
    1: ("float32", "f"),
    2: ("float64", "d"),
    3: ("int32", "i"),
    4: ("uint8", "B"),
    5: ("int16", "h"),
    6: ("int8", "b"),
    STRING: ("string", None),
    9: ("int64", "q"),
    BOOL: ("bool", "B"),
    17: ("uint16", "H"),
    22: ("uint32", "I"),
    23: ("uint64", "Q"),
}
# tensorflow/c/tf_status.h, by number.
CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
# Size of a TF_TString where pointers have 64 bits.
STRING_SIZE = 24


class Failed(Exception):
    """It has no answer; the message says why."""


class Buffer(ctypes.Structure):
    """TF_Buffer."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    )


class Output(ctypes.Structure):
    """TF_Output: one of an operation's outputs."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


_POINTER, _CHARS = ctypes.c_void_p, ctypes.c_char_p
_INT, _SIZE = ctypes.c_int, ctypes.c_size_t
_OUTPUTS, _BUFFER = ctypes.POINTER(Output), ctypes.POINTER(Buffer)
_POINTERS, _SIZES = ctypes.POINTER(_POINTER), ctypes.POINTER(ctypes.c_int64)
# What each function returns, and what it takes.
FUNCTIONS = {
    "AllocateTensor": (_POINTER, _INT, _SIZES, _INT, _SIZE),
    "DeleteTensor": (None, _POINTER),
    "Dim": (ctypes.c_int64, _POINTER, _INT),
    "GetCode": (_INT, _POINTER),
    "GraphOperationByName": (_POINTER, _POINTER, _CHARS),
    "LoadLibrary": (_POINTER, _CHARS, _POINTER),
    "LoadSessionFromSavedModel": (
        *(_POINTER, _POINTER, _BUFFER, _CHARS, ctypes.POINTER(_CHARS), _INT),
        *(_POINTER, _BUFFER, _POINTER),
    ),
    "Message": (_CHARS, _POINTER),
    "NewBuffer": (_BUFFER,),
    "NewGraph": (_POINTER,),
    "NewSessionOptions": (_POINTER,),
    "NewStatus": (_POINTER,),
    "NumDims": (_INT, _POINTER),
    "SessionRun": (
        *(None, _POINTER, _BUFFER, _OUTPUTS, _POINTERS, _INT),
        *(_OUTPUTS, _POINTERS, _INT, _POINTERS, _INT, _BUFFER, _POINTER),
    ),
    "SetConfig": (None, _POINTER, _CHARS, _SIZE, _POINTER),
    "StringCopy": (None, _POINTER, _CHARS, _SIZE),
    "StringGetDataPointer": (_POINTER, _POINTER),
    "StringGetSize": (_SIZE, _POINTER),
    "StringInit": (None, _POINTER),
    "TensorByteSize": (_SIZE, _POINTER),
    "TensorData": (_POINTER, _POINTER),
    "TensorFromProto": (None, _BUFFER, _POINTER, _POINTER),
    "TensorType": (_INT, _POINTER),
    "Version": (_CHARS,),
}


class TensorFlow:
    """The functions of TensorFlow's C API as methods, and tensors from and to Python.

    Args:
        folder: of the package `tensorflow`.
        text: of the package `tensorflow_text`.
    """

    def __init__(self, folder: str, text: str):
        # The libraries of operations look for their symbols in the first.
        libraries = [
            ctypes.CDLL(_library(folder, name), mode=ctypes.RTLD_GLOBAL)
            for name in ("libtensorflow_framework.*", "libtensorflow_cc.*")
        ]
        for name, (result, *arguments) in FUNCTIONS.items():
            holders = [one for one in libraries if hasattr(one, f"TF_{name}")]
            if not holders:
                raise Failed(f"{folder} has no function TF_{name} in its C API.")
            function = getattr(holders[0], f"TF_{name}")
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)
        self.status = self.NewStatus()
        operations = glob.glob(f"{glob.escape(text)}/**/_*.so", recursive=True)
        if not operations:
            raise Failed(f"{text} holds no operations of TF Text.")
        for path in sorted(operations):
            self.checked("LoadLibrary", os.fsencode(path))

    def checked(self, name: str, *arguments):
        """Calls a function that takes a status.

        Raises:
            Failed: the status is not OK; the message is TensorFlow's own.
        """
        result = getattr(self, name)(*arguments, self.status)
        if code := self.GetCode(self.status):
            message = self.Message(self.status).decode(errors="replace")
            raise Failed(f"{CODES[code]}: {message}")
        return result

    def tensor(self, value, info):
        """A tensor of nested lists, of the dtype of a signature's input."""
        name, code = _dtype(info.dtype)
        shape, flat = _flattened(value, info.shape)
        if info.dtype == STRING:
            return self._strings(shape, [_bytes(one) for one in flat])
        if any(isinstance(one, bool) != (info.dtype == BOOL) for one in flat):
            raise Failed(f"expected {name} and received {_short(flat)}")
        try:
            data = array(code, flat)
        except (TypeError, OverflowError) as error:
            raise Failed(
                f"expected {name} and received {_short(flat)}: {error}"
            ) from error
        tensor = self._allocate(info.dtype, shape, len(data) * data.itemsize)
        ctypes.memmove(
            self.TensorData(tensor), data.tobytes(), len(flat) * data.itemsize
        )
        return tensor

    def _strings(self, shape, values: list[bytes]):
        tensor = self._allocate(STRING, shape, len(values) * STRING_SIZE)
        start = self.TensorData(tensor)
        for place, value in enumerate(values):
            at = start + place * STRING_SIZE
            self.StringInit(at)
            self.StringCopy(at, value, len(value))
        return tensor

    def _allocate(self, dtype: int, shape, size: int):
        dims = (ctypes.c_int64 * len(shape))(*shape)
        return self.AllocateTensor(dtype, dims, len(shape), size)

    def parsed(self, proto: bytes):
        """A tensor of a serialised TensorProto."""
        data = ctypes.create_string_buffer(proto, len(proto))
        tensor = self._allocate(1, [], 4)
        buffer = Buffer(ctypes.addressof(data), len(proto), None)
        self.checked("TensorFromProto", buffer, tensor)
        return tensor

    def value(self, tensor):
        """A tensor as nested lists."""
        dtype = self.TensorType(tensor)
        _, code = _dtype(dtype)
        shape = [self.Dim(tensor, axis) for axis in range(self.NumDims(tensor))]
        start, size = self.TensorData(tensor), self.TensorByteSize(tensor)
        if dtype == STRING:
            places = range(start or 0, (start or 0) + size, STRING_SIZE)
            return _nested([self._string(at) for at in places], shape)
        data = array(code, ctypes.string_at(start, size) if size else b"").tolist()
        return _nested([bool(one) for one in data] if dtype == BOOL else data, shape)

    def _string(self, at: int):
        size = self.StringGetSize(at)
        value = ctypes.string_at(self.StringGetDataPointer(at), size)
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"b64": base64.b64encode(value).decode()}


def _library(folder: str, pattern: str) -> str:
    found = sorted(glob.glob(os.path.join(glob.escape(folder), pattern)))
    if not found:
        raise Failed(f"{folder} holds no TensorFlow: there is no {pattern} in it.")
    return found[0]


def _dtype(number: int) -> tuple:
    if number not in DTYPES:
        raise Failed(f"a dtype that is not read here: number {number}")
    return DTYPES[number]


def _short(flat: list) -> str:
    return repr(flat[:3])[:80]


def _bytes(value) -> bytes:
    if isinstance(value, dict) and set(value) == {"b64"}:
        try:
            return base64.b64decode(value["b64"], validate=True)
        except ValueError as error:
            raise Failed(f"no base64: {value!r:.80}") from error
    if not isinstance(value, str | bytes):
        raise Failed(f"expected a string and received {value!r:.80}")
    return value if isinstance(value, bytes) else value.encode()


def _flattened(value, expected: list[int] | None) -> tuple[list[int], list]:
    """The shape of nested lists, and their values in a row.

    Lists that are empty do not tell their further axes: the signature does.
    """
    shape, flat = [], [value]
    while flat and isinstance(flat[0], list):
        shape.append(len(flat[0]))
        if any(not isinstance(one, list) or len(one) != shape[-1] for one in flat):
            raise Failed("its lists differ in length")
        flat = list(itertools.chain.from_iterable(flat))
    if any(isinstance(one, list) for one in flat):
        raise Failed("its lists differ in depth")
    if expected is None:
        return shape, flat
    if not flat:
        shape += [max(0, size) for size in expected[len(shape) :]]
    if len(shape) != len(expected) or any(
        size not in (-1, found) for size, found in zip(expected, shape, strict=True)
    ):
        raise Failed(f"expected shape {expected}, -1 any, and received {shape}")
    return shape, flat


def _nested(flat: list, shape: list[int]):
    if len(shape) < 2:
        return flat if shape else flat[0]
    size = len(flat) // shape[0] if shape[0] else 0
    rows = (flat[row * size : (row + 1) * size] for row in range(shape[0]))
    return [_nested(row, shape[1:]) for row in rows]

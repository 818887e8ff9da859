"""Tensors of torch's own files (.pth, .pt, .bin), read without torch.

Such a file is a pickle, which may name any function to be called. Here it may name only
what tensors are made of; anything else is refused before it is imported or called.
"""

import collections
import dataclasses
import io
import math
import pickle
import re
import struct
import zipfile
from pathlib import Path

import numpy as np

_STORAGE = re.compile(r"torch(\.cuda)?\.(\w+)Storage")
_DTYPES = {
    "Double": "f8",
    "Float": "f4",
    "Half": "f2",
    # The upper half of a float32, which NumPy does not know.
    "BFloat16": "u2",
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
}
# What the files of torch before 1.6 begin with, each a pickle of its own.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Opaque:
    """What stands for an object that is not rebuilt: only what it was made of.

    Attributes:
        state: its attributes, if they are a dictionary.
    """

    def __init__(self, *_):
        self.state = {}

    def __setstate__(self, state):
        self.state = state if isinstance(state, dict) else {}


def read_torch_pickle(path):
    """What lies in a file of `torch.save`.

    Args:
        path: the file.

    Returns:
        Dictionaries, lists and tuples as they were saved, of arrays for tensors, those
        of floats in float32. An `argparse.Namespace` becomes an `Opaque`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, or names something else to be imported.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No such weights file: {path}.")
    read = _read_zip if zipfile.is_zipfile(path) else _read_legacy
    try:
        content, storages = read(path)
        return _resolved(content, storages)
    except _Refused as error:
        raise ValueError(f"{path} is refused: {error}") from None
    except Exception as error:
        # A damaged pickle can fail in any way.
        raise ValueError(
            f"{path} is damaged, was not copied whole, or is no file of torch.save "
            f"({type(error).__name__}: {error}). Get it again."
        ) from error


class _Refused(Exception):
    """The file asks for what is not done here."""


@dataclasses.dataclass(frozen=True)
class _Storage:
    key: str
    kind: str
    size: int


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A tensor before its numbers are read: a part of a storage."""

    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple


def _tensor(storage, offset, shape, strides, *_):
    if not isinstance(storage, _Storage):
        raise _Refused("a tensor has no storage.")
    return _Tensor(storage, int(offset), tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Knows the few names that tensors are made of, and no others."""

    def find_class(self, module, name):
        full = f"{module}.{name}"
        storage = _STORAGE.fullmatch(full)
        if storage and storage[2] in _DTYPES:
            return storage[2]
        # Made anew for each file: a pickle may set attributes of what it names.
        admitted = {
            "collections.OrderedDict": collections.OrderedDict,
            "torch.Size": tuple,
            "torch._utils._rebuild_tensor_v2": lambda *given: _tensor(*given),
            "torch._utils._rebuild_parameter": lambda data, *_: data,
            "argparse.Namespace": type("Namespace", (Opaque,), {}),
        }
        if full not in admitted:
            raise _Refused(
                f"it names {full!r} to be imported, and pickles may run code. Only "
                "tensors, numbers and plain containers are read here. If you trust its "
                "source, load it with torch, and save the model's weights alone."
            )
        return admitted[full]

    def persistent_load(self, identity):
        tag, kind, key, _, size, *view = identity
        if tag != "storage" or kind not in _DTYPES or any(view):
            raise _Refused(f"it has something else than a storage: {tag!r}.")
        return _Storage(str(key), kind, int(size))


def _read_zip(path):
    """Of torch from 1.6 on: an archive of a pickle and a file for each storage."""
    storages = {}
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise _Refused("it is a zip file, but not one of torch.save.")
        root = pickles[0].removesuffix("data.pkl")
        order = "<"
        if f"{root}byteorder" in archive.namelist():
            said = _member(archive, f"{root}byteorder", most=len(b"little"))
            order = ">" if said == b"big" else "<"
        content = _Unpickler(io.BytesIO(_member(archive, pickles[0]))).load()
        for storage in {found.storage for found in _tensors(content)}:
            octets = _member(archive, f"{root}data/{storage.key}")
            storages[storage] = _numbers(storage, octets, order)
    return content, storages


def _member(archive, name, most=math.inf):
    """torch compresses nothing: what is small stays small."""
    about = archive.getinfo(name)
    if about.compress_type != zipfile.ZIP_STORED:
        raise _Refused("it is compressed, which no file of torch.save is.")
    if about.file_size > most:
        raise _Refused(f"its {name} has {about.file_size} bytes, and {most} at most.")
    return archive.read(name)


def _read_legacy(path):
    """Of torch before 1.6: pickles one after another, then the storages."""
    with open(path, "rb") as file:
        if _Unpickler(file).load() != _MAGIC or _Unpickler(file).load() != _PROTOCOL:
            raise _Refused("it is not a file of torch.save.")
        system = _Unpickler(file).load()
        order = "<" if system["little_endian"] else ">"
        content = _Unpickler(file).load()
        known = {found.storage.key: found.storage for found in _tensors(content)}
        storages = {}
        for key in _Unpickler(file).load():
            # Every storage is named by some tensor, or was saved for nothing.
            storage = known[key]
            (size,) = struct.unpack(f"{order}q", file.read(8))
            width = np.dtype(_DTYPES[storage.kind]).itemsize
            storages[storage] = _numbers(storage, file.read(size * width), order)
    return content, storages


def _numbers(storage, octets, order):
    """A storage's numbers, those of halves in float32."""
    dtype = np.dtype(_DTYPES[storage.kind]).newbyteorder(order)
    numbers = np.frombuffer(octets, dtype)
    if len(numbers) != storage.size:
        raise EOFError(f"{len(numbers)} numbers of {storage.size}")
    if storage.kind == "BFloat16":
        return (numbers.astype("uint32") << 16).view("float32")
    return numbers.astype("float32" if dtype.kind == "f" else dtype.newbyteorder("="))


def _tensors(content, seen=None):
    """Every tensor in nested containers, each of which is looked into once.

    A pickle may name one container in many places: a few that hold the next one twice
    each would be walked through more often than any time allows.
    """
    seen = set() if seen is None else seen
    if not isinstance(content, _Tensor | dict | list | tuple) or id(content) in seen:
        return
    seen.add(id(content))
    if isinstance(content, _Tensor):
        yield content
        return
    for value in content.values() if isinstance(content, dict) else content:
        yield from _tensors(value, seen)


def _resolved(content, storages, known=None):
    """The containers, with arrays for tensors; what was one object stays one."""
    known = {} if known is None else known
    if id(content) in known:
        return known[id(content)]
    if isinstance(content, _Tensor):
        found = _array(content, storages[content.storage])
    elif isinstance(content, dict):
        items = content.items()
        found = {key: _resolved(value, storages, known) for key, value in items}
    elif isinstance(content, list | tuple):
        found = type(content)(_resolved(value, storages, known) for value in content)
    else:
        return content
    known[id(content)] = found
    return found


def _array(tensor, numbers):
    """Part of a storage, after a look whether it lies within."""
    if not all(tensor.shape):
        return np.zeros(tensor.shape, numbers.dtype)
    last = tensor.offset + sum(
        (size - 1) * stride
        for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    sane = min((tensor.offset, *tensor.strides)) >= 0 and min((1, *tensor.shape)) > 0
    # As large as its storage at most: one number repeated could fill any memory.
    if not sane or last >= len(numbers) or math.prod(tensor.shape) > len(numbers):
        raise ValueError(f"a tensor of {tensor.shape} in {len(numbers)} numbers")
    return np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :],
        tensor.shape,
        [stride * numbers.itemsize for stride in tensor.strides],
        writeable=False,
    ).copy()

"""Marian's binary files of weights: numbers and their names, never code."""
# The layout, all little endian: the version and the number of items; for each item the
# lengths of name, shape and numbers, and a type; then all names, all shapes, padding,
# and all numbers. "intgemm8" items are the matrices of intgemm's products: transposed,
# so that a row is what gives one output, and followed by the number that a weight was
# multiplied by before it was rounded. Tables of words (Wemb) are as they are. Matrices
# that were packed for one kind of processor have types of their own.

import math
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_VERSION = 1
# Eight bits of size, and classes: signed 1, float 4, intgemm 0x40.
_INT8, _FLOAT16, _FLOAT32, _INTGEMM8 = 0x0101, 0x0402, 0x0404, 0x4101
_FLOATS = {_FLOAT16: "<f2", _FLOAT32: "<f4"}
_CONFIG = "special:model.yml"
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_ZIP = (zipfile.BadZipFile, zlib.error)
# Weights hardly shrink; what shrinks more was made to fill the memory.
_RATIO = 32


@dataclass
class MarianWeights:
    """What a file of Marian's holds.

    Attributes:
        arrays: by Marian's names, in float32; matrices multiply from the right.
        config: the model's options, as YAML.
        steps: of each array that was in int8, how far two neighbouring numbers lie
            apart.
    """

    arrays: dict[str, np.ndarray]
    config: str
    steps: dict[str, float] = field(default_factory=dict)


def read_marian(path) -> MarianWeights:
    """Reads a model of Marian's: a .bin file, of floats or int8, or a .npz.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, cut short, of a type that is not known, or says
            nothing of its model.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No such weights file: {path}.")
    read = _read_npz if path.suffix == ".npz" else _read_bin
    try:
        found = read(path)
    except (struct.error, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from error
    for name, array in found.arrays.items():
        if not np.isfinite(array).all():
            raise _damaged(path, f"{name} holds numbers that are not finite")
    return found


def _read_npz(path) -> MarianWeights:
    try:
        _check_npz(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, EOFError, OSError, MemoryError, RuntimeError, *_ZIP) as error:
        raise _damaged(path, str(error)) from error
    if _CONFIG not in arrays:
        raise _damaged(path, f"it has no {_CONFIG}")
    config = arrays.pop(_CONFIG).tobytes().rstrip(b"\0").decode()
    return MarianWeights(
        {
            name: array.astype("float32")
            for name, array in arrays.items()
            if array.dtype.kind == "f"
        },
        config,
    )


def _check_npz(path) -> None:
    """Compares shapes with the file before memory is asked for: a header is short."""
    longest = _RATIO * path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > longest:
            raise ValueError(f"unpacked, it would be {_RATIO} times as large")
        for member in members:
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = _HEADERS.get(version)
                if read is None:
                    raise ValueError(f"{member.filename} is of the version {version}")
                shape, _, dtype = read(file)
            size = dtype.itemsize * math.prod(shape)
            if min(shape, default=1) < 0 or size > member.file_size:
                raise ValueError(
                    f"{member.filename} has {member.file_size} bytes for the shape "
                    f"{shape}"
                )


def _read_bin(path) -> MarianWeights:
    content = path.read_bytes()
    version, count = struct.unpack_from("<QQ", content)
    if version != _VERSION:
        raise _damaged(path, f"its version is {version}, not {_VERSION}")
    # Each item has a header of 32 bytes: a count that is nonsense asks for no memory.
    if count > len(content) // 32:
        raise _damaged(path, f"it is too short for {count} items")
    at = 16
    headers = [struct.unpack_from("<QQQQ", content, at + 32 * n) for n in range(count)]
    at += 32 * count
    names, shapes = [], []
    for length, *_ in headers:
        names.append(content[at : at + length].rstrip(b"\0").decode())
        at += length
    for _, _, rank, _ in headers:
        shapes.append(struct.unpack_from(f"<{_bounded(rank, path)}i", content, at))
        at += 4 * rank
    (padding,) = struct.unpack_from("<Q", content, at)
    at += 8 + padding
    if at + sum(header[3] for header in headers) != len(content):
        raise _damaged(path, "its length is not that of its items")
    if len(set(names)) != len(names):
        raise _damaged(path, "two items have one name")
    found = MarianWeights({}, "")
    for name, shape, (_, kind, _, length) in zip(names, shapes, headers, strict=True):
        _take(found, name, kind, shape, content[at : at + length], path)
        at += length
    if not found.config:
        raise _damaged(path, f"it has no {_CONFIG}")
    return found


def _take(found: MarianWeights, name, kind, shape, content: bytes, path) -> None:
    """Adds an item to what was found."""
    if name == _CONFIG:
        found.config = content.rstrip(b"\0").decode()
        return
    if min(shape, default=0) < 1:
        raise _damaged(path, f"{name} has the shape {shape}")
    size = int(np.prod(shape, dtype=object))
    each = 1 if kind == _INTGEMM8 else np.dtype(_FLOATS.get(kind, "i1")).itemsize
    if kind not in (*_FLOATS, _INTGEMM8):
        raise ValueError(
            f"{name} in {path} has the type {kind:#x}. Numbers in float32, float16 and "
            "intgemm8 are read here; convert packed matrices anew from the model.npz "
            "that they were made of, with marian-conv -g intgemm8."
        )
    if size * each + 4 * (kind == _INTGEMM8) > len(content):
        raise _damaged(path, f"{name} has {len(content)} bytes for the shape {shape}")
    if kind in _FLOATS:
        numbers = np.frombuffer(content, _FLOATS[kind], size)
        found.arrays[name] = numbers.reshape(shape).astype("float32")
        return
    (factor,) = struct.unpack_from("<f", content, size)
    if not 0 < factor < float("inf"):
        raise _damaged(path, f"{name} was multiplied by {factor}")
    numbers = np.frombuffer(content, "int8", size).astype("float32") / np.float32(
        factor
    )
    is_table = name.endswith("Wemb")
    found.arrays[name] = (
        numbers.reshape(shape)
        if is_table
        else np.ascontiguousarray(numbers.reshape(shape[::-1]).T)
    )
    found.steps[name] = 1.0 / factor


def _bounded(rank: int, path) -> int:
    if rank > 8:
        raise _damaged(path, f"an item has {rank} axes")
    return rank


def _damaged(path, what: str) -> ValueError:
    return ValueError(
        f"{path} is no whole file of Marian's weights: {what}. Get it again; "
        "downloads that end in .gz are to be unpacked first."
    )

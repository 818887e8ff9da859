"""Files of torch.save, written without torch, opcode by opcode."""

import io
import pickle
import struct
import zipfile
from typing import NamedTuple

import numpy as np

KINDS = {"float32": "Float", "float16": "Half", "int64": "Long", "bool": "Bool"}


class Call(NamedTuple):
    """What a file asks to be imported and called."""

    module: str
    name: str
    arguments: tuple = ()
    # Attributes of what is made.
    state: dict | None = None


class Opcodes(NamedTuple):
    """Part of a pickle as it stands."""

    octets: bytes


class Storage(NamedTuple):
    kind: str
    key: str
    size: int


def tensor(storage, offset, shape, strides):
    return Call(
        "torch._utils",
        "_rebuild_tensor_v2",
        (storage, offset, tuple(shape), tuple(strides), False, Call(*_ORDERED)),
    )


_ORDERED = ("collections", "OrderedDict")


class Pickled:
    """A pickle of some content, and the storages of its arrays."""

    def __init__(self, content, legacy=False):
        self.storages = {}
        self.legacy = legacy
        self.octets = b"\x80\x02" + self._opcodes(content) + b"."

    def _opcodes(self, value) -> bytes:
        if isinstance(value, Call):
            return self._call(value)
        if isinstance(value, Storage):
            kind = f"ctorch\n{value.kind}Storage\n".encode()
            parts = [
                self._opcodes("storage"), kind, self._opcodes(value.key),
                self._opcodes("cpu"), self._opcodes(value.size),
            ]  # fmt: skip
            if self.legacy:
                parts.append(b"N")
            return b"(" + b"".join(parts) + b"tQ"
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, Opcodes):
            return value.octets
        if isinstance(value, dict):
            items = (self._opcodes(x) for pair in value.items() for x in pair)
            return b"}(" + b"".join(items) + b"u"
        if isinstance(value, tuple | list):
            start, end = (b"(", b"t") if isinstance(value, tuple) else (b"](", b"e")
            return start + b"".join(map(self._opcodes, value)) + end
        # Strings and numbers, without the protocol's number and the stop.
        return pickle.dumps(value, protocol=2)[2:-1]

    def _call(self, call):
        made = f"c{call.module}\n{call.name}\n".encode()
        made += self._opcodes(call.arguments) + b"R"
        return made if call.state is None else made + self._opcodes(call.state) + b"b"

    def _array(self, array):
        key = str(len(self.storages))
        self.storages[key] = array.tobytes()
        storage = Storage(KINDS[str(array.dtype)], key, array.size)
        strides = [stride // array.itemsize for stride in array.strides]
        return self._opcodes(tensor(storage, 0, array.shape, strides))


def write(path, content, storages=()):
    """As torch from 1.6 on."""
    pickled = Pickled(content)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled.octets)
        for key, octets in (pickled.storages | dict(storages)).items():
            archive.writestr(f"archive/data/{key}", octets)
    return path


def write_legacy(path, content):
    """As torch before 1.6."""
    pickled = Pickled(content, legacy=True)
    file = io.BytesIO()
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    for head in (0x1950A86A20F9469CFC6C, 1001, system):
        file.write(pickle.dumps(head, protocol=2))
    file.write(pickled.octets + pickle.dumps([*pickled.storages], protocol=2))
    for octets in pickled.storages.values():
        # All arrays of these tests are of four octets a number.
        file.write(struct.pack("<q", len(octets) // 4) + octets)
    path.write_bytes(file.getvalue())
    return path

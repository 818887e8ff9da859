"""Signatures and warm-up records, read by protobuf's wire format.

The standard library alone: see `c_api.py`, which needs it beside itself.
Numbers of fields: tensorflow/core/protobuf/meta_graph.proto and framework/*.proto;
tensorflow_serving/apis/prediction_log.proto, predict.proto, model.proto, input.proto.
"""

import struct
from dataclasses import dataclass, field

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
# Fields of a PredictionLog; each holds a request as its first.
_LOGS = {2: CLASSIFY, 3: REGRESS, 6: PREDICT}


@dataclass
class TensorInfo:
    """Name, number of the dtype, and shape: -1 if unknown, `None` of unknown rank."""

    name: str = ""
    dtype: int = 0
    shape: list[int] | None = None


@dataclass
class Signature:
    """Inputs and outputs by name, and which requests it answers."""

    inputs: dict[str, TensorInfo] = field(default_factory=dict)
    outputs: dict[str, TensorInfo] = field(default_factory=dict)
    method: str = ""


@dataclass
class LoggedRequest:
    """A request of a warm-up file.

    Attributes:
        method: `PREDICT`, `CLASSIFY` or `REGRESS`.
        signature: its name.
        tensors: inputs of a predict request by name, as serialised TensorProtos.
        examples: of the other requests, serialised.
    """

    method: str
    signature: str = "serving_default"
    tensors: dict[str, bytes] = field(default_factory=dict)
    examples: list[bytes] = field(default_factory=list)


def fields(message):
    """Pairs of a field's number and value: an int, or bytes as a memoryview.

    Raises:
        ValueError: no protobuf message.
    """
    message, at = memoryview(message), 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"no protobuf message: wire type {wire}")
        if at + size > len(message):
            raise ValueError("no whole protobuf message: it ends within a field")
        yield number, message[at : at + size]
        at += size


def _varint(message, at) -> tuple[int, int]:
    """A number, and where the next begins."""
    value = 0
    for place, byte in enumerate(message[at : at + 10]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise ValueError("no whole protobuf message: it ends within a number")


def _text(value) -> str:
    return bytes(value).decode()


def read_signatures(meta_graph) -> dict[str, Signature]:
    """The signatures of a serialised MetaGraphDef, by name."""
    found = {}
    for number, entry in fields(meta_graph):
        if number == 5:
            name, message = _entry(entry)
            found[name] = _signature(message)
    return found


def _signature(message) -> Signature:
    signature = Signature()
    for number, value in fields(message):
        if number == 3:
            signature.method = _text(value)
        elif number in (1, 2):
            name, info = _entry(value)
            side = signature.inputs if number == 1 else signature.outputs
            side[name] = _tensor_info(info)
    return signature


def _entry(message) -> tuple[str, memoryview]:
    """Key and value of a map's entry; protobuf leaves out what is empty."""
    entry = dict(fields(message))
    return _text(entry.get(1, b"")), entry.get(2, memoryview(b""))


def _tensor_info(message) -> TensorInfo:
    info = TensorInfo(shape=[])
    for number, value in fields(message):
        if number == 1:
            info.name = _text(value)
        elif number == 2:
            info.dtype = value
        elif number == 3:
            info.shape = _shape(value)
    return info


def _shape(message) -> list[int] | None:
    shape = []
    for number, value in fields(message):
        if number == 3 and value:
            return None
        if number == 2:
            size = dict(fields(value)).get(1, 0)
            shape.append(size - (1 << 64) if size >> 63 else size)
    return shape


def read_request(record) -> LoggedRequest:
    """The request in a serialised PredictionLog.

    Raises:
        ValueError: none, or of a kind that is not read here.
    """
    for number, log in fields(record):
        if number in _LOGS:
            request = LoggedRequest(_LOGS[number])
            for place, message in fields(dict(fields(log)).get(1, b"")):
                _read_into(request, place, message)
            return request
    raise ValueError("no request of predict, classify or regress in it")


def _read_into(request, number, message) -> None:
    if number == 1:
        name = dict(fields(message)).get(3)
        request.signature = _text(name) if name else request.signature
    elif number == 2 and request.method == PREDICT:
        name, tensor = _entry(message)
        request.tensors[name] = bytes(tensor)
    elif number == 2:
        examples = dict(fields(message)).get(1)
        if examples is None:
            raise ValueError("its examples are not an ExampleList")
        request.examples = [bytes(one) for n, one in fields(examples) if n == 1]


def read_records(content: bytes) -> list[bytes]:
    """The records of a TFRecord file: length, its checksum, data, their checksum.

    Raises:
        ValueError: damaged, or cut off; the message says at which record.
    """
    records, at = [], 0
    while at < len(content):
        head = content[at : at + 12]
        (size,) = struct.unpack("<Q", head[:8].ljust(8, b"\0"))
        whole = content[at : at + size + 16]
        if len(whole) < 16 or len(whole) < size + 16:
            raise ValueError(f"record {len(records)} is cut off")
        data = whole[12:-4]
        if _masked_crc(head[:8]) != head[8:] or _masked_crc(data) != whole[-4:]:
            raise ValueError(f"record {len(records)} has a wrong checksum")
        records.append(data)
        at += size + 16
    return records


def _crc_table() -> list[int]:
    """Of CRC-32C: the Castagnoli polynomial, reflected."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _crc_table()


def _masked_crc(data: bytes) -> bytes:
    """tensorflow/tsl: lib/hash/crc32c.h, `Mask`."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

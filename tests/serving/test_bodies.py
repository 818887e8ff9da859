import asyncio
import gzip
import time
import zlib

import pytest

from zoo.serving.bodies import BodyRefused, read_body, unpacked

GZIP = {"content-encoding": "gzip"}


def _read(*chunks, most_bytes=10, **headers):
    async def stream():
        for chunk in chunks:
            yield chunk

    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(read_body(names, stream(), most_bytes))


def test_a_body_is_read_up_to_the_limit():
    assert _read(b"12345", b"", b"67890") == b"1234567890"


def test_a_longer_body_is_refused_by_its_length_or_when_it_is():
    async def endless():
        while True:
            yield b"1234567"

    with pytest.raises(BodyRefused, match="longer than 10 bytes") as refused:
        asyncio.run(read_body({}, endless(), 10))
    assert refused.value.http_status == 413
    with pytest.raises(BodyRefused, match="longer than 10 bytes"):
        _read(content_length="11")
    assert _read(b"1", content_length="x") == b"1"


@pytest.mark.parametrize("coding", ["gzip", " GZIP ", "x-gzip"])
def test_gzip_is_unpacked(coding):
    packed = gzip.compress(b"12345", mtime=0) + gzip.compress(b"67")
    assert unpacked(packed, {"content-encoding": coding}, 7) == b"1234567"


def test_what_is_not_packed_stays():
    assert unpacked(b"1", {}, 3) == unpacked(b"1", {"content-encoding": "identity"}, 3)


def test_a_bomb_is_not_unpacked_beyond_the_limit(monkeypatch):
    unpacked_at_once = []

    class Counting:
        def __init__(self, *arguments):
            self.stream = zlib._decompressobj(*arguments)

        def decompress(self, *arguments):
            data = self.stream.decompress(*arguments)
            unpacked_at_once.append(len(data))
            return data

    bomb = gzip.compress(bytes(10_000_000))
    assert len(bomb) < 11_000
    monkeypatch.setattr(zlib, "_decompressobj", zlib.decompressobj, raising=False)
    monkeypatch.setattr(zlib, "decompressobj", Counting)
    with pytest.raises(BodyRefused, match="longer than 11000 bytes") as refused:
        unpacked(bomb, GZIP, 11_000)
    assert refused.value.http_status == 413
    assert unpacked_at_once == [11_001]


def test_a_long_body_is_unpacked_slice_by_slice(random):
    content = random.bytes(150_001)
    packed = gzip.compress(content[:70_001], mtime=0) + gzip.compress(content[70_001:])
    assert unpacked(packed, GZIP, 150_001) == content
    with pytest.raises(BodyRefused, match="longer than 150000 bytes"):
        unpacked(packed, GZIP, 150_000)


def test_many_empty_members_are_refused_soon():
    """Each took a copy of all that follows: half an hour for 32 megabytes."""
    empty = gzip.compress(b"", mtime=0)
    assert unpacked(empty * 1000, GZIP, 10) == b""
    start = time.process_time()
    with pytest.raises(BodyRefused, match="over 1000 members") as refused:
        unpacked(empty * (8 << 20 >> 4), GZIP, 10)
    assert refused.value.http_status == 400
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "body",
    [b"12345", gzip.compress(b"1", mtime=0)[:-1], gzip.compress(b"1", mtime=0) + b"2"],
)
def test_a_damaged_body_is_refused(body):
    with pytest.raises(BodyRefused, match="not gzip") as refused:
        unpacked(body, GZIP, 100)
    assert refused.value.http_status == 400


def test_other_ways_to_pack_are_named():
    with pytest.raises(BodyRefused, match="br is not supported") as refused:
        unpacked(b"1", {"content-encoding": "br"}, 100)
    assert refused.value.http_status == 415

"""Bodies of HTTP requests, read up to a limit, packed or not."""

import zlib
from collections.abc import AsyncIterator, Mapping

# gzip's own header and checksum.
_GZIP = 16 + zlib.MAX_WBITS
_SLICE = 1 << 16
_MOST_MEMBERS = 1000


class BodyRefused(Exception):
    """A body that is not read to its end.

    Attributes:
        http_status: 400, 413 or 415.
        message: for the one who sent it.
    """

    def __init__(self, http_status: int, message: str):
        super().__init__(message)
        self.http_status = http_status
        self.message = message


async def read_body(
    headers: Mapping[str, str], chunks: AsyncIterator[bytes], most_bytes: int
) -> bytes:
    """A body as it was sent.

    Raises:
        BodyRefused: it is longer than `most_bytes`, or says so.
    """
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > most_bytes:
        raise _too_long(most_bytes)
    parts, total = [], 0
    async for chunk in chunks:
        total += len(chunk)
        if total > most_bytes:
            raise _too_long(most_bytes)
        parts.append(chunk)
    return b"".join(parts)


def unpacked(body: bytes, headers: Mapping[str, str], most_bytes: int) -> bytes:
    """A body without its compression; never more than `most_bytes` of it.

    Raises:
        BodyRefused: it is longer, damaged, or packed in another way than gzip.
    """
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in ("gzip", "x-gzip"):
        raise BodyRefused(415, f"Content-Encoding {coding} is not supported, gzip is.")
    return _inflated(body, most_bytes)


def _inflated(body: bytes, most_bytes: int) -> bytes:
    """One member of gzip after the other, slice by slice.

    What follows the end of a member is copied, so a slice bounds what each costs, and
    their number is bounded too: 20 bytes make one that is empty.
    """
    parts, total, members, place = [], 0, 0, 0
    stream = None
    while place < len(body):
        if stream is None:
            members += 1
            stream = zlib.decompressobj(_GZIP)
        if members > _MOST_MEMBERS:
            raise BodyRefused(400, f"The body is gzip of over {_MOST_MEMBERS} members.")
        piece = body[place : place + _SLICE]
        try:
            parts.append(stream.decompress(piece, most_bytes - total + 1))
        except zlib.error as error:
            raise BodyRefused(400, f"The body is not gzip: {error}") from None
        total += len(parts[-1])
        if total > most_bytes:
            raise _too_long(most_bytes)
        place += len(piece) - len(stream.unused_data)
        stream = None if stream.eof else stream
    if stream is not None:
        raise BodyRefused(400, "The body is not gzip: it ends too early.")
    return b"".join(parts)


def _too_long(most_bytes: int) -> BodyRefused:
    return BodyRefused(
        413,
        f"The body is longer than {most_bytes} bytes, the limit of this server.",
    )

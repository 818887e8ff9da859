"""Images, as a client takes them."""

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

# Of one request: in base64 a third more, and servers take 32 MB.
_MOST_BYTES = 20_000_000


def image_batches(images: Sequence, size: int) -> Iterator[list[tuple[bytes, str]]]:
    """Images as `read_image` reads them, as many at once as one request may hold.

    Args:
        images: paths, or files' bytes.
        size: how many at most; fewer where they are large.
    """
    batch, total = [], 0
    for image in images:
        file = read_image(image)
        total += len(file[0])
        if batch and (len(batch) == size or total > _MOST_BYTES):
            yield batch
            batch, total = [], len(file[0])
        batch.append(file)
    if batch:
        yield batch


def read_image(image) -> tuple[bytes, str]:
    """An image's bytes, and its name for messages.

    Args:
        image: a path, or a file's bytes.

    Raises:
        TypeError: something else.
        FileNotFoundError: no such file.
        IsADirectoryError: a folder.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image), "The image"
    if not isinstance(image, str | PathLike):
        raise TypeError(
            "An image is the path of a file or the bytes of one. Received: "
            f"{type(image).__name__}."
        )
    path = Path(image)
    if not path.exists():
        raise FileNotFoundError(f"There is no image {str(path)!r}.")
    if path.is_dir():
        raise IsADirectoryError(
            f"{str(path)!r} is a folder; expected the path of one image."
        )
    return path.read_bytes(), str(path)

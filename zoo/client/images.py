"""Images, as a client takes them."""

from os import PathLike
from pathlib import Path


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

"""What a server found in images, and where it looked."""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Detection:
    """An object found in an image.

    Attributes:
        label: its name.
        score: in [0, 1].
        box: x_min, y_min, x_max, y_max in pixels of the image as looked at, its EXIF
            rotation applied.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Look:
    """What was found in an image, and where the model looked for it.

    Attributes:
        pixels: the image as looked at, uint8, shape (height, width, 3).
        found: the objects, the best first.
        attention: where each object's query looked, shape (objects, rows, columns): the
            cells of the finest feature map, inside of the image.
        cells: rows and columns of these that the image covers, the last in part.
        self_attention: where each cell of the encoder's map looked, shape (rows,
            columns, rows, columns), inside of the image.
        self_cells: rows and columns of these.
    """

    pixels: np.ndarray
    found: list[Detection]
    attention: np.ndarray
    cells: tuple[float, float]
    self_attention: np.ndarray
    self_cells: tuple[float, float]

    def plot(self, path, points=()) -> Path:
        """Draws where each object's query looked, or the cells at some points.

        Args:
            path: a .png, .svg or .pdf file.
            points: (x, y) in pixels; if given, the encoder's self-attention at these is
                drawn in place of the queries'.

        Raises:
            ValueError: a point outside of the image, or another kind of file.
        """
        from zoo.pictures import draw_point_attention, draw_query_attention

        if len(points):
            maps = np.array([self._at(*point) for point in points])
            return draw_point_attention(
                self.pixels, points, maps, path, self.self_cells
            )
        return draw_query_attention(
            self.pixels,
            [one.box for one in self.found],
            [one.label for one in self.found],
            [one.score for one in self.found],
            self.attention,
            path,
            self.cells,
        )

    def draw(self, path) -> Path:
        """Draws the boxes; see `zoo.pictures.draw_detections`."""
        from zoo.pictures import draw_detections

        boxes = [one.box for one in self.found]
        labels = [one.label for one in self.found]
        scores = [one.score for one in self.found]
        return draw_detections(self.pixels, boxes, labels, scores, path)

    def _at(self, x, y) -> np.ndarray:
        """Where the cell at a point looked, shape (rows, columns)."""
        height, width = self.pixels.shape[:2]
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f"The image is {width} pixels wide and {height} high. Received a point "
                f"outside: ({x}, {y})."
            )
        rows, columns = self.self_cells
        return self.self_attention[int(y / height * rows), int(x / width * columns)]


def detections_of(answer: Mapping, row: int, name: str) -> list[Detection]:
    """What was found in one image, the best first.

    Args:
        answer: outputs by name, of some images.
        row: which of them.
        name: of the image, for messages.

    Raises:
        ValueError: the server could not read the image.
    """
    if answer["status"][row] != "ok":
        raise ValueError(
            f"{name} cannot be read: {answer['status'][row]}. Expected a JPEG, PNG, "
            "GIF or BMP file."
        )
    count = int(answer["count"][row])
    rows = zip(
        answer["labels"][row][:count],
        answer["scores"][row][:count],
        answer["boxes"][row][:count],
        strict=True,
    )
    return [
        Detection(label, float(score), tuple(float(side) for side in box))
        for label, score, box in rows
    ]


def look_of(answer: Mapping, file: bytes, name: str) -> Look:
    """What was found in an image, and where the model looked.

    Args:
        answer: to `with_attention`, of this image alone.
        file: the image's bytes.
        name: of the image, for messages.

    Raises:
        ValueError: the image could not be read.
    """
    found = detections_of(answer, 0, name)
    cells, self_cells = (
        tuple(float(side) for side in answer[key][0])
        for key in ("attention_cells", "self_attention_cells")
    )
    rows, columns = map(math.ceil, cells)
    down, across = map(math.ceil, self_cells)
    return Look(
        _pixels(file),
        found,
        answer["attention"][0, : len(found), :rows, :columns],
        cells,
        answer["self_attention"][0, :down, :across, :down, :across],
        self_cells,
    )


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


def _pixels(file: bytes) -> np.ndarray:
    """An image as it is to be looked at, uint8, shape (height, width, 3)."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(file)) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            # Pillow would cut off what is above 255; a model sees the upper bits.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return np.asarray(image.convert("RGB"))

"""Where a detector looked, with the image it looked at."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.answers.detections import Detections, detections_of


@dataclass(frozen=True, eq=False)
class DetectionAttention:
    """What was found in an image, and where the model looked for it.

    Attributes:
        pixels: the image as looked at, uint8, shape (height, width, 3).
        found: the objects, the best first.
        attention: where each object's query looked, shape (objects, rows, columns): the
            cells of the finest feature map, inside of the image.
        self_attention: where each cell of the encoder's map looked, shape (rows,
            columns, rows, columns), inside of the image.
        cells: rows and columns of the first that the image covers, the last in part.
        self_cells: likewise of the second.
    """

    pixels: np.ndarray
    found: Detections
    attention: np.ndarray
    self_attention: np.ndarray
    cells: tuple[float, float]
    self_cells: tuple[float, float]

    @classmethod
    def of(cls, answer: dict, file: bytes, name: str) -> "DetectionAttention":
        """From one image's answer to `with_attention`, as arrays.

        Args:
            answer: a row of each output.
            file: the image's bytes.
            name: of the image, for messages.

        Raises:
            ValueError: the image could not be read.
        """
        found = detections_of(answer, name)
        cells, self_cells = (
            tuple(float(side) for side in answer[name])
            for name in ("attention_cells", "self_attention_cells")
        )
        rows, columns = map(math.ceil, cells)
        down, across = map(math.ceil, self_cells)
        return cls(
            pixels_of(file),
            found,
            np.asarray(answer["attention"])[: len(found.labels), :rows, :columns],
            np.asarray(answer["self_attention"])[:down, :across, :down, :across],
            cells,
            self_cells,
        )

    def draw(self, path) -> Path:
        """Draws the boxes; see `zoo.pictures.draw_detections`."""
        from zoo.pictures import draw_detections

        found = self.found
        return draw_detections(
            self.pixels, found.boxes, found.labels, found.scores, path
        )

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

        if not len(points):
            found = self.found
            return draw_query_attention(
                self.pixels,
                found.boxes,
                found.labels,
                found.scores,
                self.attention,
                path,
                self.cells,
            )
        maps = np.array([self._at(*point) for point in points])
        return draw_point_attention(self.pixels, points, maps, path, self.self_cells)

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


def pixels_of(file: bytes) -> np.ndarray:
    """An image as it is to be looked at, uint8, shape (height, width, 3)."""
    import io

    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(file)) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            # Pillow would cut off what is above 255; a model sees the upper bits.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        return np.asarray(image.convert("RGB"))

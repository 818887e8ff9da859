"""What was found in one image."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found in one image.

    Attributes:
        boxes: x_min, y_min, x_max, y_max in pixels of the image as looked at, shape
            (objects, 4), the best first.
        scores: shape (objects,).
        labels: names, as many.
        size: width and height of the image as looked at.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: tuple[str, ...]
    size: tuple[int, int]

    @property
    def plain(self) -> list[dict]:
        """Dictionaries of `label`, `score` and `box`, the best first."""
        rows = zip(self.labels, self.scores, self.boxes, strict=True)
        return [
            {
                "label": label,
                "score": round(float(score), 4),
                "box": [round(float(side), 1) for side in box],
            }
            for label, score, box in rows
        ]


def detections_of(answer: dict, name: str) -> Detections:
    """One image's answer without what fills it up.

    Raises:
        ValueError: the image could not be read.
    """
    # Strings of TensorFlow are bytes, those of JSON are not.
    status = _text(answer["status"])
    if status != "ok":
        raise ValueError(
            f"{name} cannot be read: {status}. Expected a JPEG, PNG, GIF or BMP file "
            "of at most 50 million pixels."
        )
    count = int(answer["count"])
    height, width = (int(side) for side in answer["sizes"])
    return Detections(
        np.asarray(answer["boxes"], np.float32).reshape(-1, 4)[:count],
        np.asarray(answer["scores"], np.float32)[:count],
        tuple(_text(label) for label in answer["labels"][:count]),
        (width, height),
    )


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else value

"""Images changed at random while training, their boxes with them."""
# After Carion et al. (2020, section A.4): flips, random crops, many sizes. Departures:
# - all images of a batch are resized by one factor, so that there is little padding.
# - a box that a crop cuts stays if half of it does; the paper keeps whatever is left.
# - brightness and contrast change, too: small sets are of one light.

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from zoo.ops.boxes import from_corners, to_corners

FLIPS = ("none", "horizontal", "turns", "all")
# Share of a box that must be inside of a crop for it to be an object still.
_KEPT = 0.5


class Sample(NamedTuple):
    """An image and its objects.

    Attributes:
        pixels: uint8, shape (height, width, 3).
        boxes: as `zoo.ops.boxes` says, shape (objects, 4).
        labels: rows of classes, shape (objects,).
    """

    pixels: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Augmentation:
    """How images are changed.

    Attributes:
        flips: "none", "horizontal"; "turns" for images that have no up and down, which
            are turned by multiples of 90 degrees; "all" for those that have no left and
            right either, as letters have.
        least_scale: factor on both sides at least.
        most_scale: factor at most.
        crop_rate: share of images of which only a part is used.
        least_crop: length of a part at least, relative to its image.
        light: how far brightness and contrast change: 0.2 is 20 percent.

    Raises:
        ValueError: a value out of range.
    """

    flips: str = "horizontal"
    least_scale: float = 0.75
    most_scale: float = 1.0
    crop_rate: float = 0.5
    least_crop: float = 0.6
    light: float = 0.2

    def __post_init__(self):
        if self.flips not in FLIPS:
            raise ValueError(
                f"flips must be one of {FLIPS}. Received: flips={self.flips!r}."
            )
        shares = (self.crop_rate, self.least_crop, self.light)
        if not 0 < self.least_scale <= self.most_scale or not all(
            0 <= share <= 1 for share in shares
        ):
            raise ValueError(
                "least_scale must be above 0 and at most most_scale; crop_rate, "
                f"least_crop and light are in [0, 1]. Received: {self}."
            )

    def as_dict(self) -> dict:
        return dataclasses.asdict(self)

    @property
    def mean_area(self) -> float:
        """Of a changed image relative to the image, about."""
        scale = (self.least_scale + self.most_scale) / 2
        # Crops are scaled to the size of whole images.
        return scale**2

    def largest(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that no changed image of at most this size is beyond."""
        height, width = (round(side * self.most_scale) for side in (height, width))
        if self.flips in ("turns", "all"):
            height = width = max(height, width)
        return height, width

    def batch(self, samples: list[Sample], random) -> list[Sample]:
        """Changes the images of a batch.

        Args:
            samples: images with their objects.
            random: a NumPy generator.
        """
        scale = random.uniform(self.least_scale, self.most_scale)
        # Of a whole batch, whose images then have one shape.
        turns = self.flips in ("turns", "all") and random.random() < 0.5
        return [self._change(sample, scale, turns, random) for sample in samples]

    def _change(self, sample, scale, turns, random) -> Sample:
        size = [round(side * scale) for side in sample.pixels.shape[:2]]
        if random.random() < self.crop_rate:
            sample = cropped(sample, *self._part(random))
        sample = resized(sample, *(max(1, side) for side in size))
        across = self.flips != "none" and random.random() < 0.5
        down = self.flips == "all" and random.random() < 0.5
        if self.flips == "turns":
            # Two flips are half a turn; a flip and a transposition are a quarter.
            down = across != turns
        if across:
            sample = flipped(sample, axis=1)
        if down:
            sample = flipped(sample, axis=0)
        if turns:
            sample = transposed(sample)
        return self._lit(sample, random)

    def _part(self, random):
        """Where a crop begins and ends, relative to the image: of its own shape."""
        length = random.uniform(self.least_crop, 1.0)
        top, left = random.uniform(0, 1 - length, 2)
        return top, left, top + length, left + length

    def _lit(self, sample, random) -> Sample:
        contrast, brightness = random.uniform(-self.light, self.light, 2)
        pixels = sample.pixels.astype(np.float32)
        mean = pixels.mean()
        pixels = (pixels - mean) * (1 + contrast) + mean * (1 + brightness)
        return sample._replace(pixels=np.clip(np.round(pixels), 0, 255).astype("uint8"))


def flipped(sample: Sample, axis: int) -> Sample:
    """Left for right (axis 1), or up for down (axis 0)."""
    boxes = sample.boxes.copy()
    boxes[:, 1 - axis] = 1 - boxes[:, 1 - axis]
    return sample._replace(pixels=np.flip(sample.pixels, axis), boxes=boxes)


def transposed(sample: Sample) -> Sample:
    """Rows for columns: with flips, a turn by 90 degrees."""
    pixels = np.transpose(sample.pixels, (1, 0, 2))
    return sample._replace(pixels=pixels, boxes=sample.boxes[:, [1, 0, 3, 2]])


def resized(sample: Sample, height: int, width: int) -> Sample:
    """Bilinearly with antialiasing, as the graph does; boxes are relative anyway."""
    if sample.pixels.shape[:2] == (height, width):
        return sample
    image = Image.fromarray(np.ascontiguousarray(sample.pixels))
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return sample._replace(pixels=pixels)


def cropped(sample: Sample, top, left, bottom, right) -> Sample:
    """A part of an image, and the objects that are mostly in it.

    Args:
        sample: image and objects.
        top, left, bottom, right: where the part begins and ends, relative to the image;
            moved to whole pixels.
    """
    height, width = sample.pixels.shape[:2]
    top, bottom = round(top * height), max(round(bottom * height), 1)
    left, right = round(left * width), max(round(right * width), 1)
    top, left = min(top, bottom - 1), min(left, right - 1)
    whole = sample.boxes * (width, height, width, height)
    size = np.tile([right - left, bottom - top], 2)
    corners = np.clip(to_corners(whole) - (left, top, left, top), 0, size)
    parts = from_corners(corners)
    inside, areas = (boxes[:, 2:].prod(axis=1) for boxes in (parts, whole))
    stays = (inside > 0) & (inside >= _KEPT * areas)
    return Sample(
        sample.pixels[top:bottom, left:right],
        (parts / size)[stays].astype(np.float32),
        sample.labels[stays],
    )

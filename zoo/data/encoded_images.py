"""Images as arrays with what is to be found in them, and batches of them."""

import math
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from zoo.data.image_augmentation import Augmentation, Sample

# A batch's sides are multiples of this, so that a compiling backend compiles seldom.
CELL = 32


@dataclass(frozen=True)
class EncodedImages:
    """Resized images and their objects, end to end, in memory: some gigabytes for ten
    thousand images of 350 pixels.

    Attributes:
        pixels: uint8, all pixels, row after row, image after image, shape (pixels, 3).
        sizes: height and width of each image, shape (images, 2).
        boxes: as `zoo.ops.boxes` says, shape (objects, 4).
        labels: rows of classes, shape (objects,).
        ends: up to which object each image goes, shape (images,).
        augmentation: what training makes of them; `None` leaves them as they are.
    """

    pixels: np.ndarray
    sizes: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    ends: np.ndarray
    augmentation: Augmentation | None = None

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Sample:
        height, width = (int(side) for side in self.sizes[index])
        start = int(self._last_pixels[index]) - height * width
        objects = slice(self.ends[index - 1] if index else 0, self.ends[index])
        return Sample(
            self.pixels[start : start + height * width].reshape(height, width, 3),
            self.boxes[objects],
            self.labels[objects],
        )

    @cached_property
    def _last_pixels(self) -> np.ndarray:
        """Up to which pixel each image goes."""
        return np.cumsum(self.sizes.astype(np.int64).prod(axis=1))

    @classmethod
    def from_samples(cls, samples, augmentation=None) -> "EncodedImages":
        """From one `Sample` an image."""
        samples = list(samples)
        shapes = [sample.pixels.shape[:2] for sample in samples]
        counts = [len(sample.labels) for sample in samples]
        return cls(
            np.concatenate([sample.pixels.reshape(-1, 3) for sample in samples]),
            np.array(shapes, np.int32).reshape(-1, 2),
            np.concatenate([sample.boxes for sample in samples]).astype(np.float32),
            np.concatenate([sample.labels for sample in samples]).astype(np.int32),
            np.cumsum(counts, dtype=np.int64),
            augmentation,
        )

    def save(self, path) -> None:
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        if self.augmentation is not None:
            arrays |= {
                f"augmentation_{name}": np.array(value)
                for name, value in self.augmentation.as_dict().items()
            }
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path) -> "EncodedImages":
        prefix = "augmentation_"
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                options = {
                    name.removeprefix(prefix): arrays[name].item()
                    for name in arrays
                    if name.startswith(prefix)
                }
                augmentation = Augmentation(**options) if options else None
                return cls(*(arrays[name] for name in _ARRAYS), augmentation)
        except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
            raise ValueError(
                f"{Path(path)} is damaged ({error}). Prepare it again."
            ) from error


_ARRAYS = ("pixels", "sizes", "boxes", "labels", "ends")


class ImageBatches:
    """Batches of images with their targets, padded to the largest.

    The order and every change of an image are a pure function of `seed` and the step,
    so training can go on from any step.

    Args:
        images: what to batch.
        batch_tokens: most cells of 32 by 32 pixels in a batch, padding included; about
            so many on average where augmentation changes sizes.
        seed: of shuffling and changes; `None` keeps order and images as they are.
        most_objects: targets that every image has room for; by default those of the
            image with most.
        one_shape: pad all batches alike, to the largest that one may be. It changes
            no answer, for padding does not; a compiling backend compiles but once.
    """

    def __init__(
        self,
        images: EncodedImages,
        batch_tokens: int,
        seed: int | None,
        most_objects: int | None = None,
        one_shape: bool = False,
    ):
        self.images = images
        self.seed = seed
        counts = np.diff(images.ends, prepend=0)
        self.most_objects = most_objects or max(1, int(counts.max(initial=1)))
        cells = np.ceil(images.sizes / CELL).astype(int).max(axis=0).prod()
        if images.augmentation is not None and seed is not None:
            cells *= images.augmentation.mean_area
        self.batch_size = min(max(1, int(batch_tokens / cells)), len(images))
        self.steps_per_epoch = math.ceil(len(images) / self.batch_size)
        self.least_size = self._largest() if one_shape else (0, 0)

    def _largest(self) -> tuple[int, int]:
        """Height and width that no image of a batch is larger than."""
        height, width = (int(side) for side in self.images.sizes.max(axis=0))
        if self.images.augmentation is None or self.seed is None:
            return height, width
        return self.images.augmentation.largest(height, width)

    def stream(self, start_step: int = 0) -> Iterator[tuple]:
        """Endless batches from a step on: epoch after epoch, each shuffled anew."""
        while True:
            epoch, offset = divmod(start_step, self.steps_per_epoch)
            for members in self._plan(epoch)[offset:]:
                yield self._batch(members, start_step)
                start_step += 1

    def once(self) -> Iterator[tuple]:
        """Every image once."""
        for step, members in enumerate(self._plan(0)):
            yield self._batch(members, step)

    def _plan(self, epoch: int) -> list[np.ndarray]:
        order = np.arange(len(self.images))
        if self.seed is not None:
            np.random.default_rng([self.seed, epoch]).shuffle(order)
            # Every batch of a training is full: the rest begins with the first again.
            order = np.resize(order, self.steps_per_epoch * self.batch_size)
        return [
            order[start : start + self.batch_size]
            for start in range(0, len(order), self.batch_size)
        ]

    def _batch(self, members, step: int):
        samples = [self.images[member] for member in members]
        if self.images.augmentation is not None and self.seed is not None:
            random = np.random.default_rng([self.seed, step, 1])
            samples = self.images.augmentation.batch(samples, random)
        return padded_batch(samples, self.most_objects, self.least_size)


def padded_batch(
    samples: list[Sample], most_objects: int, least_size: tuple[int, int] = (0, 0)
) -> tuple[dict, dict]:
    """A model's inputs and targets.

    Args:
        samples: images and their objects; objects beyond `most_objects` are left out.
        most_objects: room for targets.
        least_size: height and width that there is room for at least.

    Returns:
        `pixels`, uint8, (images, height, width, 3), and `mask`, booleans, whose height
        and width are multiples of 32; `boxes`, (images, objects, 4), and `labels`,
        (images, objects), -1 where there is none. These stand among the inputs too: a
        model may begin with noisy copies of them.
    """
    height, width = (
        CELL
        * math.ceil(max(least, *(each.pixels.shape[axis] for each in samples)) / CELL)
        for axis, least in enumerate(least_size)
    )
    count = len(samples)
    inputs = {
        "pixels": np.zeros((count, height, width, 3), np.uint8),
        "mask": np.zeros((count, height, width), bool),
    }
    targets = {
        "boxes": np.zeros((count, most_objects, 4), np.float32),
        "labels": np.full((count, most_objects), -1, np.int32),
    }
    for row, sample in enumerate(samples):
        down, across = sample.pixels.shape[:2]
        inputs["pixels"][row, :down, :across] = sample.pixels
        inputs["mask"][row, :down, :across] = True
        objects = min(len(sample.labels), most_objects)
        targets["boxes"][row, :objects] = sample.boxes[:objects]
        targets["labels"][row, :objects] = sample.labels[:objects]
    return inputs | targets, targets

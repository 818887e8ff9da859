"""Images with boxes looked at before a model learns from them."""

import warnings
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from zoo.data.image_splits import image_keys
from zoo.data.labelled_images import LabelledImages
from zoo.data.parallel_text import DataWarning

FEWEST_OBJECTS = 10
# COCO's small objects are those below 32 × 32 pixels, its large ones from 96 × 96.
_SMALL, _LARGE = 32**2, 96**2
_MANY_SMALL = 0.5
_FEWEST_QUERIES, _MOST_QUERIES = 20, 300


@dataclass(frozen=True)
class ImageSummary:
    """What can be said of two splits of images without a model.

    Objects are counted without crowds. All but the names in `valid` is of the training
    images, if nothing else is said.

    Attributes:
        train_images: number of them.
        valid_images: number of them.
        train_labels: objects of each label, the most frequent first; those that are
            categories without an object have 0.
        valid_labels: the same of the validation images, without such categories.
        most_objects: in one image of either split.
        median_objects: an image.
        crowded: images of either split with more objects than `num_queries`.
        crowds: number of them.
        empty: images without any object.
        shares: of objects that are small, medium and large, as COCO says it.
        sides: the square root of box area over image area: quartiles.
        smallest_image: width and height of the one with the fewest pixels.
        largest_image: of the one with the most.
        num_queries: what a model is asked for in an image; as given, or proposed.
        leaks: validation images that are also trained on, by name.
        leaking: number of such images.
    """

    train_images: int
    valid_images: int
    train_labels: dict[str, int] = field(default_factory=dict)
    valid_labels: dict[str, int] = field(default_factory=dict)
    most_objects: int = 0
    median_objects: float = 0.0
    crowded: int = 0
    crowds: int = 0
    empty: int = 0
    shares: tuple[float, float, float] = (0.0, 0.0, 0.0)
    sides: tuple[float, float, float] = (0.0, 0.0, 0.0)
    smallest_image: tuple[int, int] = (0, 0)
    largest_image: tuple[int, int] = (0, 0)
    num_queries: int = _FEWEST_QUERIES
    leaks: str = ""
    leaking: int = 0

    @property
    def objects(self) -> int:
        return sum(self.train_labels.values())

    @property
    def rare(self) -> list[str]:
        """Labels that have objects to train on, but too few to learn from."""
        counts = self.train_labels.items()
        return [name for name, count in counts if 0 < count < FEWEST_OBJECTS]

    @property
    def without_objects(self) -> list[str]:
        return [name for name, count in self.train_labels.items() if not count]

    @property
    def only_in_valid(self) -> list[str]:
        return [name for name in self.valid_labels if not self.train_labels.get(name)]

    def lines(self) -> list[str]:
        """The summary for people, a fact a line."""
        found = [
            f"{self.train_images:,} images to train on, "
            f"{self.valid_images:,} to validate on",
            f"images: {_times(self.smallest_image)} to {_times(self.largest_image)} "
            f"pixels; {self.empty:,} without objects",
            f"{self.objects:,} objects and {self.crowds:,} crowds; half of the images "
            f"have at most {self.median_objects:g} objects, all at most "
            f"{self.most_objects}; num_queries: {self.num_queries}",
        ]
        if not self.objects:
            return found
        items = [f"{name} {count:,}" for name, count in self.train_labels.items()]
        shown = items if len(items) <= 10 else [*items[:5], "…", *items[-4:]]
        small, medium, large = self.shares
        low, middle, high = self.sides
        return [
            *found,
            f"{len(items):,} labels: {', '.join(shown)}",
            f"boxes: {small:.0%} small (below 32² pixels), {medium:.0%} medium, "
            f"{large:.0%} large (from 96²); a quarter are up to {low:.0%} of the "
            f"image's side long, half {middle:.0%}, three quarters {high:.0%}",
        ]


def summarise_images(
    train: LabelledImages,
    valid: LabelledImages | None = None,
    num_queries: int | None = None,
) -> ImageSummary:
    """Counts images, objects, labels, sizes of boxes and leaks.

    Args:
        train: the training images.
        valid: the validation images, if there are some.
        num_queries: of the model, if it is known; else one is proposed, of about twice
            the most objects in an image.
    """
    valid = train.subset([]) if valid is None else valid
    counts = _objects(train)
    all_counts = np.concatenate([counts, _objects(valid)])
    queries = num_queries or proposed_queries(train, valid)
    known = set(image_keys(train)) if len(valid) else set()
    leaks = [index for index, key in enumerate(image_keys(valid)) if key in known]
    by_pixels = sorted(train.sizes, key=lambda size: size[0] * size[1]) or [(0, 0)]
    labels = dict.fromkeys(train.categories, 0) | _count(train)
    return ImageSummary(
        train_images=len(train),
        valid_images=len(valid),
        train_labels=_by_frequency(labels),
        valid_labels=_by_frequency(_count(valid)),
        most_objects=int(all_counts.max(initial=0)),
        median_objects=float(np.median(counts)) if len(train) else 0.0,
        crowded=int((all_counts > queries).sum()),
        crowds=int(sum(crowds.sum() for crowds in train.crowds)),
        empty=sum(not names for names in train.labels),
        **_box_sizes(train),
        smallest_image=by_pixels[0],
        largest_image=by_pixels[-1],
        num_queries=queries,
        leaks=valid.places(leaks),
        leaking=len(leaks),
    )


def proposed_queries(*splits: LabelledImages) -> int:
    """About twice the most objects of an image: a multiple of 10 from 20 to 300."""
    most = max(int(_objects(data).max(initial=0)) for data in splits)
    return min(max(10 * round(most / 5), _FEWEST_QUERIES), _MOST_QUERIES)


def warn_of_image_trouble(summary: ImageSummary) -> None:
    """Warns of what makes scores too good, or objects impossible to find or judge."""
    if summary.leaking:
        _warn(
            f"{summary.leaking} of {summary.valid_images} validation images are also "
            f"trained on ({summary.leaks}): scores on them say what was learnt by "
            "heart. Take them out of one."
        )
    if summary.crowded:
        _warn(
            f"{summary.crowded} images have more objects than num_queries="
            f"{summary.num_queries}, {summary.most_objects} at most: the rest of them "
            "cannot be found. Cut the images in parts; or train from the recipe with "
            f"num_queries={2 * summary.most_objects}: a fine-tuning cannot change it."
        )
    if rare := summary.rare:
        shown = [f"{name} ({summary.train_labels[name]})" for name in rare]
        _warn(
            f"{len(rare)} of {len(summary.train_labels)} labels have fewer than "
            f"{FEWEST_OBJECTS} objects to learn from: {_listed(shown)}."
        )
    if missing := summary.without_objects:
        _warn(
            f"{len(missing)} of {len(summary.train_labels)} categories have no object "
            f"to learn from: {_listed(missing)}."
        )
    if unknown := summary.only_in_valid:
        _warn(
            f"{len(unknown)} labels of the validation images are not trained on, so "
            f"they cannot be found: {_listed(unknown)}."
        )
    if summary.shares[0] > _MANY_SMALL:
        _warn(
            f"{summary.shares[0]:.0%} of the objects are smaller than 32 × 32 pixels, "
            "which are hard to find. Train on larger images, or cut them in parts."
        )


def _objects(data: LabelledImages) -> np.ndarray:
    """Objects of each image, without crowds."""
    return np.array([int((~crowds).sum()) for crowds in data.crowds], int)


def _count(data: LabelledImages) -> Counter:
    return Counter(
        name
        for names, crowds in zip(data.labels, data.crowds, strict=True)
        for name, is_crowd in zip(names, crowds, strict=True)
        if not is_crowd
    )


def _by_frequency(counts) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _box_sizes(data: LabelledImages) -> dict[str, tuple]:
    areas, relative = [], []
    columns = (data.boxes, data.crowds, data.sizes)
    for boxes, crowds, (width, height) in zip(*columns, strict=True):
        found = (boxes[~crowds, 2:] - boxes[~crowds, :2]).prod(axis=1)
        areas.append(found)
        relative.append(np.sqrt(found / (width * height)))
    if not (areas := np.concatenate([*areas, []])).size:
        return {}
    small, large = float((areas < _SMALL).mean()), float((areas >= _LARGE).mean())
    quartiles = np.quantile(np.concatenate(relative), [0.25, 0.5, 0.75])
    return {
        "shares": (small, 1 - small - large, large),
        "sides": tuple(map(float, quartiles)),
    }


def _times(size) -> str:
    return f"{size[0]:,} × {size[1]:,}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")


def _warn(message: str) -> None:
    warnings.warn(message, DataWarning, stacklevel=3)

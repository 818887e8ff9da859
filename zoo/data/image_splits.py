"""Images split into what to train on and what to validate on."""

import hashlib
from collections import Counter

from zoo.data.holding_out import groups_of_equals, number_to_hold_out
from zoo.data.labelled_images import LabelledImages


def hold_out_images(
    data: LabelledImages, share: float = 0.1, most: int = 5_000
) -> tuple[LabelledImages, LabelledImages]:
    """Splits images into those to train on and those to validate on.

    Which are held out follows from a hash of the image file: copies of an image stay
    together, and the choice is the same tomorrow. No label is held out whole.

    Args:
        data: all images.
        share: of images to hold out; at least one image.
        most: images to hold out, at most.

    Returns:
        The rest and the held out, each in the order of the data.

    Raises:
        ValueError: so few images that none can be held out, or a share that is none.
    """
    wanted = number_to_hold_out(len(data), share, most)
    names = [_names(data, index) for index in range(len(data))]
    left = Counter(name for each in names for name in each)
    groups = _groups(data)
    # Something must be there to find in what is held out.
    first = next((group for group in groups if names[group[0]]), None)
    held: set[int] = set()
    for group in sorted(groups, key=lambda group: group is not first):
        labels = Counter(name for index in group for name in names[index])
        keeps_labels = all(count < left[name] for name, count in labels.items())
        fits = not held or len(held) + len(group) <= wanted
        if fits and keeps_labels and len(held) + len(group) < len(data):
            held.update(group)
            left -= labels
        if len(held) >= wanted:
            break
    if not held:
        raise ValueError(
            f"None of {len(data)} images can be held out without losing a label or "
            "image to train on. Give more of each label, or validation data: --valid."
        )
    rest = [index for index in range(len(data)) if index not in held]
    return data.subset(rest), data.subset(sorted(held))


def _names(data: LabelledImages, index: int) -> set[str]:
    """The classes of an image, without crowds."""
    pairs = zip(data.labels[index], data.crowds[index], strict=True)
    return {name for name, is_crowd in pairs if not is_crowd}


def image_keys(data: LabelledImages) -> list[str]:
    """What copies of an image have in common: a hash of the file's bytes."""
    return [hashlib.sha256(image.read_bytes()).hexdigest() for image in data.images]


def _groups(data: LabelledImages) -> list[list[int]]:
    """Indices of equal images, in an order that depends on the images alone."""
    groups = groups_of_equals(image_keys(data))
    return [groups[key] for key in sorted(groups)]

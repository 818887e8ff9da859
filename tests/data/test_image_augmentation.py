"""Boxes are held against what is to be seen in the pixels after every change."""

import numpy as np
import pytest

from zoo.data.image_augmentation import (
    FLIPS,
    Augmentation,
    Sample,
    cropped,
    flipped,
    resized,
    transposed,
)

HEIGHT, WIDTH = 83, 61
# Two rectangles, red and blue, whose places and shapes no turn leaves as they are.
CORNERS = np.array([[7, 11, 30, 24], [37, 47, 50, 79]], float)


def relative(corners):
    low, high = corners[:, :2], corners[:, 2:]
    boxes = np.concatenate([(low + high) / 2, high - low], axis=1)
    return (boxes / [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype("float32")


def painted(corners=CORNERS):
    """An image of a rectangle in each of its colours."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for label, (left, top, right, bottom) in enumerate(corners.astype(int)):
        pixels[top:bottom, left:right, 2 * label] = 250
    return Sample(pixels, relative(corners), np.arange(len(corners), dtype="int32"))


def bounds(pixels, label):
    """Left, top, right and bottom of what has the colour of a label."""
    seen = pixels[..., 2 * label] >= 125
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def assert_boxes_lie_on_their_colours(sample, within=1.0):
    height, width = sample.pixels.shape[:2]
    assert sample.pixels.dtype == np.uint8
    assert sample.boxes.dtype == np.float32
    assert sample.boxes.shape == (len(sample.labels), 4)
    for box, label in zip(sample.boxes, sample.labels, strict=True):
        x, y, across, down = box * [width, height, width, height]
        found = x - across / 2, y - down / 2, x + across / 2, y + down / 2
        np.testing.assert_allclose(
            found, bounds(sample.pixels, label), atol=within + 1e-3
        )


@pytest.mark.parametrize(
    "change",
    [
        lambda sample: flipped(sample, 0),
        lambda sample: flipped(sample, 1),
        transposed,
        lambda sample: flipped(transposed(sample), 1),
        lambda sample: cropped(sample, 0.05, 0.1, 1.0, 0.9),
        # The upper one is cut, and half of it stays.
        lambda sample: cropped(sample, 17 / HEIGHT, 0, 1, 1),
    ],
    ids=["down", "right", "transposed", "turned", "cropped", "cut"],
)
def test_boxes_stay_exactly_on_their_objects(change):
    sample = change(painted())
    assert len(sample.labels) == 2
    assert_boxes_lie_on_their_colours(sample, within=0)


@pytest.mark.parametrize("size", [(41, 31), (127, 90), (97, 37)])
def test_boxes_stay_on_their_objects_in_other_sizes(size):
    sample = resized(painted(), *size)
    assert sample.pixels.shape == (*size, 3)
    assert_boxes_lie_on_their_colours(sample)


@pytest.mark.parametrize("flips", FLIPS)
@pytest.mark.parametrize("light", [0.0, 0.3])
def test_boxes_stay_on_their_objects_whatever_chance_does(flips, light):
    options = {"least_scale": 0.6, "most_scale": 1.4, "crop_rate": 0.7}
    augmentation = Augmentation(flips, least_crop=0.5, light=light, **options)
    random = np.random.default_rng(7)
    counts = []
    for _ in range(40):
        for sample in augmentation.batch([painted()] * 2, random):
            assert_boxes_lie_on_their_colours(sample)
            counts.append(len(sample.labels))
    # Crops lose objects, but not always.
    assert {1, 2} <= set(counts)


@pytest.mark.parametrize(
    "flips, ways", [("none", 1), ("horizontal", 2), ("turns", 4), ("all", 8)]
)
def test_flips_and_turns_are_those_that_are_asked_for(flips, ways):
    augmentation = Augmentation(flips, crop_rate=0.0, most_scale=1.0, light=0.0)
    random = np.random.default_rng(7)
    found = set()
    for _ in range(60):
        (sample,) = augmentation.batch([painted()], random)
        height, width = sample.pixels.shape[:2]
        x, y = sample.boxes[0, :2] < 0.5
        found.add((bool(x), bool(y), height > width))
    assert len(found) == ways
    assert (True, True, True) in found


def test_turns_mirror_nothing():
    augmentation = Augmentation("turns", crop_rate=0.0, least_scale=1.0, light=0.0)
    random = np.random.default_rng(7)
    turned = [np.rot90(painted().pixels, quarters) for quarters in range(4)]
    found = set()
    for _ in range(40):
        (sample,) = augmentation.batch([painted()], random)
        (quarters,) = [
            number
            for number, pixels in enumerate(turned)
            if pixels.shape == sample.pixels.shape and (pixels == sample.pixels).all()
        ]
        found.add(quarters)
    assert found == {0, 1, 2, 3}


def test_a_batch_has_one_scale_and_one_orientation():
    augmentation = Augmentation("all", 0.5, 1.5, crop_rate=0.5)
    random = np.random.default_rng(7)
    sizes = set()
    for _ in range(20):
        batch = augmentation.batch([painted()] * 5, random)
        (size,) = {sample.pixels.shape for sample in batch}
        sizes.add(size)
    heights = [max(size) for size in sizes]
    assert len(sizes) > 15
    assert 0.5 * HEIGHT - 1 < min(heights) < max(heights) < 1.5 * HEIGHT + 1
    # All of them are not turned, nor flipped, together.
    (batch,) = [augmentation.batch([painted()] * 11, random)]
    assert len({tuple(sample.boxes[0].round(1)) for sample in batch}) > 2


@pytest.mark.parametrize(
    "edge, kept", [(17, [0, 1]), (18, [1]), (24, [1]), (62, [1]), (64, [])]
)
def test_an_object_stays_if_half_of_it_does(edge, kept):
    """Red goes from row 11 to 24, of which 17 leaves 7 of 13; blue from 47 to 79."""
    sample = cropped(painted(), edge / HEIGHT, 0, 1, 1)
    assert sample.labels.tolist() == kept
    assert_boxes_lie_on_their_colours(sample, within=0)


def test_an_object_without_area_does_not_stay():
    sample = painted()._replace(boxes=np.full((2, 4), [[0.5, 0.5, 0, 0.2]], "float32"))
    assert cropped(sample, 0, 0, 1, 1).labels.tolist() == []


def test_images_without_objects_stay_so():
    sample = painted(CORNERS[:0])
    for changed in Augmentation("all").batch([sample] * 5, np.random.default_rng(3)):
        assert changed.boxes.shape == (0, 4)
        assert changed.labels.shape == (0,)


def test_images_of_few_pixels_keep_one_at_least():
    sample = Sample(
        np.full((2, 3, 3), 7, np.uint8),
        np.array([[0.5, 0.5, 1, 1]], "float32"),
        np.array([5]),
    )
    augmentation = Augmentation("all", 0.1, 1.0, crop_rate=1.0, least_crop=0.0)
    random = np.random.default_rng(7)
    for _ in range(40):
        (changed,) = augmentation.batch([sample], random)
        assert min(changed.pixels.shape) > 0
        assert (changed.boxes >= 0).all() and (changed.boxes <= 1).all()


def test_a_seed_decides_everything_and_originals_stay_as_they_are():
    augmentation = Augmentation("all")
    sample, untouched = painted(), painted()
    once, again, other = (
        augmentation.batch([sample] * 3, np.random.default_rng(seed))
        for seed in (7, 7, 11)
    )
    for first, second in zip(once, again, strict=True):
        for one, two in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, two)
    assert any(
        first.pixels.shape != second.pixels.shape
        or (first.pixels != second.pixels).any()
        for first, second in zip(once, other, strict=True)
    )
    for one, two in zip(sample, untouched, strict=True):
        np.testing.assert_array_equal(one, two)


def test_light_changes_brightness_and_contrast_within_its_range():
    random = np.random.default_rng(7)
    pixels = random.integers(90, 131, (HEIGHT, WIDTH, 3)).astype("uint8")
    sample = painted()._replace(pixels=pixels)
    augmentation = Augmentation("none", 1.0, 1.0, crop_rate=0.0, light=0.3)
    batch = augmentation.batch([sample] * 60, random)
    means = np.array([each.pixels.mean() for each in batch]) / pixels.mean()
    spreads = np.array([each.pixels.std() for each in batch]) / pixels.std()
    for found in (means, spreads):
        assert 0.69 < found.min() < 0.8 and 1.2 < found.max() < 1.31


@pytest.mark.parametrize(
    "options, message",
    [
        ({"flips": "vertical"}, "flips='vertical'"),
        ({"least_scale": 0.0}, "least_scale=0.0"),
        ({"least_scale": 1.2}, "least_scale=1.2"),
        ({"crop_rate": 1.1}, "crop_rate=1.1"),
        ({"least_crop": -0.1}, "least_crop=-0.1"),
        ({"light": float("nan")}, "light=nan"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**options)


def test_options_make_the_same_again():
    augmentation = Augmentation("all", 0.3, 1.7, 0.1, 0.2, 0.4)
    assert Augmentation(**augmentation.as_dict()) == augmentation

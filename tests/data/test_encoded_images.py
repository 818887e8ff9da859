import dataclasses
import itertools

import numpy as np
import pytest

from zoo.data.encoded_images import (
    CELL,
    EncodedImages,
    ImageBatches,
    padded_batch,
)
from zoo.data.image_augmentation import Augmentation, Sample

SIZES = [(37, 53), (64, 32), (5, 71), (32, 64), (1, 1), (41, 43), (33, 31)]
COUNTS = (2, 0, 5, 1, 0, 3, 1)
AUGMENTATION = Augmentation("all", 0.5, 0.9, 0.3, 0.7, 0.1)


@pytest.fixture
def samples(random):
    """Noise; the labels of an image are its number, its first pixel, too."""
    made = []
    for number, (size, count) in enumerate(zip(SIZES, COUNTS, strict=True)):
        pixels = random.integers(20, 256, (*size, 3)).astype("uint8")
        pixels[0, 0] = number
        boxes = random.uniform(0.4, 0.6, (count, 4)).astype("float32")
        made.append(Sample(pixels, boxes, np.full(count, number, "int32")))
    return made


def assert_equal(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = one.values(), other.values()
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
        return
    for own, its in zip(one, other, strict=True):
        assert_equal(own, its)


# In memory and on disk


def test_every_image_comes_back_with_its_objects(samples):
    images = EncodedImages.from_samples(iter(samples))
    assert len(images) == len(samples)
    for number, sample in enumerate(samples):
        assert_equal(images[number], sample)


@pytest.mark.parametrize("augmentation", [None, AUGMENTATION])
def test_a_file_gives_everything_back(samples, augmentation, tmp_path):
    images = EncodedImages.from_samples(samples, augmentation)
    images.save(tmp_path / "data.npz")
    again = EncodedImages.load(tmp_path / "data.npz")
    assert again.augmentation == augmentation
    for name in ("pixels", "sizes", "boxes", "labels", "ends"):
        assert_equal(getattr(again, name), getattr(images, name))


def test_images_without_any_object_are_kept_too(samples, tmp_path):
    EncodedImages.from_samples([samples[1], samples[4]]).save(tmp_path / "data.npz")
    again = EncodedImages.load(tmp_path / "data.npz")
    assert_equal(again[1], samples[4])
    (batch,) = ImageBatches(again, 100, None).once()
    assert (batch[1]["labels"] == -1).all() and batch[1]["labels"].shape == (2, 1)


@pytest.mark.parametrize("kept", [0, 10, 500])
def test_a_damaged_file_is_refused(samples, kept, tmp_path):
    path = tmp_path / "data.npz"
    EncodedImages.from_samples(samples).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"data\.npz is damaged"):
        EncodedImages.load(path)


# Padding


def test_images_stand_top_left_in_sides_of_whole_cells(samples):
    inputs, targets = padded_batch(samples[:3], most_objects=5)
    assert inputs["pixels"].shape == (3, 64, 96, 3)
    assert inputs["pixels"].dtype == np.uint8
    assert targets["boxes"].dtype == np.float32
    for row, sample in enumerate(samples[:3]):
        height, width = sample.pixels.shape[:2]
        inside = np.zeros((64, 96), bool)
        inside[:height, :width] = True
        np.testing.assert_array_equal(inputs["mask"][row], inside)
        np.testing.assert_array_equal(
            inputs["pixels"][row, :height, :width], sample.pixels
        )
        assert not inputs["pixels"][row][~inside].any()
        count = len(sample.labels)
        np.testing.assert_array_equal(targets["boxes"][row, :count], sample.boxes)
        assert targets["labels"][row].tolist() == [row] * count + [-1] * (5 - count)
        assert not targets["boxes"][row, count:].any()


def test_sides_that_are_whole_cells_are_not_padded(samples):
    inputs, _ = padded_batch(samples[1:2], most_objects=1)
    assert inputs["pixels"].shape == (1, 64, 32, 3)
    assert inputs["mask"].all()


def test_objects_beyond_the_most_are_left_out(samples):
    _, targets = padded_batch(samples[1:4], most_objects=3)
    assert targets["labels"].tolist() == [[-1] * 3, [2] * 3, [3, -1, -1]]
    np.testing.assert_array_equal(targets["boxes"][1], samples[2].boxes[:3])


def test_every_batch_has_room_for_the_objects_of_any_image(samples):
    images = EncodedImages.from_samples(samples)
    shapes = {t["labels"].shape for _, t in ImageBatches(images, 6, None).once()}
    assert shapes == {(1, 5)}
    shapes = {t["labels"].shape for _, t in ImageBatches(images, 6, 3, 2).once()}
    assert shapes == {(1, 2)}


# Batches


def numbers(batch):
    return [int(pixels[0, 0, 0]) for pixels in batch[0]["pixels"]]


@pytest.mark.parametrize("tokens, size", [(1, 1), (6, 1), (11, 1), (12, 2), (99, 7)])
def test_no_batch_has_more_cells_than_asked_for(tokens, size, samples):
    """The images need two rows of three cells, at most."""
    batches = ImageBatches(EncodedImages.from_samples(samples), tokens, None)
    found = list(batches.once())
    assert batches.steps_per_epoch == len(found) == -(-7 // size)
    assert [len(batch[0]["mask"]) for batch in found[:-1]] == [size] * (len(found) - 1)
    assert [n for batch in found for n in numbers(batch)] == list(range(7))
    if size > 1:
        assert max(b[0]["mask"].size for b in found) <= tokens * CELL**2


def test_smaller_images_of_a_training_come_in_larger_batches(samples):
    images = EncodedImages.from_samples(samples, AUGMENTATION)
    assert images.augmentation.mean_area == pytest.approx(0.7**2)
    assert ImageBatches(images, 12, 3).batch_size == 4
    assert ImageBatches(images, 12, None).batch_size == 2


def test_an_epoch_has_every_image_and_full_batches(samples):
    batches = ImageBatches(EncodedImages.from_samples(samples), 12, seed=3)
    assert (batches.batch_size, batches.steps_per_epoch) == (2, 4)
    epochs = []
    stream = batches.stream()
    for _ in range(5):
        found = [numbers(batch) for batch in itertools.islice(stream, 4)]
        assert {len(each) for each in found} == {2}
        assert {n for batch in found for n in batch} == set(range(7))
        epochs.append(found)
    assert len({str(epoch) for epoch in epochs}) == 5


@pytest.mark.parametrize("augmentation", [None, AUGMENTATION])
def test_the_stream_is_a_function_of_seed_and_step(samples, augmentation):
    images = EncodedImages.from_samples(samples, augmentation)

    def some(start, stop, seed=3):
        stream = ImageBatches(images, 12, seed).stream(start)
        return list(itertools.islice(stream, stop - start))

    steps = ImageBatches(images, 12, 3).steps_per_epoch
    whole = some(0, 2 * steps + 1)
    np.random.seed(5)
    for start in range(2 * steps + 1):
        assert_equal(some(start, start + 1), whole[start : start + 1])
    assert_equal(some(steps - 1, 2 * steps + 1), whole[steps - 1 :])
    with pytest.raises(AssertionError):
        assert_equal(some(0, steps, seed=5), whole[:steps])


def test_an_image_is_changed_anew_in_every_epoch(samples):
    images = EncodedImages.from_samples(samples[:1], AUGMENTATION)
    stream = ImageBatches(images, 6, seed=3).stream()
    found = [inputs["pixels"].tobytes() for inputs, _ in itertools.islice(stream, 5)]
    assert len(set(found)) == 5


def test_without_a_seed_images_stay_as_they_are(samples):
    images = EncodedImages.from_samples(samples, AUGMENTATION)
    plain = EncodedImages.from_samples(samples)
    for one, other in zip(
        ImageBatches(images, 12, None).once(),
        ImageBatches(plain, 12, None).once(),
        strict=True,
    ):
        assert_equal(one, other)


@pytest.mark.parametrize("flips", ["none", "turns"])
def test_batches_of_one_shape_differ_in_padding_alone(flips, samples):
    augmentation = dataclasses.replace(AUGMENTATION, flips=flips, most_scale=1.3)
    images = EncodedImages.from_samples(samples, augmentation)
    own, one_shape = (
        itertools.islice(ImageBatches(images, 12, 3, one_shape=so).stream(), 29)
        for so in (False, True)
    )
    shapes = set()
    for (inputs, targets), (padded, padded_targets) in zip(own, one_shape, strict=True):
        shapes.add(padded["mask"].shape)
        down, across = inputs["mask"].shape[1:]
        assert padded["mask"].sum() == inputs["mask"].sum()
        for name in ("pixels", "mask"):
            np.testing.assert_array_equal(padded[name][:, :down, :across], inputs[name])
        assert_equal(padded_targets, targets)
    assert len(shapes) == 1


def test_unchanged_images_of_one_shape_have_room_for_the_largest(samples):
    images = EncodedImages.from_samples(samples, AUGMENTATION)
    batches = ImageBatches(images, 12, None, one_shape=True).once()
    assert {inputs["mask"].shape[1:] for inputs, _ in batches} == {(64, 96)}

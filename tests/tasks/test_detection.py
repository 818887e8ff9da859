import numpy as np
import pytest

from tests.tasks.detection import CLASSES, made_task
from zoo.data.labelled_images import LabelledImages
from zoo.data.made_up_images import made_up_images
from zoo.data.object_classes import ObjectClasses
from zoo.tasks.detection import DetectionTask


@pytest.fixture(scope="module")
def data():
    return made_up_images(7, seed=5)


def test_what_is_saved_loads_again(tmp_path):
    task = made_task(flips="all", crop_rate=0.25, classification="focal")
    task.save(tmp_path)
    again = DetectionTask.load(tmp_path)
    assert vars(again) == vars(task)
    assert again.classes.ids == (3, 7, 17)


def test_training_data_says_how_many_queries_there_are(data):
    task = DetectionTask.learn(data)
    # At least 20, and about twice the most objects of an image.
    assert task.num_queries == 20
    assert DetectionTask.learn(data, num_queries=13).num_queries == 13
    assert task.model_options() == {"num_classes": 3, "num_queries": 20}


def test_boxes_are_encoded_relative_to_their_image(data):
    task = DetectionTask.learn(data, shortest=48, longest=64)
    encoded = task.encode(data)
    assert encoded.sizes.tolist() == [[48, 48]] * 7
    for index in range(7):
        sample = encoded[index]
        low, high = data.boxes[index][:, :2] / 96, data.boxes[index][:, 2:] / 96
        np.testing.assert_allclose(sample.boxes[:, :2], (low + high) / 2, atol=1e-6)
        np.testing.assert_allclose(sample.boxes[:, 2:], high - low, atol=1e-6)
        names = [task.classes.names[row] for row in sample.labels]
        assert names == list(data.labels[index])


def test_images_are_kept_as_large_as_training_may_want_them(data):
    task = DetectionTask.learn(data, shortest=40, longest=64, most_scale=1.5)
    encoded = task.encode(data, training=True)
    assert encoded.sizes.tolist() == [[60, 60]] * 7
    assert encoded.augmentation.most_scale == pytest.approx(1.0)
    assert encoded.augmentation.least_scale == pytest.approx(0.65 / 1.5)


def test_crowds_are_not_learnt_from(data):
    crowds = [np.zeros(len(labels), bool) for labels in data.labels]
    crowds[0][0] = True
    crowded = LabelledImages(
        data.images,
        data.boxes,
        data.labels,
        tuple(crowds),
        data.sizes,
        data.ids,
        data.categories,
    )
    encoded = DetectionTask.learn(crowded).encode(crowded)
    assert len(encoded[0].labels) == len(data.labels[0]) - 1


def test_an_image_that_cannot_be_read_is_named(data, tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("not a picture")
    one = data.subset([0])
    broken = LabelledImages(
        (path,), one.boxes, one.labels, one.crowds, one.sizes, one.ids, one.categories
    )
    task = DetectionTask.learn(data)
    with pytest.raises(ValueError, match=r"notes.jpg .*cannot be read: not an image"):
        task.encode(broken)


def test_data_with_the_same_classes_leaves_the_task_as_it_is(data):
    task = DetectionTask.learn(data)
    assert task.for_data(data) is task
    assert task.for_data(data, head="keep") is task


def test_data_with_other_classes_takes_what_is_known_by_name(data):
    known = ObjectClasses(("square", "star", "disc"), (1, 2, 5))
    task = DetectionTask(known, 20)
    other = task.for_data(data)
    assert other.classes.names == ("disc", "square", "triangle")
    assert other.head_rows(task) == [2, 0, None]
    assert task.classes is known
    softmax = DetectionTask(other.classes, 20, classification="softmax")
    # The last output, "no object", means the same.
    assert softmax.head_rows(task) == [2, 0, None, 3]
    with pytest.raises(ValueError, match="not known: triangle"):
        task.for_data(data, head="keep")
    with pytest.raises(ValueError, match="head must be one of"):
        task.for_data(data, head="new")


def test_classes_are_those_that_are_told():
    assert CLASSES.encode(["dog", "cat"]).tolist() == [2, 0]

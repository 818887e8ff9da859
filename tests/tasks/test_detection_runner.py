import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.tasks.detection import ToldDetector, made_task
from zoo.answers import pixels_of
from zoo.data.labelled_images import LabelledImages
from zoo.data.made_up_images import ImageBytes
from zoo.tasks.detection_graph import on_finest_map
from zoo.tasks.detection_runner import DetectionRunner

BOXES = [[0.5, 0.5, 0.2, 0.4], [0.25, 0.5, 0.5, 1.0], [0.9, 0.9, 0.4, 0.4]]
# Of "cat", of an output without a class, of "dog".
LOGITS = [[-3.0, 9.0, 2.0], [1.0, 9.0, -4.0], [-1.0, 9.0, -2.0]]


def picture(width, height, kind="PNG") -> bytes:
    random = np.random.default_rng(width)
    pixels = random.integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="module")
def runner():
    return DetectionRunner(made_task(), ToldDetector(BOXES, LOGITS))


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


def test_boxes_are_in_pixels_of_the_image_whatever_its_size(runner):
    wide, tall = runner.predict([picture(200, 50), picture(31, 97)])
    assert (wide.size, tall.size) == ((200, 50), (31, 97))
    assert wide.labels == ("dog", "cat")
    np.testing.assert_allclose(wide.boxes[0], [80, 15, 120, 35], atol=1e-3)
    np.testing.assert_allclose(wide.boxes[1], [0, 0, 100, 50], atol=1e-3)
    np.testing.assert_allclose(tall.boxes[0], [12.4, 29.1, 18.6, 67.9], atol=1e-3)
    np.testing.assert_allclose(wide.scores, [sigmoid(2.0), sigmoid(1.0)], rtol=1e-5)


def test_a_box_does_not_leave_its_image(runner):
    (found,) = runner.predict([picture(100, 100)], threshold=0.1)
    np.testing.assert_allclose(found.boxes[2], [70, 70, 100, 100], atol=1e-3)


def test_an_output_without_a_class_is_never_reported(runner):
    (found,) = runner.predict([picture(40, 40)], threshold=0.0)
    assert "" not in found.labels


def test_the_threshold_decides_how_many_are_found(runner):
    counts = [
        len(runner.predict([picture(40, 40)], threshold=threshold)[0].labels)
        for threshold in (0.5, 0.74, 0.9)
    ]
    assert counts == [2, 1, 0]
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\]"):
        runner.predict([picture(40, 40)], threshold=2)


def test_a_softmax_gives_a_query_one_class():
    logits = [[2.0, 0.0, 1.9, 0.0], [0.0, 0.0, 1.0, 5.0], [0.0, 0.0, 3.0, 0.0]]
    task = made_task(classification="softmax")
    model = ToldDetector(BOXES, logits, "softmax")
    (found,) = DetectionRunner(task, model).predict([picture(40, 40)], threshold=0.1)
    assert found.labels == ("dog", "cat")
    expected = np.exp(3) / (np.exp(3) + 3)
    np.testing.assert_allclose(found.scores[0], expected, rtol=1e-5)


def test_inputs_are_paths_bytes_or_pixels(runner, tmp_path):
    content = picture(40, 30)
    path = tmp_path / "a.png"
    path.write_bytes(content)
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    answers = [one.plain for one in runner.predict([path, str(path), content, pixels])]
    assert all(answer == answers[0] for answer in answers)
    with pytest.raises(TypeError, match=r"uint8 array of shape"):
        runner.predict([pixels / 255.0])
    with pytest.raises(FileNotFoundError):
        runner.predict([tmp_path / "missing.png"])


def test_an_image_that_cannot_be_read_is_named(runner, tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("not a picture")
    with pytest.raises(ValueError, match=r"notes.jpg cannot be read: not an image"):
        runner.predict([picture(9, 9), path])


def test_attention_is_cut_to_the_image_and_follows_its_object(runner, tmp_path):
    found = runner.attention(picture(200, 50))
    # 32 x 128 pixels for the model, but 64 at most: 16 x 64.
    assert found.attention.shape == (2, 2, 8)
    assert found.self_attention.shape == (1, 4, 1, 4)
    # The best object is of the first query, the next of the second.
    np.testing.assert_allclose(found.attention.sum(axis=(1, 2)), [1.0, 2.0], rtol=1e-5)
    assert found.plot(tmp_path / "queries.png").is_file()
    assert found.plot(tmp_path / "points.png", [(10, 10)]).is_file()
    with pytest.raises(ValueError, match=r"a point outside: \(200, 10\)"):
        found.plot(tmp_path / "points.png", [(200, 10)])


def test_maps_of_images_that_end_within_a_cell_are_cut_there(runner):
    found = runner.attention(picture(200, 45))
    # 32 x 142 pixels for the model, but 64 at most: 14 x 64, of cells of 8 and 16.
    assert found.cells == (1.75, 8.0) and found.self_cells == (0.875, 4.0)
    assert found.attention.shape == (2, 2, 8)
    assert found.self_attention.shape == (1, 4, 1, 4)


def test_attention_in_half_precision_is_told_in_full():
    class Half(ToldDetector):
        def attend(self, inputs):
            found = super().attend(inputs)
            for name in ("cross_attention", "self_attention"):
                found[name] = tf.cast(found[name], tf.bfloat16)
            return found

    found = DetectionRunner(made_task(), Half(BOXES, LOGITS)).attention(picture(64, 64))
    np.testing.assert_allclose(found.attention.sum(axis=(1, 2)), [1.0, 2.0], rtol=0.02)
    assert found.attention.dtype == found.self_attention.dtype == np.float32


def test_sixteen_bits_are_looked_at_as_the_model_sees_them():
    ramp = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    file = io.BytesIO()
    Image.fromarray(ramp).save(file, "PNG")
    np.testing.assert_array_equal(pixels_of(file.getvalue())[..., 1], ramp >> 8)


def test_a_coarse_cell_spreads_its_weight_over_the_fine_ones():
    cells = np.array([[3, 5], [2, 3]], "int32")
    weights = np.zeros((1, 2, 21), "float32")
    weights[0, 0, 7] = 1.0
    weights[0, 1, 15 + 4] = 1.0
    fine = on_finest_map(tf.constant(weights), tf.constant(cells)).numpy()
    expected = np.zeros((2, 3, 5))
    expected[0, 1, 2] = 1.0
    # The last row of coarse cells covers one fine row that is there, and one not.
    expected[1, 2, 2:4] = 0.25
    np.testing.assert_allclose(fine[0], expected)


def labelled(boxes, labels, size=(100, 100)):
    return LabelledImages(
        (ImageBytes("a.png", picture(*size)),),
        (np.array(boxes, float).reshape(-1, 4),),
        (tuple(labels),),
        (np.zeros(len(labels), bool),),
        (size,),
        (41,),
        {"cat": 3, "dog": 17},
    )


def test_what_is_told_right_has_an_ap_of_one(runner):
    right = labelled([[40, 30, 60, 70], [0, 0, 50, 100]], ["dog", "cat"])
    assert runner.evaluate(right)["AP"] == pytest.approx(1.0)
    wrong = labelled([[40, 30, 60, 70], [0, 0, 50, 100]], ["cat", "dog"])
    assert runner.score(wrong) < 0.5


def test_results_are_written_with_the_ids_of_the_source(runner, tmp_path):
    data = labelled([[40, 30, 60, 70]], ["dog"])
    runner.evaluate(data, results=tmp_path / "results.json")
    best = json.loads((tmp_path / "results.json").read_text())[0]
    assert (best["image_id"], best["category_id"]) == (41, 17)
    assert best["bbox"] == pytest.approx([40, 30, 20, 40], abs=1e-2)


def test_classes_that_are_not_known_are_refused(runner):
    data = labelled([[40, 30, 60, 70]], ["dog"])
    strange = LabelledImages(
        data.images, data.boxes, (("cow",),), data.crowds, data.sizes, (1,), {"cow": 1}
    )
    with pytest.raises(ValueError, match=r"not known: cow. Known: cat, dog"):
        runner.evaluate(strange)


def test_a_detector_has_no_int8_layout(runner):
    with pytest.raises(ValueError, match="float32"):
        runner.exported("int8")

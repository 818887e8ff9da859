import numpy as np
import pytest

from tests.converters import checkpoints, detr_checkpoints
from tests.converters.checkpoints import BERT, bert_arrays
from tests.converters.detr_checkpoints import CONFIG, OPTIONS, OWN_BACKBONE
from zoo import registry
from zoo.converters import convert, parity
from zoo.converters.convert import Checkpoint
from zoo.converters.detr import read_detr
from zoo.converters.family import Family
from zoo.converters.parity import compare_with_transformers
from zoo.converters.parity_detr import compare_detector
from zoo.data.object_classes import ObjectClasses
from zoo.models import Detr
from zoo.presets import Preset
from zoo.tasks.detection import DetectionTask
from zoo.weights import assign_arrays

# What transformers cannot tell from the weights.
_SIZES = {
    "d_model": 12,
    "num_queries": 7,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "backbone_config": OWN_BACKBONE["backbone_config"]
    | {"embedding_size": 2, "hidden_sizes": [8, 16], "depths": [1, 2]}
    | {"out_features": ["stage2"]},
}
REPORTED = ("logits", "boxes")
IMAGES = ("image 1, 211x157", "image 2, 97x230", "image 3, 150x83")


@pytest.fixture(scope="module")
def ours():
    return detr_checkpoints.arrays(np.random.default_rng(7))


@pytest.fixture
def folder(ours, tmp_path):
    path = detr_checkpoints.write_hub_own(tmp_path / "detr", ours)
    config = CONFIG | OWN_BACKBONE | _SIZES
    detr_checkpoints.write_hub(tmp_path / "config", {}, config)
    (tmp_path / "config" / "config.json").replace(path / "config.json")
    return path


def detector(folder, mask_padding=True):
    """A preset of the sizes of these tests, which no recipe has."""
    found = read_detr(folder, mask_padding=mask_padding)
    model = Detr(**found.options)
    model.build()
    assign_arrays(model, found.arrays)
    classes = ObjectClasses(found.names, tuple(range(len(found.names))))
    task = DetectionTask(classes, OPTIONS["num_queries"], classification="softmax")
    return Preset(None, task, model, {})


@pytest.fixture(scope="module")
def ask(ours):
    """Answers by models of their own, of which each has its images as it likes."""
    alone, unmasked = (
        Detr(**OPTIONS | {"backbone": OPTIONS["backbone"] | {"mask_padding": masked}})
        for masked in (True, False)
    )
    for model in (alone, unmasked):
        model.build()
        assign_arrays(model, ours)
    known = {}

    def answer(values, mask):
        colours = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
        pixels = (values.transpose(0, 2, 3, 1) * colours[1] + colours[0]) * 255
        model = alone if len(values) == 1 else unmasked
        assert (len(values) == 1) == mask.all()
        inputs = {"pixels": pixels.astype("float32"), "mask": mask > 0}
        outputs = model(inputs)
        return {name: np.asarray(outputs[name][:, -1]) for name in REPORTED}

    def ask(kind, calls):
        assert kind == "detector"
        for call in calls:
            key = call["pixel_values"].shape
            known[key] = known.get(key) or answer(*call.values())
        return [known[call["pixel_values"].shape] for call in calls]

    return ask


def differences(rows):
    return dict(rows[:-2]), dict(rows[-2:])


def test_a_padded_image_is_compared_with_the_image_alone(ask, folder):
    alone, batch = differences(compare_detector(detector(folder), ask))
    assert [*alone] == [f"{what}, {one}" for one in IMAGES for what in REPORTED]
    assert [*batch] == [f"{what}, padded batch, unmasked" for what in REPORTED]
    assert max(*alone.values(), *batch.values()) < 1e-5


@pytest.mark.parametrize("wrong", ["padding", "class_head", "backbone"])
def test_a_model_that_differs_is_seen(wrong, ask, folder):
    preset = detector(folder, mask_padding=wrong != "padding")
    for weight in preset.model.weights:
        if f"{wrong}/" in weight.path and weight.path.endswith(("bias", "beta")):
            weight.assign(weight + 0.1)
    alone, batch = differences(compare_detector(preset, ask))
    assert max(alone.values()) > 1e-3
    assert (max(batch.values()) > 1e-3) == (wrong != "padding")


def test_detectors_are_those_of_transformers(folder):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    rows = compare_with_transformers(detector(folder), folder)
    assert len(rows) == 8
    assert max(value for _, value in rows) < 1e-5
    rows = compare_with_transformers(detector(folder, mask_padding=False), folder)
    alone, batch = differences(rows)
    assert max(alone.values()) > 1e-3
    assert max(batch.values()) < 1e-5


def test_encoders_are_those_of_transformers(random, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    labels = {"id2label": {"0": "坏", "1": "good", "2": "so-so"}}
    config = BERT | labels | {"problem_type": "single_label_classification"}
    config |= {"architectures": ["BertForSequenceClassification"]}
    folder = checkpoints.write(tmp_path / "bert", config, bert_arrays(random, 3))
    rows = compare_with_transformers(convert(folder), folder)
    assert [name for name, _ in rows] == ["embeddings", "block 1", "block 2", "outputs"]
    assert max(value for _, value in rows) < 1e-5


# The process


@pytest.fixture
def script(monkeypatch, tmp_path):
    """Replaces what runs transformers."""

    def write(text):
        path = tmp_path / "script.py"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setattr(parity, "_SCRIPT", path)

    return write


def test_arrays_go_to_the_process_and_come_back(script, random):
    script(
        "import sys, numpy as np\n"
        "given = dict(np.load(sys.argv[3]))\n"
        "assert sys.argv[1:3] == ['kind', 'folder']\n"
        "np.savez(sys.argv[4], **{f'{k}-back': -v for k, v in given.items()})\n"
    )
    calls = [{"a": random.normal(size=(2, 3)), "b": np.arange(5)}, {"a": np.ones(7)}]
    answers = parity.ask_transformers("kind", "folder", calls)
    assert [sorted(one) for one in answers] == [["a-back", "b-back"], ["a-back"]]
    for call, answer in zip(calls, answers, strict=True):
        for name, array in call.items():
            np.testing.assert_array_equal(answer[f"{name}-back"], -array)


def test_what_the_process_says_is_told(script):
    script("raise OSError('no such checkpoint')")
    with pytest.raises(RuntimeError, match=r"not run folder:\n(.|\n)*no such checkp"):
        parity.ask_transformers("detector", "folder", [])


# The command


@pytest.mark.parametrize("source", ["keras_hub:bert", "detr.pth"])
def test_what_no_library_reads_is_not_compared(source, run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "detr.pth").touch()
    code, out, err = run("convert", source, "--out", tmp_path / "mine", "--verify")
    assert (code, out) == (2, "")
    words = " ".join(err.replace("│", " ").split())
    assert "which no other library can be asked about" in words
    assert "There is: marian, bert, detr" in words


def test_a_comparison_without_transformers_is_refused(
    run, monkeypatch, random, tmp_path
):
    folder = checkpoints.write(tmp_path / "bert", BERT, {})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run("convert", folder, "--out", tmp_path / "mine", "--verify")
    assert code == 2
    words = " ".join(err.replace("│", " ").split())
    assert "pip install torch transformers" in words
    assert not (tmp_path / "mine").exists()


def test_a_converted_detector_is_called_one(run, monkeypatch, tmp_path):
    recipe = registry.get("detection_detr", size="tiny", anchors="none")
    classes = ObjectClasses(("", "cat", "", "知识", "dog"), (0, 1, 2, 3, 4))
    task = DetectionTask(classes, 3, classification="softmax")
    model = recipe.build_model(task.model_options())
    preset = Preset(recipe, task, model, {})
    rows = [("logits, image 1", 4.2e-6)]
    family = Family(
        "of one", "", lambda path: True, lambda path: preset, lambda *_: rows, "json"
    )
    monkeypatch.setattr(
        "zoo.converters.find_checkpoint", lambda source: Checkpoint(tmp_path, family)
    )
    code, out, err = run("convert", "x", "--out", tmp_path / "mine", "--verify")
    assert (code, out.strip()) == (0, str(tmp_path / "mine"))
    assert "logits, image 1" in err
    assert "4.2e-06" in err
    weights = f"{model.count_params():,}"
    assert f"a detector of 3 classes, {weights} weights." in " ".join(err.split())
    for far in (2e-3, float("nan")):
        rows.append(("boxes, image 1", far))
        code, out, err = run("convert", "x", "--out", tmp_path / "far", "--verify")
        assert (code, out, (tmp_path / "far").exists()) == (1, "", False)
        words = " ".join(err.split())
        assert "boxes, image 1 differ by more than 0.001. Nothing was written" in words
        rows.pop()

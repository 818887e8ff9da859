"""The commands with a detector: data sets, images, and what is refused."""

import json

import pytest

import zoo
from tests.data.pictures import coco, save_coco
from zoo.data.made_up_images import made_up_images
from zoo.presets import Preset, save_preset
from zoo.training import prepare_finetuning, train_run
from zoo.weights import model_arrays, read_arrays

pytestmark = [
    pytest.mark.filterwarnings("ignore::zoo.training.FineTuningWarning"),
    pytest.mark.filterwarnings("default::zoo.data.parallel_text.DataWarning"),
]


@pytest.fixture(scope="module")
def untrained():
    """A detector of discs, squares and triangles that was never trained."""
    recipe = zoo.get("detection_detr", size="tiny", num_queries=5)
    task = recipe.task.resolve().learn(made_up_images(3), **recipe.task.options)
    model = recipe.build_model(task.model_options())
    return Preset(recipe, task, model, {"note": "made up"}, "some/detector")


@pytest.fixture(scope="module")
def folder(untrained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "untrained"
    save_preset(untrained, folder)
    return folder


@pytest.fixture
def cells(tmp_path):
    """A data set in COCO's form, with a box that reaches far out of its image."""
    boxes = [[[3, 5, 20, 11], [30, 8, 40, 20]], [], [[2, 2, 13, 17]]]
    return save_coco(tmp_path, coco(boxes, labels=("disc", "square")))


def test_data_is_checked_and_mended(run, cells, tmp_path):
    code, _, err = run("check-data", cells)
    assert code == 1 and "Mend them with --fix" in err
    code, out, err = run("check-data", cells, "--fix", "--out", tmp_path / "fixed.zip")
    assert code == 0, err
    assert "3 objects" in out and "2 labels: disc" in out
    code, out, err = run("check-data", tmp_path / "fixed.zip")
    assert code == 0 and "3 objects" in out, err


def test_objects_are_printed_and_drawn(run, folder, cells, tmp_path):
    image = cells.parent / "images" / "0.png"
    given = ["--set", "threshold=0.0"]
    code, out, err = run("predict", folder, image, *given)
    assert code == 0, err
    assert len(out.strip().splitlines()) == 5
    code, out, err = run("predict", folder, image, "--json", *given)
    (found,) = json.loads(out)
    assert found["size"] == [53, 41] and len(found["objects"]) == 5
    for more in ([], ["--attention"], ["--point", "3,4"]):
        path = tmp_path / f"{len(more)}.png"
        code, _, err = run("plot", folder, image, "--out", path, *more, *given)
        assert code == 0, err
        assert path.stat().st_size > 1_000


def test_an_evaluation_prints_and_writes_what_it_found(run, folder, cells, tmp_path):
    results = tmp_path / "found.json"
    code, out, err = run(
        "evaluate", folder, "--data", cells, "--fix", "--results", results
    )
    assert code == 0, err
    assert "AP50" in out and "(3 images, 3 objects)" in out
    assert {row["image_id"] for row in json.loads(results.read_text())} == {1, 2, 3}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "PRESET", "missing.png"], "No such file"),
        (["predict", "PRESET", "CELLS"], "cannot be read: not an image"),
        (["predict", "PRESET", "x.png", "--set", "threshold=x"], "threshold"),
        (["predict", "PRESET", "x.png", "--set", "top_k=3"], "no option 'top_k'"),
        (["plot", "PRESET", "x.png"], "drawn to a file"),
        (["plot", "PRESET", "x.png", "--out", "x.png"], "No such image"),
        (["evaluate", "PRESET", "--data", "CELLS", "--columns", "1,2"], "not for"),
        (["evaluate", "PRESET", "--data", "CELLS"], "outside"),
        (["export", "PRESET", "--out", "OUT", "--weights", "int8"], "float32"),
    ],
)
def test_what_cannot_be_is_told(run, folder, cells, tmp_path, arguments, message):
    names = {"PRESET": folder, "CELLS": cells, "OUT": tmp_path / "out"}
    code, _, err = run(*(names.get(each, each) for each in arguments))
    assert code in (1, 2)
    assert message.lower() in " ".join(err.split()).lower()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": "r50", "anchors": "encoder"}, "anchors=none"),
        ({"size": "r50", "strides": (8,)}, "strides are of size=small"),
        ({"size": "tiny", "strides": (8, 16)}, "strides are of size=small"),
        ({"anchors": "none", "strides": (8, 16)}, "one stride"),
        ({"dilation": True}, "dilation is of r50"),
        ({"mask_padding": False}, "mask_padding=False is of r50"),
        ({"anchors": "learnt", "classification": "softmax"}, "softmax goes with"),
        ({"anchors": "none", "denoising_groups": 2}, "denoising_groups go with"),
        ({"anchors": "none", "attention": "modulated"}, "attention goes with"),
        ({"anchors": "learnt", "distinct": 0.5}, "distinct goes with"),
        ({"distinct": 1.5}, r"in \[0, 1\].*distinct=1.5"),
        ({"num_queries": -1}, "at least 1.*num_queries=-1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        zoo.get("detection_detr", **options)


def test_a_fine_tuning_keeps_what_is_known_of_classes_by_name(untrained, tmp_path):
    data = made_up_images(12, seed=3)
    keep = [i for i in range(12) if "disc" not in data.labels[i]]
    other = data.subset(keep)
    other.categories.pop("disc")
    assert len(other) >= 2
    other = other.subset(list(range(len(other))) * 6)
    short = {"steps": 2, "round_steps": 2, "learning_rate": 0.0, "warmup_steps": 0}
    prepare_finetuning(untrained, other, other, tmp_path / "run", **short)
    start, _ = read_arrays(tmp_path / "run" / "start.safetensors")
    old = model_arrays(untrained.model)
    for head in ("head", "proposal_head"):
        for part in ("kernel", "bias"):
            new, known = start[f"{head}/{part}"], old[f"{head}/{part}"]
            assert new.shape[-1] == 2
            assert (new == known[..., 1:]).all()
    preset = train_run(tmp_path / "run")
    assert preset.task.classes.names == ("square", "triangle")

"""The README's commands and Python, run as a stranger would, on made-up data."""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from tests.commands import run_zoo
from zoo.metrics.detection import as_coco_truth
from zoo.tasks.detection import DetectionTask
from zoo.tasks.text_classification import TextClassificationTask
from zoo.tasks.translation import TranslationTask

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
# Trainings are made short; nothing else is changed.
SHORTER = "--set steps=4 --set round_steps=2"
SHORT = f"--set size=tiny {SHORTER}"


def _blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path
    for name in ("train", "valid", "test", "my-test", "mine", "mine-valid"):
        text = TranslationTask.made_up(30, seed=len(name))
        lines = zip(text.sources, text.targets, strict=True)
        content = "".join(f"{source}\t{target}\n" for source, target in lines)
        (folder / f"{name}.tsv").write_text(content, encoding="utf-8")
    for name in ("reviews", "reviews-test"):
        data = TextClassificationTask.made_up(40, seed=len(name))
        rows = zip(data.texts, data.labels, strict=True)
        content = "".join(f"{text},{label}\n" for text, label in rows)
        (folder / f"{name}.csv").write_text(f"text,label\n{content}", encoding="utf-8")
    for name, count in (("cells", 14), ("cells-test", 4)):
        _write_cells(folder, name, count)
    return folder


def _write_cells(folder, name, count):
    """Made-up shapes, under the names of blood cells, in COCO's form."""
    data = DetectionTask.made_up(count, seed=count)
    rows = dict(zip(data.categories, ("RBC", "WBC", "Platelets"), strict=True))
    names = [[rows[label] for label in labels] for labels in data.labels]
    classes = list(rows.values())
    truths = [
        {"boxes": boxes, "labels": [classes.index(each) for each in labels]}
        | {"crowds": crowds, "size": size}
        for boxes, labels, crowds, size in zip(
            data.boxes, names, data.crowds, data.sizes, strict=True
        )
    ]
    files = [f"cells/{name[5:]}{number}.png" for number in data.ids]
    content = as_coco_truth(truths, classes, data.ids, (1, 2, 3), files)
    (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / "cells").mkdir(exist_ok=True)
    for image, file in zip(data.images, files, strict=True):
        (folder / file).write_bytes(image.read_bytes())
    (folder / "smear.jpg").write_bytes(data.images[0].read_bytes())


def _commands(part: str) -> list[str]:
    """The zoo commands of a part's console blocks."""
    lines = "".join(_blocks("console", part)).splitlines()
    commands = [line.split("  #")[0].removeprefix("$ ") for line in lines]
    return [command for command in commands if " zoo " in f" {command} "]


# Sections and paragraphs with a title stand alone: they may run side by side.
PARTS = {
    part.partition("\n")[0]: _commands(part)
    for part in re.split(r"\n(?=## |\*\*)", README)
    if _commands(part)
}


def test_it_has_commands_to_run():
    assert len(PARTS) >= 4
    assert sum(map(len, PARTS.values())) >= 8


@pytest.mark.parametrize("part", PARTS)
def test_its_zoo_commands_run_in_order(part, folder):
    prepared = 0
    for command in PARTS[part]:
        environment = {}
        if command.startswith("KERAS_BACKEND=jax "):
            if importlib.util.find_spec("jax") is None:
                continue
            command = command.removeprefix("KERAS_BACKEND=jax ")
            environment["KERAS_BACKEND"] = "jax"
        if "zoo train translation_rnn" in command:
            prepared += 1
            command = f"{command} {SHORT}".replace("--out run", f"--out run{prepared}")
        if "zoo finetune" in command and "--resume" not in command:
            command = f"{command} {SHORTER}"
        if prepared:
            command = re.sub(r"\brun\b(?=$|/)", f"run{prepared}", command.strip())
        words = shlex.split(command)
        assert words[0] == "zoo", command
        done = run_zoo(words[1:], folder, **environment)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        for picture in re.findall(r"--(?:out|reliability) (\S+\.png)", command):
            assert (folder / picture).stat().st_size > 1_000


# Two steps need not make anything better.
@pytest.mark.filterwarnings("ignore::zoo.training.FineTuningWarning")
def test_its_python_runs(folder, monkeypatch):
    monkeypatch.chdir(folder)
    random = np.random.default_rng(0)
    names = {
        "query": random.normal(size=(2, 3, 5)).astype("float32"),
        "values": random.normal(size=(2, 7, 11)).astype("float32"),
        "key_mask": np.ones((2, 7), bool),
    }
    blocks = [block for block in _blocks("python") if "zoo.client" not in block]
    assert len(blocks) == 5
    for block in blocks:
        block, shortened = re.subn(
            r"steps=500,\s+round_steps=100", "steps=2, round_steps=1", block
        )
        assert shortened == ("zoo.finetune(" in block)
        exec(compile(block, "README.md", "exec"), names)
    assert (folder / "heatmap.svg").is_file()
    assert (folder / "words.html").is_file()
    assert (folder / "looks.png").is_file()
    assert (folder / "my-preset" / "weights.safetensors").is_file()
    assert names["weights"].shape == (2, 3, 7)
    assert names["head_weights"].shape == (2, 8, 3, 7)


def test_its_client_asks_a_server(folder, monkeypatch):
    import zoo
    from zoo.serving.model_config import ModelConfig
    from zoo.serving.models import Models
    from zoo.serving.server import Server

    monkeypatch.chdir(folder)
    (block,) = [block for block in _blocks("python") if "zoo.client" in block]
    zoo.load("translation_transformer/en-zh").export(folder / "models")
    models = Models([ModelConfig("translation", folder / "models")])
    with Server(models, rest_port=0, grpc_port=0) as server:
        port = f"localhost:{server.rest_port}"
        exec(compile(block.replace("localhost:8501", port), "README.md", "exec"), {})
    assert (folder / "served.png").stat().st_size > 1_000


def test_what_it_says_a_preset_answers_is_what_it_answers():
    import zoo

    presets = {
        "translator": "translation_transformer/en-zh",
        "classifier": "text_classification_bert/movie-sentiment",
    }
    for name, preset in presets.items():
        ((text, answer),) = re.findall(rf'{name}\("(.*?)"\)\s+# \'(.*?)\'', README)
        assert zoo.load(preset)(text) == answer


def test_its_figures_are_those_of_the_cards():
    import zoo
    from zoo.presets import read_card

    for name in zoo.preset_names():
        scores = read_card(name).get("scores")
        if scores is None:
            continue  # an encoder, which answers nothing yet
        (row,) = [
            line
            for line in README.splitlines()
            if line.startswith("|") and f"`zoo evaluate {name}`" in line
        ]
        if "AP" in scores:
            for key in ("AP", "AP50", "AP75"):
                assert f"{100 * scores[key]:.1f}" in row
            continue
        if "accuracy" in scores:
            assert f"{100 * scores['accuracy']:.1f}" in row
            assert f"{100 * scores['macro_f1']:.1f}" in row
            assert f"{100 * scores['ece']:.1f}" in row
            assert f"{100 * scores['baseline']['accuracy']:.1f}" in row
            continue
        assert f"{scores['bleu']:.2f}" in row and f"{scores['chrf']:.2f}" in row
        for bucket in scores["by_length"]:
            assert f"{bucket['bleu']:.1f}" in row
        assert scores["signatures"]["bleu"] in README

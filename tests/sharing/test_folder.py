import json
import sys

import keras
import numpy as np
import pytest

import zoo
from tests.hub.stand_ins import Hub
from zoo import registry
from zoo.presets import Preset, load_preset, save_preset
from zoo.sharing.folder import save_for_hub, save_for_keras
from zoo.sharing.push import files_to_push, push
from zoo.sharing.readme import licence_id, readme

RECIPES = {
    "translation": "translation_rnn",
    "text_classification": "text_classification_rnn",
    "detection": "detection_detr",
}
CARD = {
    "description": 'Says "no": a preset.',
    "recipe": "translation_rnn",
    "licence": "CC BY-SA 4.0 (weights)",
    "data": {"sources": ["owner/data", "A set, https://a.b"], "splits": "9 and 1"},
    "source": {"name": "owner/base", "weights_sha256": {"a": "1"}},
    "limits": "Few.",
    "scores": {
        "data": "test.tsv.gz",
        "bleu": 34.82,
        "chrf": 29.5,
        "accuracy": float("nan"),
        "signatures": {"bleu": "nrefs:1|case:mixed"},
    },
}


@pytest.fixture(scope="module")
def presets():
    found = {}
    for task, name in RECIPES.items():
        recipe = registry.get(name, size="tiny")
        kind = recipe.task.resolve()
        own = kind.learn(kind.made_up(60), **recipe.task.options)
        model = recipe.build_model(own.model_options())
        found[task] = Preset(recipe, own, model, CARD, "somewhere/en-zh")
    return found


def metadata_of(folder):
    from huggingface_hub import metadata_load

    return metadata_load(folder / "README.md")


@pytest.mark.parametrize("task", RECIPES)
def test_what_goes_to_the_hub_comes_back_to_the_last_bit(task, presets, tmp_path):
    preset = presets[task]
    save_for_hub(preset, tmp_path / "mine")
    names = {path.name for path in (tmp_path / "mine").iterdir()}
    assert names == {
        "README.md", "model.safetensors", "config.json", "card.json", "vocabulary"
    }  # fmt: skip
    again = load_preset(tmp_path / "mine")
    for one, other in zip(preset.model.weights, again.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.recipe == preset.recipe
    assert again.task.describe() == preset.task.describe()
    assert {path.name for path in tmp_path.iterdir()} == {"mine"}
    with pytest.raises(ValueError, match="holds something already"):
        save_for_hub(preset, tmp_path / "mine")


@pytest.mark.parametrize("task", RECIPES)
def test_a_file_of_keras_is_opened_by_keras(task, presets, tmp_path):
    import warnings

    preset = presets[task]
    with warnings.catch_warnings():
        # Keras's own, of how it reads its variables.
        warnings.simplefilter("ignore", DeprecationWarning)
        save_for_keras(preset, tmp_path / "mine")
        model = keras.saving.load_model(tmp_path / "mine" / "model.keras")
    assert type(model) is type(preset.model)
    for one, other in zip(preset.model.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    own = type(preset.task).load(tmp_path / "mine" / "vocabulary")
    assert own.describe() == preset.task.describe()


# The card, as the hub's own client reads it


def test_the_hub_reads_the_metadata(presets, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    save_for_hub(presets["translation"], tmp_path / "mine", examples=("A: b? «c»",))
    found = metadata_of(tmp_path / "mine")
    assert found == {
        "language": ["en", "zh"],
        "license": "cc-by-sa-4.0",
        "library_name": "keras",
        "pipeline_tag": "translation",
        "tags": ["attention-zoo", "translation_rnn"],
        "datasets": ["owner/data"],
        "base_model": "owner/base",
        "widget": [{"text": "A: b? «c»"}],
        "metrics": ["bleu", "chrf"],
        "model-index": found["model-index"],
    }
    card = hub.ModelCard.load(tmp_path / "mine" / "README.md")
    scores = {one.metric_name: one.metric_value for one in card.data.eval_results}
    assert scores == {"BLEU": 34.82, "chrF": 29.5}
    assert {one.task_type for one in card.data.eval_results} == {"translation"}
    for text in ('Says "no": a preset.', "| BLEU | 34.82 |", "nrefs:1|case:mixed"):
        assert text in card.text


@pytest.mark.parametrize("text", ["no", "a: b # c", "---", '"', "\\", "- x", "é\n\tz"])
def test_any_text_is_metadata(text, tmp_path):
    pytest.importorskip("huggingface_hub")
    card = {"licence": text, "source": {"name": text}, "recipe": text}
    content = readme(card, text, "translation", True, ("no",), (text, "b"))
    (tmp_path / "README.md").write_text(content, encoding="utf-8", newline="")
    found = metadata_of(tmp_path)
    assert found["language"] == ["no"]
    assert found["widget"] == [{"text": text}, {"text": "b"}]
    assert (found["license"], found["license_name"]) == ("other", text)
    assert found["tags"] == ["attention-zoo", text]


@pytest.mark.parametrize(
    "task, labels, tag",
    [
        ("detection", True, "object-detection"),
        ("text_classification", True, "text-classification"),
        ("text_classification", False, "feature-extraction"),
    ],
)
def test_every_task_has_the_hub_s_name_for_it(task, labels, tag):
    text = readme({}, "a", task, labels, (), ("x",))
    assert f"pipeline_tag: {tag}\n" in text
    assert ("widget" in text) == (task != "detection")
    assert "license: unknown\n" in text


def test_licences_have_the_hub_s_names():
    for licence, name in (
        ("Apache-2.0 (weights and vocabulary)", "apache-2.0"),
        ("apache-2.0 (model card)", "apache-2.0"),
        ("MIT (weights and test split); more", "mit"),
        ("mitigated", "other"),
        ("CC BY-SA 4.0 (weights)", "cc-by-sa-4.0"),
        ("CC BY 4.0", "cc-by-4.0"),
        ("mpl-2.0 (model card)", "mpl-2.0"),
        ("Mozilla Public License Version 2.0 (LICENSE)", "mpl-2.0"),
        ("Apache License, Version 2.0 (LICENSE)", "apache-2.0"),
        ("unknown: see the source", "unknown"),
    ):
        assert licence_id(licence) == name


def test_a_notice_that_is_to_be_kept_is_kept():
    """Those of Mozilla's models ask for it."""
    text = readme({"notice": "Keep this."}, "a", "translation")
    assert "## Notice\n\nKeep this.\n" in text
    assert "Notice" not in readme({}, "a", "translation")


# Pushing


@pytest.fixture
def hub(monkeypatch, tmp_path):
    made = Hub(tmp_path / "cache")
    monkeypatch.setitem(sys.modules, "huggingface_hub", made.client)
    return made


@pytest.fixture
def folder(presets, tmp_path):
    save_for_hub(presets["text_classification"], tmp_path / "mine")
    return tmp_path / "mine"


def test_what_is_pushed_can_be_loaded_from_the_hub(hub, folder, presets, run):
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    code, out, _ = run("push", folder, "hf://me/mine", "--private")
    assert (code, out.strip()) == (0, "https://there/me/mine/commit/1")
    assert ("create", "me/mine", True, True) in hub.calls
    sent = {path.name for path in hub.repositories["me/mine"].rglob("*")}
    assert "model.safetensors" in sent
    assert "vocabulary" in sent
    assert not sent & {".git", "config"}
    found = zoo.load("hf://me/mine")
    assert found.name == "me/mine"
    weights = presets["text_classification"].model.weights
    for one, other in zip(weights, found.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_second_push_replaces_the_first(hub, folder, presets, tmp_path):
    push(folder, "hf://me/mine")
    there = hub.repositories["me/mine"]
    for name in (
        "vocabulary/old.txt",
        "weights.safetensors",
        "model-00001-of-00002.safetensors",
        "model.safetensors.index.json",
        "figure.png",
    ):
        (there / name).write_bytes(b"{}")
    save_for_hub(presets["translation"], tmp_path / "other")
    push(tmp_path / "other", "hf://me/mine")
    found = {path.relative_to(there).as_posix() for path in there.rglob("*.*")}
    assert found == {*files_to_push(tmp_path / "other"), "figure.png"}
    assert load_preset(there).recipe.name == RECIPES["translation"]


def test_names_are_no_patterns(hub, folder):
    (folder / "notes [1].md").write_text("a")
    push(folder, "hf://me/mine")
    assert (hub.repositories["me/mine"] / "notes [1].md").is_file()


def test_a_refusal_without_a_word_is_told(hub, folder, monkeypatch):
    def refuses(*_, **__):
        error = hub._error("HfHubHTTPError", 500)
        error.args = ("",)
        raise error

    monkeypatch.setattr(hub, "create_repo", refuses)
    with pytest.raises(ConnectionError, match=r"refuses \(HfHubHTTPError\)"):
        push(folder, "hf://me/mine")


def test_a_dry_run_lists_and_sends_nothing(hub, folder, run):
    code, out, err = run("push", folder, "hf://me/mine", "--dry-run")
    assert (code, out, hub.calls) == (0, "", [])
    for name, size in files_to_push(folder).items():
        assert name in err
        assert f"{size:,}" in err
    assert "Nothing was sent to hf://me/mine" in err


def test_what_cannot_be_pushed_is_said(hub, folder, presets, tmp_path):
    save_preset(presets["text_classification"], tmp_path / "preset")
    with pytest.raises(ValueError, match=r"has no README.md.*--format hf"):
        push(tmp_path / "preset", "hf://me/mine")
    with pytest.raises(PermissionError, match=r"403.*hf auth login"):
        push(folder, "hf://other/mine")
    hub.user = None
    with pytest.raises(PermissionError, match="no token: hf auth login"):
        push(folder, "hf://me/mine")
    hub.online = False
    with pytest.raises(ConnectionError, match="cannot be reached"):
        push(folder, "hf://me/mine")
    with pytest.raises(ValueError, match="without a revision"):
        push(folder, "hf://me/mine@v1")
    (folder / "link.txt").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match="is a link"):
        push(folder, "hf://me/mine")
    assert not hub.repositories


# The command


def test_the_command_writes_either_form(presets, run, tmp_path):
    save_preset(presets["translation"], tmp_path / "en-zh")
    given = ("save", tmp_path / "en-zh", "--out", tmp_path / "mine")
    code, out, _ = run(*given, "--format", "hf", "--example", "A.", "--language", "en")
    assert (code, out.strip()) == (0, str(tmp_path / "mine"))
    text = (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlanguage:\n- en\nlicense:")
    assert "widget:\n- text: A.\n" in text
    code, _, err = run(*given, "--format", "hf")
    assert code == 1
    assert "holds something already" in err
    code, _, _ = run(*given, "--format", "keras", "--precision", "int8")
    assert code == 2
    card = json.loads((tmp_path / "mine" / "card.json").read_text(encoding="utf-8"))
    assert card["recipe"] == "translation_rnn"

"""Exports: what they promise, what they leave behind."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.export import Exportable, audit, export, next_version
from zoo.export.check_export import answer_export, check_export, run_export
from zoo.files import MANIFEST, read_json
from zoo.models import Transformer
from zoo.tasks.translation import TranslationTask


def _exportable(function, dtype=tf.float32):
    module = tf.Module()
    signature = tf.function(
        function, input_signature=[tf.TensorSpec([None], dtype, name="numbers")]
    )
    return Exportable(
        module=module,
        signatures={"serving_default": signature},
        samples={"serving_default": {"numbers": [1.0, 2.0]}},
        details={},
    )


def test_versions_count_up(tmp_path):
    exportable = _exportable(lambda numbers: {"out": numbers + 1.0})
    first = export(exportable, tmp_path / "model")
    (tmp_path / "model" / "9").mkdir()
    (tmp_path / "model" / "notes").mkdir()
    assert first.name == "1"
    assert export(exportable, tmp_path / "model").name == "10"
    assert next_version(tmp_path / "model") == 11


def test_a_number_that_was_taken_meanwhile_is_left_alone(tmp_path, monkeypatch):
    other, rename = tmp_path / "model" / "1" / "saved_model.pb", Path.rename

    def renamed(path, target):
        if not other.exists():
            other.parent.mkdir()
            other.write_bytes(b"another export's")
        return rename(path, target)

    # Between the look for a free number and the name.
    monkeypatch.setattr(Path, "rename", renamed)
    exportable = _exportable(lambda numbers: {"out": numbers})
    assert export(exportable, tmp_path / "model").name == "2"
    assert other.read_bytes() == b"another export's"
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["1", "2"]


def test_missing_folders_of_the_named_path_are_made(tmp_path):
    exportable = _exportable(lambda numbers: {"out": numbers})
    version = export(exportable, tmp_path / "new" / "model")
    assert version == tmp_path / "new" / "model" / "1"


def test_a_failing_save_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*arguments, **more):
        raise OSError("No space left on device")

    monkeypatch.setattr("zoo.export.write.write_json", fail)
    with pytest.raises(OSError, match="space"):
        export(_exportable(lambda numbers: {"out": numbers}), tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []


@pytest.fixture(scope="module")
def preset():
    return zoo.load("translation_rnn/en-zh")


@pytest.fixture(scope="module")
def exported(preset, tmp_path_factory):
    return preset.export(tmp_path_factory.mktemp("exports") / "translation")


def test_signatures_have_the_promised_names_types_and_shapes(exported):
    signatures = read_json(exported / "assets.extra" / "zoo.json")["signatures"]
    texts = {"texts": {"dtype": "string", "shape": [None]}}
    default = {
        "translations": {"dtype": "string", "shape": [None]},
        "scores": {"dtype": "float32", "shape": [None]},
        "truncated": {"dtype": "bool", "shape": [None]},
    }
    alignment = {
        "source_pieces": {"dtype": "string", "shape": [None, None]},
        "target_pieces": {"dtype": "string", "shape": [None, None]},
        "source_lengths": {"dtype": "int32", "shape": [None]},
        "target_lengths": {"dtype": "int32", "shape": [None]},
        "alignment": {"dtype": "float32", "shape": [None, None, None]},
    }
    found = {
        name: (signature["inputs"], signature["outputs"])
        for name, signature in signatures.items()
    }
    # The hypotheses' axis: as many as the export was asked for.
    many = {
        name: spec | {"shape": [None, 1, *spec["shape"][1:]]}
        for name, spec in (default | alignment).items()
        if not name.startswith(("source", "truncated"))
    }
    pairs = texts | {"translations": {"dtype": "string", "shape": [None]}}
    scored = {
        "scores": {"dtype": "float32", "shape": [None]},
        "log_probabilities": {"dtype": "float32", "shape": [None]},
        "target_lengths": {"dtype": "int32", "shape": [None]},
        "truncated": {"dtype": "bool", "shape": [None]},
    }
    assert found == {
        "serving_default": (texts, default),
        "with_alignment": (texts, default | alignment),
        "n_best": (texts, default | alignment | many),
        "score": (pairs, scored),
    }


def test_the_export_holds_only_operations_of_every_server(exported):
    operations = audit(exported)
    assert "SentencepieceTokenizeOp" in operations
    assert not {name for name in operations if name.startswith(("Xla", "PyFunc"))}


def test_the_manifest_says_what_it_is(exported, preset):
    manifest = read_json(exported / "assets.extra" / "zoo.json")
    described = preset.task.describe()
    assert manifest["details"]["source_vocabulary"] == described["source_vocabulary"]
    assert manifest["card"]["licence"] == preset.card["licence"]
    assert manifest["card"]["scores"]["bleu"] == preset.card["scores"]["bleu"]


def test_a_clean_process_answers_hard_input_like_the_preset(exported, preset):
    texts = [
        "",
        "   ",
        "Where is the cat?",
        "a" * 10_000,
        "word " * 3_000,
        "\N{GRINNING FACE} \N{SNOWMAN}",
        "我已经是中文了。",
        "tab\tand\nnewline",
    ]
    moved = exported.parent.parent / "elsewhere"
    shutil.copytree(exported, moved)
    answer = run_export(moved, {"serving_default": {"texts": texts}})["serving_default"]
    found = preset.predict(texts)
    assert answer["translations"] == [one.text for one in found]
    np.testing.assert_allclose(
        answer["scores"], [one.score for one in found], rtol=1e-4
    )
    assert answer["truncated"] == [one.truncated for one in found]
    assert answer["truncated"] == [len(text) > 2_000 for text in texts]
    assert answer["translations"][:2] == ["", ""]


def test_an_empty_batch_gives_an_empty_answer(exported):
    answer = run_export(exported, {"serving_default": {"texts": []}})
    assert answer["serving_default"]["translations"] == []


def test_bytes_that_are_not_utf_8_do_not_fail_the_batch(exported):
    loaded = tf.saved_model.load(str(exported))
    answer = loaded.signatures["serving_default"](
        texts=tf.constant([b"\xff\xfe\x80", b"Where is the cat?"])
    )
    assert answer["translations"].shape == (2,)


def test_the_alignment_of_an_export_is_that_of_the_preset(exported, preset, tmp_path):
    text = "The cat is sitting on the table."
    answer = run_export(exported, {"with_alignment": {"texts": [text, "Hi."]}})
    answer = answer["with_alignment"]
    found = preset.attention(text)
    targets, sources = answer["target_lengths"][0], answer["source_lengths"][0]
    assert answer["source_pieces"][0][:sources] == found.source_pieces
    assert answer["target_pieces"][0][:targets] == found.target_pieces
    weights = np.array(answer["alignment"][0])
    np.testing.assert_allclose(weights[:targets, :sources], found.weights, atol=1e-5)
    np.testing.assert_allclose(weights[:targets].sum(axis=1), 1.0, atol=1e-5)
    assert not weights[targets:].any() and not weights[:, sources:].any()


def test_a_model_without_attention_exports_no_alignment(tmp_path):
    recipe = zoo.get("translation_rnn", size="tiny", attention="none")
    task = recipe.task.resolve()
    task = task.learn(task.made_up(50), vocabulary_size=32)
    runner = task.runner(recipe.build_model(task.model_options()))
    version = export(runner.exported(), tmp_path / "model")
    assert list(check_export(version)) == ["serving_default", "n_best", "score"]


# A Transformer, with alternatives

TEXTS = ["sun moon", "", "wind rain wind", "seed"]
GIVEN = ["月日", "雨", "", "种风雨"]


@pytest.fixture(scope="module")
def alternatives():
    """A runner of a Transformer of random weights, and options."""
    task = TranslationTask.learn(TranslationTask.made_up(50), vocabulary_size=32)
    # Large enough for its weights to be most of an export.
    model = Transformer(
        **task.model_options(), units=192, hidden_size=384, num_heads=3, num_layers=1
    )
    model.build(None)
    return task.runner(model), {"num_hypotheses": 3, "length_penalty": 0.6}


@pytest.fixture(scope="module")
def folded(alternatives, tmp_path_factory):
    runner, options = alternatives
    folder = tmp_path_factory.mktemp("exports") / "transformer"
    return export(runner.exported(**options), folder)


@pytest.fixture(scope="module")
def answers(folded):
    """What it answers in a clean process."""
    requests = [("n_best", {"texts": TEXTS}), ("n_best", {"texts": []})]
    requests += [("score", {"texts": TEXTS, "translations": GIVEN})]
    requests += [("serving_default", {"texts": TEXTS})]
    return answer_export(folded, requests)


def test_alternatives_of_an_export_are_those_of_the_model(alternatives, answers):
    runner, options = alternatives
    best = answers[0]
    for row, found in enumerate(runner.predict(TEXTS, **options)):
        found = [found, *found.alternatives]
        lengths = best["target_lengths"][row]
        assert [length > 0 for length in lengths] == [n < len(found) for n in range(3)]
        assert best["translations"][row][: len(found)] == [one.text for one in found]
        scores = best["scores"][row][: len(found)]
        np.testing.assert_allclose(scores, [one.score for one in found], rtol=1e-4)
    alignment = runner.attention(TEXTS[2], hypothesis=1, **options)
    sources, targets = best["source_lengths"][2], best["target_lengths"][2][1]
    assert best["target_pieces"][2][1][:targets] == alignment.target_pieces
    weights = np.array(best["alignment"][2][1])[:targets, :sources]
    np.testing.assert_allclose(weights, alignment.weights, atol=1e-5)
    assert answers[1]["translations"] == []
    # The default signature gives the best alone.
    default = answers[3]
    assert default["translations"] == [row[0] for row in best["translations"]]
    np.testing.assert_allclose(default["scores"], [row[0] for row in best["scores"]])


def test_scores_of_an_export_are_those_of_the_model(alternatives, answers):
    runner, _ = alternatives
    found, lengths = answers[2], np.array(answers[2]["target_lengths"])
    processor = runner.task.target_vocabulary.processor
    assert lengths.tolist() == [len(processor.encode(text)) + 1 for text in GIVEN]
    expected = np.array(runner.log_probabilities(TEXTS, GIVEN))
    np.testing.assert_allclose(found["log_probabilities"], expected, rtol=1e-4)
    ranked = expected / ((5 + lengths) / 6) ** 0.6
    np.testing.assert_allclose(found["scores"], ranked, rtol=1e-4)


def test_weights_are_written_once_for_all_signatures(alternatives, folded):
    runner, _ = alternatives
    weights = 4 * sum(weight.numpy().size for weight in runner.model.weights)
    written = (folded / "saved_model.pb").stat().st_size
    # Besides, both vocabularies and the graph.
    assert weights < written < 1.5 * weights
    assert sum(path.stat().st_size for path in folded.glob("variables/*")) < 10_000
    assert list(read_json(folded / MANIFEST)["signatures"]) == [
        "serving_default",
        "n_best",
        "with_alignment",
        "score",
    ]


def test_the_manifest_is_plain_json(exported):
    text = (exported / "assets.extra" / "zoo.json").read_text(encoding="utf-8")
    assert json.loads(text)["format"] == 1

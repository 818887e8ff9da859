"""BLEU by source length: the bins, their intervals, and presets that compare."""

import csv

import pytest

import zoo
from zoo.data.parallel_text import ParallelText, write_parallel_text
from zoo.presets import Preset, save_preset
from zoo.studies import source_length
from zoo.studies.measurements import FILE
from zoo.studies.source_length import (
    SourceLengthOptions,
    binned_scores,
    measure_source_length,
    report_source_length,
)


def test_bins_hold_every_sentence_once_and_intervals_hold_the_score():
    right = ["the cat sat on the mat ."] * 60
    wrong = ["a dog ran over the wet lawn ."] * 60
    references = [[text] for text in right + wrong]
    translations = right + ["the cat ran over the wet lawn ."] * 60
    lengths = [3] * 30 + [5] * 30 + [9] * 60
    rows = binned_scores(translations, references, lengths, (5, 8))
    assert [(row["length"], row["sentences"]) for row in rows] == [
        ("1-5", 60),
        ("9+", 60),
    ]
    assert [row["mean_length"] for row in rows] == [4, 9]
    assert rows[0]["bleu"] == 100
    for row in rows:
        # The score is rounded to hundredths.
        assert row["bleu_low"] - 0.01 <= row["bleu"] <= row["bleu_high"] + 0.01


def test_a_wider_spread_of_quality_is_a_wider_interval():
    references = [["the cat sat on the mat ."]] * 80
    half = ["the cat sat on the mat ."] * 40 + ["a dog ran ."] * 40
    (mixed,) = binned_scores(half, references, [4] * 80, (8,))
    (even,) = binned_scores(["the cat sat ."] * 80, references, [4] * 80, (8,))
    assert mixed["bleu_high"] - mixed["bleu_low"] > 5
    assert even["bleu_high"] - even["bleu_low"] < 1e-6


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    """Two presets that were never trained, with the same test split."""
    from zoo.tasks.translation import TranslationTask

    folder = tmp_path_factory.mktemp("presets")
    text = TranslationTask.made_up(24, seed=3)
    for name, attention in (("with", "bahdanau"), ("without", "none")):
        recipe = zoo.get("translation_rnn", size="tiny", attention=attention)
        task = TranslationTask.learn(text, **recipe.task.options)
        model = recipe.build_model(task.model_options())
        save_preset(Preset(recipe, task, model, {}), folder / name)
        write_parallel_text(text, folder / name / "test.tsv.gz")
    return [str(folder / "with"), str(folder / "without")]


def test_presets_are_scored_once_and_can_be_added(presets, tmp_path, monkeypatch):
    first = SourceLengthOptions((presets[0],), edges=(2,))
    measure_source_length(tmp_path, first, lambda *_: None)
    both = SourceLengthOptions(tuple(presets), edges=(2,))
    loaded, load = [], source_length.load
    monkeypatch.setattr(
        source_length, "load", lambda name: loaded.append(name) or load(name)
    )
    kept = measure_source_length(tmp_path, both, lambda *_: None)
    assert [row["preset"] for row in kept.rows] == presets
    assert loaded[0] == presets[1]
    (table,) = report_source_length(tmp_path, both, kept)
    assert {path.name for path in tmp_path.iterdir()} == {
        *(FILE, "bottleneck.md", "bottleneck.csv", "bottleneck.png", "bottleneck.svg")
    }
    rows = list(
        csv.DictReader(
            (tmp_path / "bottleneck.csv").read_text(encoding="utf-8").splitlines()
        )
    )
    assert sum(int(row["sentences"]) for row in rows) == 2 * 24
    assert len(table.rows) == len(rows)
    other = SourceLengthOptions(tuple(presets), edges=(3,))
    with pytest.raises(ValueError, match=r"edges was \[2\] and is now \[3\]"):
        measure_source_length(tmp_path, other, lambda *_: None)


def test_presets_with_different_test_splits_are_refused(presets, tmp_path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(presets[1], other)
    write_parallel_text(ParallelText(["sun"], [["日"]], [""]), other / "test.tsv.gz")
    options = SourceLengthOptions((presets[0], str(other)))
    with pytest.raises(ValueError, match=r"different test splits.*Give --data"):
        measure_source_length(tmp_path / "out", options, lambda *_: None)
    (other / "test.tsv.gz").unlink()
    with pytest.raises(ValueError, match="has no test split of its own: give --data"):
        measure_source_length(tmp_path / "out", options, lambda *_: None)
    assert not (tmp_path / "out").exists()


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="named once"):
        SourceLengthOptions(("a", "a"))
    with pytest.raises(ValueError, match="lengths must rise"):
        SourceLengthOptions(("a",), edges=(5, 3))

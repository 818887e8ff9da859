import csv
from dataclasses import asdict

import pytest

from zoo.files import write_json
from zoo.studies import scores, scores_models
from zoo.studies.measurements import Measurements
from zoo.studies.scores import ScoresOptions
from zoo.studies.scores_report import report_scores
from zoo.tasks.translation import TranslationTask

SMALL = {"size": "tiny", "steps": 2, "batch_tokens": 64, "longest": 16}


def quiet(*told):
    pass


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores") / "study"
    options = ScoresOptions(attentions=("none", "hard"), seeds=(3,), **SMALL)
    text = TranslationTask.made_up(30, seed=1)
    scores.prepare(folder, text, text, options)
    assert not scores.train(folder, quiet, stop=lambda: True)
    assert scores.train(folder, quiet)
    return folder


def test_every_model_is_trained_once(trained, monkeypatch):
    names = sorted(path.name for path in (trained / "models").iterdir())
    assert names == ["hard-global-3", "none-global-3"]
    for folder in (trained / "models").iterdir():
        files = {path.name for path in folder.glob("*.safetensors")}
        assert files == {"weights.safetensors"}
    monkeypatch.setattr(scores_models, "train_model_of", None)
    assert scores.train(trained, quiet)


def test_it_measures_once_and_reports_what_it_measured(trained, monkeypatch):
    test = TranslationTask.made_up(8, seed=2)
    measured = scores.measure(trained, test, quiet)
    (row,) = measured.find(kind="quality", attention="hard")
    assert row["seed"] == 3
    assert row["entropy"] == pytest.approx(0.0, abs=1e-6)
    assert measured.find(kind="quality", attention="none")[0]["entropy"] is None
    (table,) = report_scores(trained, measured)
    hard = next(row for row in table.rows if row["attention"] == "hard")
    assert hard["valid_perplexity"] == row["valid_perplexity"]
    assert hard["time_low"] <= hard["time"] <= hard["time_high"]
    with open(trained / "scores.csv", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 2
    assert (trained / "scores.png").stat().st_size > 1_000
    monkeypatch.setattr(scores_models, "quality", None)
    monkeypatch.setattr(scores_models, "times", None)
    assert scores.measure(trained, test, quiet).rows == measured.rows


def test_a_row_is_the_mean_of_seeds_that_were_trained_alike(tmp_path):
    options = ScoresOptions(attentions=("none", "hard"), seeds=(0, 1, 5), **SMALL)
    cells = [("none", "global"), ("hard", "global")]
    assert options.models == [(*cell, seed) for seed in (0, 1, 5) for cell in cells]
    write_json(tmp_path / "study.json", {"study": "scores", "options": asdict(options)})
    kept = Measurements(tmp_path, "scores", {})
    same = {"signature": "case:mixed", "backend": "jax", "weights": 7}
    for attention, window, seed in options.models:
        cell = {"attention": attention, "window": window}
        quality = {"valid_perplexity": 9.0 - seed, "bleu": 20.0 + seed, "chrf": 2.0}
        entropy = None if attention == "none" else seed / 3
        kept.add(kind="quality", **cell, seed=seed, **quality, entropy=entropy, **same)
    for cell in cells:
        times = {"time": 1.5, "time_low": 1.0, "time_high": 2.0}
        kept.add(kind="time", attention=cell[0], window=cell[1], **times)
    (table,) = report_scores(tmp_path, kept)
    none, hard = table.rows
    for row in (none, hard):
        assert [row[f"bleu{end}"] for end in ("_low", "", "_high")] == [20, 22, 25]
        assert row["valid_perplexity"] == 7
        assert row["weights"] == 7
    assert none["entropy"] is None
    assert hard["entropy"] == pytest.approx(2 / 3)
    assert "highest of 3 seeds" in table.markdown()


def test_windows_belong_to_soft_attention():
    cells = ScoresOptions(attentions=("none", "general", "hard")).cells
    assert cells == [
        ("none", "global"),
        ("general", "global"),
        ("general", "local_m"),
        ("general", "local_p"),
        ("hard", "global"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attentions": ("generl",)}, "'generl'. Did you mean 'general'"),
        ({"seeds": ()}, "seeds must name at least one"),
        ({"steps": 0}, "steps must be at least 1. Received: 0"),
        ({"size": "huge"}, "'huge'"),
    ],
)
def test_wrong_options_are_refused_before_any_work(options, message):
    with pytest.raises(ValueError, match=message):
        ScoresOptions(**options)


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Give --train and --valid"):
        scores.train(tmp_path, quiet)

import csv

import pytest

from zoo.studies import scores, scores_models
from zoo.studies.scores import ScoresOptions
from zoo.studies.scores_report import report_scores
from zoo.tasks.translation import TranslationTask

SMALL = {"size": "tiny", "steps": 2, "batch_tokens": 64, "longest": 16}


def quiet(*told):
    pass


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores") / "study"
    options = ScoresOptions(attentions=("none", "hard"), seeds=(0, 1), **SMALL)
    text = TranslationTask.made_up(30, seed=1)
    scores.prepare(folder, text, text, options)
    assert not scores.train(folder, quiet, stop=lambda: True)
    assert scores.train(folder, quiet)
    return folder


def test_every_model_is_trained_once(trained, monkeypatch):
    names = sorted(path.name for path in (trained / "models").iterdir())
    assert names == ["hard-global-0", "hard-global-1", "none-global-0", "none-global-1"]
    for folder in (trained / "models").iterdir():
        files = {path.name for path in folder.glob("*.safetensors")}
        assert files == {"weights.safetensors"}
    monkeypatch.setattr(scores_models, "train_model_of", None)
    assert scores.train(trained, quiet)


def test_it_measures_once_and_reports_means_over_seeds(trained, monkeypatch):
    test = TranslationTask.made_up(8, seed=2)
    measured = scores.measure(trained, test, quiet)
    rows = measured.find(kind="quality", attention="hard")
    assert [row["seed"] for row in rows] == [0, 1]
    assert all(row["entropy"] == pytest.approx(0.0, abs=1e-6) for row in rows)
    assert measured.find(kind="quality", attention="none")[0]["entropy"] is None
    (table,) = report_scores(trained, measured)
    hard = next(row for row in table.rows if row["attention"] == "hard")
    mean = sum(row["valid_perplexity"] for row in rows) / 2
    assert hard["valid_perplexity"] == pytest.approx(mean)
    assert hard["time_low"] <= hard["time"] <= hard["time_high"]
    with open(trained / "scores.csv", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 2
    assert (trained / "scores.png").stat().st_size > 1_000
    monkeypatch.setattr(scores_models, "quality", None)
    monkeypatch.setattr(scores_models, "times", None)
    assert scores.measure(trained, test, quiet).rows == measured.rows


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

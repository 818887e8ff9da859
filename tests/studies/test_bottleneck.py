"""The bottleneck study: its data, a tiny run, and a run that was killed."""

import csv
import dataclasses
import re

import numpy as np
import pytest

from zoo.studies import reversal
from zoo.studies.bottleneck import ReversalOptions, measure_reversal
from zoo.studies.bottleneck_report import report_reversal
from zoo.studies.measurements import FILE
from zoo.studies.reversal import Learner, reversal_batch, training_length

TINY = ReversalOptions(
    attentions=("none", "bahdanau"),
    lengths=(2, 3),
    steps=(3,),
    alphabet=5,
    units=4,
    embedding_size=3,
    batch_tokens=20,
    held_out=7,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bottleneck")
    told = []
    kept = measure_reversal(folder, TINY, lambda *what: told.append(what))
    return folder, kept, told


def test_a_batch_is_sequences_and_their_reversals(random):
    inputs, targets = reversal_batch(random, 7, 5, 11)
    sources, shifted = inputs["source_ids"], inputs["target_ids"]
    assert sources.shape == shifted.shape == targets.shape == (7, 6)
    assert sources[:, :-1].min() >= 4 and sources.max() < 15
    assert (targets[:, :-1] == sources[:, :-1][:, ::-1]).all()
    assert (shifted[:, 1:] == targets[:, :-1]).all()
    assert (shifted[:, 0] == 1).all()
    assert (sources[:, -1] == 2).all() and (targets[:, -1] == 2).all()


def test_training_lengths_grow_from_one_to_the_next_and_stay():
    lengths = [training_length(20, 50, step, 30) for step in range(30)]
    assert lengths == sorted(lengths)
    assert 20 <= lengths[0] < 25
    assert lengths[20:] == [50] * 10


def test_a_tiny_run_judges_every_model_at_every_length(finished):
    _, kept, told = finished
    cells = [(row["attention"], row["length"]) for row in kept.rows]
    assert cells == [("none", 2), ("none", 3), ("bahdanau", 2), ("bahdanau", 3)]
    for row in kept.rows:
        assert row["sequences"] == 7
        assert row["steps"] == 3
        for name in ("accuracy", "whole"):
            low, value, high = (row[f"{name}{end}"] for end in ("_low", "", "_high"))
            assert 0 <= low <= value <= high <= 1
    assert kept.rows[0]["parameters"] < kept.rows[2]["parameters"]
    assert told[-1][1:] == (12, 12)


def test_a_model_that_knows_how_is_found_right(tmp_path):
    learner = Learner("bahdanau", TINY, tmp_path)

    def decode(ids):
        inputs = np.asarray(ids)
        answer = np.zeros_like(inputs)
        for row, source in enumerate(inputs):
            answer[row, :-1] = source[:-1][::-1]
            answer[row, -1] = 2
        answer[0, 0] = 4 if answer[0, 0] != 4 else 5  # one token wrong
        return _Array(answer)

    learner._decode = decode
    right, whole = learner._judge(3)
    assert list(right) == pytest.approx([2 / 3, *[1.0] * 6])
    assert list(whole) == [0.0, *[1.0] * 6]


class _Array:
    def __init__(self, array):
        self.array = array

    def numpy(self):
        return self.array


def test_a_killed_run_goes_on_with_the_weights_it_had(tmp_path, monkeypatch):
    options = dataclasses.replace(
        TINY, attentions=("none",), lengths=(2, 3, 5), steps=(3,)
    )
    killed_at = [2]

    def train(self, say):
        if self.stage in killed_at:
            raise KeyboardInterrupt
        for weight in self.model.weights:
            weight.assign(weight * 1.5 + self.stage)
        return float(sum(np.asarray(weight).sum() for weight in self.model.weights))

    monkeypatch.setattr(Learner, "_train", train)
    monkeypatch.setattr(Learner, "_judge", lambda self, length: (np.ones(3),) * 2)
    with pytest.raises(KeyboardInterrupt):
        measure_reversal(tmp_path / "killed", options, lambda *_: None)
    # As if killed between the weights of the second length and their line, too.
    path = tmp_path / "killed" / FILE
    first, second = path.read_text().splitlines(keepends=True)
    path.write_text(first + second[:30])
    killed_at.clear()
    again = measure_reversal(tmp_path / "killed", options, lambda *_: None)
    whole = measure_reversal(tmp_path / "whole", options, lambda *_: None)
    assert [row["length"] for row in again.rows] == [2, 3, 5]
    for found, expected in zip(again.rows, whole.rows, strict=True):
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-6)


def test_a_finished_run_is_not_trained_again(finished, monkeypatch):
    folder, kept, _ = finished
    monkeypatch.setattr(reversal, "Learner", None)
    assert measure_reversal(folder, TINY, lambda *_: None).rows == kept.rows


def test_it_writes_a_table_and_a_picture(finished):
    folder, kept, _ = finished
    (table,) = report_reversal(folder, TINY, kept)
    written = {path.name for path in folder.iterdir() if path.is_file()}
    pictures = {f"bottleneck.{kind}" for kind in ("png", "svg")}
    assert written == {FILE, "bottleneck.md", "bottleneck.csv", *pictures}
    rows = list(
        csv.DictReader(
            (folder / "bottleneck.csv").read_text(encoding="utf-8").splitlines()
        )
    )
    assert [row["length"] for row in rows] == ["2", "3"] * 2
    assert "Chance: 20.0% of tokens" in table.markdown()


def test_other_options_are_refused(finished):
    folder, _, _ = finished
    other = dataclasses.replace(TINY, alphabet=6)
    with pytest.raises(ValueError, match="alphabet was 5 and is now 6"):
        measure_reversal(folder, other, lambda *_: None)


def test_an_unknown_attention_is_refused_before_anything_is_written(tmp_path):
    options = dataclasses.replace(TINY, attentions=("none", "bahdanu"))
    with pytest.raises(ValueError, match=r"Did you mean 'bahdanau'?"):
        measure_reversal(tmp_path / "new", options, lambda *_: None)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"lengths": (20, 10)}, "lengths must rise"),
        ({"lengths": (10, 20), "steps": (5, 5, 5)}, "3 for 2 lengths"),
        ({"steps": (0,)}, "from 1 on"),
        ({"alphabet": 1}, "alphabet must be at least 2"),
        ({"learning_rate": float("inf")}, "learning_rate must be"),
    ],
)
def test_wrong_options_are_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ReversalOptions(**changes)

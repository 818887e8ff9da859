"""Beam search against exhaustive enumeration, on a model that is a table of numbers."""

import dataclasses
from functools import partial

import numpy as np
import pytest

from tests.decoding.table_model import (
    VOCABULARY,
    WORDS,
    TableModel,
    beam,
    exhaustive,
    hypotheses,
    log_softmax,
    logits_of,
    score_of,
    search,
)
from tests.references.generate import generate
from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID, UNKNOWN_ID

SOURCE = np.array([[5, 9, 0], [7, 3, 2]], "int32")


def check(found, row, expected):
    """The best hypotheses in order, with their scores."""
    count = min(found.ids.shape[1], len(expected))
    assert hypotheses(found, row)[:count] == [ids for _, ids in expected[:count]]
    scores = found.scores[row, :count]
    np.testing.assert_allclose(
        scores, [score for score, _ in expected[:count]], rtol=1e-5
    )


@pytest.mark.parametrize(
    "seed, alpha, beta, form",
    [
        (0, 0.0, 0.0, "gnmt"),
        (1, 0.6, 0.0, "gnmt"),
        (2, 1.0, 0.0, "gnmt"),
        (3, 0.0, 0.3, "gnmt"),
        (4, 0.7, 1.1, "gnmt"),
        (5, 1.0, 0.0, "plain"),
        (6, 0.6, 0.4, "plain"),
    ],
)
def test_a_wide_beam_finds_the_exhaustive_best_in_order(seed, alpha, beta, form):
    model, longest = TableModel(seed), 4
    # 41 beams hold every unfinished prefix of up to three tokens.
    options = beam(41, alpha, 37, coverage_penalty=beta, length_form=form)
    found = search(model, SOURCE, [longest] * 2, options)
    for row in range(2):
        expected = exhaustive(model, SOURCE[row], longest, alpha, beta, form=form)
        check(found, row, expected)


def ngrams(ids, n):
    return [ids[start : start + n] for start in range(len(ids) - n + 1)]


def without_repeats(n):
    return lambda ids: len(set(ngrams(ids, n))) == len(ngrams(ids, n))


@pytest.mark.parametrize(
    "options, longest, words, keep",
    [
        # The longest length ends even what is too short.
        ({"min_length": 3}, 5, WORDS, lambda ids: len(ids) >= 3),
        ({"min_length": 9}, 5, WORDS, lambda ids: len(ids) == 4),
        ({"no_repeat_ngram": 1}, 6, WORDS, without_repeats(1)),
        ({"no_repeat_ngram": 2}, 5, WORDS, without_repeats(2)),
        ({"no_repeat_ngram": 3}, 6, WORDS, without_repeats(3)),
        ({"suppressed": (5,)}, 5, (4, 6), None),
        ({"suppressed": (END_ID,)}, 4, WORDS, lambda ids: len(ids) == 3),
        ({"allow_unknown": True}, 4, (UNKNOWN_ID, *WORDS), None),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_what_may_not_be_chosen_never_is_and_other_scores_stay(
    options, longest, words, keep
):
    model = TableModel(seed=5, sharpness=0.7)
    found = search(model, SOURCE, [longest] * 2, beam(251, 0.6, 11, **options))
    for row in range(2):
        expected = exhaustive(model, SOURCE[row], longest, 0.6, 0.0, words, keep)
        check(found, row, expected)
        missing = found.scores[row, len(expected) :].numpy()
        assert (missing < -1e8).all()


def test_ngrams_are_not_repeated_by_a_narrow_beam_either():
    model = TableModel(seed=6)
    model.supports[:, 4] += 9.0
    free = search(model, SOURCE, [11, 11], beam(2, min_length=5))
    for n in (1, 2, 3):
        assert not without_repeats(n)(hypotheses(free)[0])
        options = beam(2, no_repeat_ngram=n, min_length=3)
        found = search(model, SOURCE, [11, 11], options)
        for row in range(2):
            (ids,) = hypotheses(found, row)
            assert len(ids) > 3 and without_repeats(n)(ids)


@pytest.mark.parametrize("prefix", [(6,), (4, 4), (5, 6, 4)])
def test_the_best_with_a_prefix_are_found_with_the_scores_of_the_whole(prefix):
    model = TableModel(seed=7)
    # The second sentence has none.
    prefixes = np.array([prefix, [PADDING_ID] * len(prefix)], "int32")
    found = search(model, SOURCE, [5, 4], beam(83, 0.6, 7), prefixes=prefixes)
    starts = lambda ids: ids[: len(prefix)] == prefix  # noqa: E731
    check(found, 0, exhaustive(model, SOURCE[0], 5, 0.6, 0.0, WORDS, starts))
    check(found, 1, exhaustive(model, SOURCE[1], 4, 0.6))


def test_hypotheses_come_best_first_and_differ():
    model = TableModel(seed=8)
    found = search(model, SOURCE, [9, 9], beam(5, 0.7, 5))
    for row in range(2):
        scores = found.scores[row].numpy()
        assert (np.diff(scores) < 0).all()
        assert len(set(hypotheses(found, row))) == 5
        fewer = search(model, SOURCE, [9, 9], beam(5, 0.7, 3))
        assert hypotheses(fewer, row) == hypotheses(found, row)[:3]


def test_fewer_hypotheses_than_asked_for_leave_empty_places():
    model = TableModel(seed=9)
    found = search(model, SOURCE, [1, 2], beam(7, 0.6, 7))
    assert hypotheses(found, 0) == [(END_ID,), *[()] * 6]
    np.testing.assert_allclose(found.scores[0, 1:], -1e9)
    assert not found.weights[0, 1:].numpy().any()
    ends = {(END_ID,), (4, END_ID), (5, END_ID), (6, END_ID)}
    assert set(hypotheses(found, 1)) == {*ends, ()}


@pytest.mark.parametrize("beam_size", [2, 3])
def test_every_score_is_that_of_its_own_tokens(beam_size):
    model = TableModel(seed=3)
    source = np.array([[key, 2, 3] for key in range(1, 8)], "int32")
    options = beam(beam_size, 0.7, beam_size, coverage_penalty=0.2)
    found = search(model, source, [6] * 7, options)
    for row in range(7):
        for ids, score in zip(hypotheses(found, row), found.scores[row], strict=True):
            expected = score_of(model, source[row], ids, 0.7, 0.2)
            np.testing.assert_allclose(score, expected, rtol=1e-5)


def test_stopping_early_changes_nothing():
    """The search may stop earlier for one hypothesis than for six, and finds the same
    one."""
    model = TableModel(seed=8)
    steps = {1: 0, 6: 0}
    for key in range(1, 8):
        best = {}
        for wanted in steps:
            found = search(model, [[key, 5]], [12], beam(6, 1.0, wanted))
            steps[wanted] += found.weights.shape[2]
            best[wanted] = hypotheses(found)[0]
        assert best[1] == best[6]
    assert steps[1] < steps[6]


def test_a_longer_hypothesis_may_still_overtake_a_finished_one():
    """Ending at once scores -1; going on costs 1.2 at first and nothing later, which
    at seven tokens is -1.2 over a penalty of 2."""
    model = TableModel(seed=0, sharpness=0.0)
    model.supports = np.full((13, VOCABULARY), -40.0, "float32")
    model.supports[0, [END_ID, 4]] = -1.0, -1.2
    model.supports[0, PADDING_ID] = np.log(1 - np.exp(-1.0) - np.exp(-1.2))
    model.supports[1:6, 4] = 0.0
    model.supports[6:, END_ID] = 0.0
    found = search(model, [[1]], [9], beam(2, 1.0))
    assert hypotheses(found) == [(4, 4, 4, 4, 4, 4, END_ID)]
    np.testing.assert_allclose(found.scores[0, 0], -0.6, rtol=1e-4)


def log_probs_of(model, key, ids):
    return log_softmax(logits_of(model, key, ids))


@pytest.mark.parametrize("stopping", ["likely", "full"])
@pytest.mark.parametrize("beams, alpha", [(2, 1.0), (3, 0.6), (5, 0.0)])
def test_the_rules_of_generate_find_what_they_find(stopping, beams, alpha):
    differ = 0
    for seed in range(3):
        model = TableModel(seed, sharpness=1.3)
        model.supports[:, [PADDING_ID, START_ID, UNKNOWN_ID]] = -90.0
        sources = np.array([[key, 2, 3] for key in range(1, 8)], "int32")
        limits = [2, 9, 3, 7, 5, 9, 1]
        options = beam(beams, alpha, beams, length_form="plain")
        sure = search(model, sources, limits, options)
        options = dataclasses.replace(options, stopping=stopping)
        found = search(model, sources, limits, options)
        for row, longest in enumerate(limits):
            log_probs = partial(log_probs_of, model, int(sources[row, 0]))
            expected = generate(
                log_probs, WORDS, END_ID, longest, beams, alpha, stopping
            )
            check(found, row, expected)
            missing = found.scores[row, len(expected) :].numpy()
            assert (missing < -1e8).all()
            differ += hypotheses(found, row) != hypotheses(sure, row)
    assert differ > 3


def test_an_end_that_a_prefix_asks_for_is_paid():
    model = TableModel(seed=2)
    prefix = np.array([[5, 6, END_ID], [4, END_ID, PADDING_ID]], "int32")
    options = beam(3, 1.0, length_form="plain", stopping="likely")
    found = search(model, SOURCE, [3, 2], options, prefixes=prefix)
    for row, ids in enumerate([(5, 6, END_ID), (4, END_ID)]):
        expected = score_of(model, SOURCE[row], ids, 1.0, form="plain")
        np.testing.assert_allclose(found.scores[row, 0], expected, rtol=1e-5)

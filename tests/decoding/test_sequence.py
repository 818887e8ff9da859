"""Greedy search token by token, and sampling against the model's own distribution."""

import numpy as np
import pytest

from tests.decoding.table_model import (
    VOCABULARY,
    TableModel,
    beam,
    hypotheses,
    log_softmax,
    logits_of,
    sample,
    score_of,
    search,
)
from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID, UNKNOWN_ID

SOURCE = np.array([[3, 1, 8], [9, 2, 0]], "int32")
CHOOSABLE = (END_ID, 4, 5, 6)
DRAWS = 20011


@pytest.mark.parametrize(
    "options, longest, choosable",
    [
        ({}, 6, CHOOSABLE),
        ({"allow_unknown": True}, 6, (UNKNOWN_ID, *CHOOSABLE)),
        ({"suppressed": (4, 6)}, 6, (END_ID, 5)),
        ({"min_length": 4}, 7, CHOOSABLE),
        ({"min_length": 7}, 5, CHOOSABLE),
        ({"no_repeat_ngram": 1}, 6, CHOOSABLE),
        ({"coverage_penalty": 0.4}, 6, CHOOSABLE),
    ],
    ids=str,
)
def test_greedy_takes_the_best_token_at_each_step(options, longest, choosable):
    model = TableModel(seed=4)
    found = search(model, SOURCE, [longest] * 2, beam(1, 0.6, **options))
    for row, source in enumerate(SOURCE):
        expected = ()
        while expected[-1:] != (END_ID,):
            allowed = [
                token
                for token in choosable
                if not (token in expected and "no_repeat_ngram" in options)
                if not (
                    token == END_ID and len(expected) < options.get("min_length", 0)
                )
            ]
            if len(expected) == longest - 1:
                allowed = [END_ID]
            logits = logits_of(model, source[0], expected)
            expected += (max(allowed, key=lambda token, of=logits: of[token]),)
        assert hypotheses(found, row) == [expected]
        score = score_of(
            model, source, expected, 0.6, options.get("coverage_penalty", 0.0)
        )
        np.testing.assert_allclose(found.scores[row], [score], rtol=1e-5)


@pytest.mark.parametrize("options", [beam(1), beam(3), sample(23)], ids=str)
def test_padding_start_and_unknown_are_never_chosen(options):
    model = TableModel(seed=5)
    model.supports[:, [PADDING_ID, START_ID, UNKNOWN_ID]] += 50.0
    found = search(model, [[2, 1]], [5], options)
    for ids in found.ids[0].numpy():
        ids = ids.tolist()
        end = ids.index(END_ID)
        assert set(ids[:end]) <= {4, 5, 6}
        assert set(ids[end + 1 :]) <= {PADDING_ID}


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, never=(), early=False):
    """What the next token is drawn from, by the definitions of the papers."""
    weights = np.exp(log_softmax(logits) / temperature)
    weights[[PADDING_ID, START_ID, UNKNOWN_ID, *never]] = 0.0
    if early:
        weights[END_ID] = 0.0
    likeliest = np.argsort(-weights)
    if top_k:
        weights[likeliest[top_k:]] = 0.0
    weights /= weights.sum()
    if top_p < 1.0:
        # The smallest set of the likeliest that together have the share.
        needed = 1 + np.count_nonzero(np.cumsum(weights[likeliest]) < top_p)
        weights[likeliest[needed:]] = 0.0
    return weights / weights.sum()


def check_shares(tokens, expected):
    """Counts of independent draws lie within five standard deviations."""
    shares = np.bincount(tokens, minlength=VOCABULARY) / len(tokens)
    bound = 5 * np.sqrt(expected * (1 - expected) / len(tokens))
    assert (np.abs(shares - expected) <= bound).all(), (shares, expected)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 1.7},
        {"top_k": 2},
        {"top_k": 1},
        {"top_k": 99},
        {"top_p": 0.6},
        {"top_p": 0.05},
        {"top_k": 3, "top_p": 0.8, "temperature": 1.3},
        {"suppressed": (5,)},
        {"min_length": 1},
    ],
    ids=str,
)
def test_samples_are_distributed_as_the_model_says(options):
    model = TableModel(seed=10, sharpness=0.8)
    found = search(model, SOURCE[:1], [3], sample(DRAWS, **options))
    ids = found.ids[0].numpy()
    shape = {name: options[name] for name in options if name.startswith("t")}
    shape["never"] = options.get("suppressed", ())
    first = distribution(
        logits_of(model, 3, ()), early="min_length" in options, **shape
    )
    check_shares(ids[:, 0], first)
    # The second token, where the first was the likeliest word.
    word = int(np.argmax(first[4:])) + 4
    second = distribution(logits_of(model, 3, (word,)), **shape)
    check_shares(ids[ids[:, 0] == word, 1], second)
    assert (ids[ids[:, 1] > END_ID, 2] == END_ID).all()


def test_samples_score_as_all_hypotheses_do_and_come_best_first():
    model = TableModel(seed=11)
    options = sample(13, temperature=1.9, top_k=2, coverage_penalty=0.3)
    found = search(model, SOURCE, [6, 5], options)
    for row, source in enumerate(SOURCE):
        expected = [
            score_of(model, source, ids, 0.0, 0.3) for ids in hypotheses(found, row)
        ]
        np.testing.assert_allclose(found.scores[row], expected, rtol=1e-5)
        assert (np.diff(found.scores[row]) <= 0).all()


def test_no_temperature_reaches_what_is_out_of_the_question():
    model = TableModel(seed=12)
    hot = search(model, SOURCE, [9, 9], sample(101, temperature=1e12))
    assert set(np.unique(hot.ids)) == {PADDING_ID, *CHOOSABLE}
    cold = search(model, SOURCE, [9, 9], sample(3, temperature=1e-12))
    greedy = search(model, SOURCE, [9, 9], beam(1))
    for row in range(2):
        assert hypotheses(cold, row) == hypotheses(greedy, row) * 3


def test_the_seed_decides_and_the_batch_does_not():
    model = TableModel(seed=13, sharpness=0.5)
    one, same, other = (
        search(model, SOURCE, [7, 6], sample(5, seed=seed)) for seed in (1, 1, -2)
    )
    np.testing.assert_array_equal(one.ids, same.ids)
    assert hypotheses(one, 0) != hypotheses(other, 0)
    alone = search(model, SOURCE[1:], [6], sample(5, seed=1))
    assert hypotheses(alone) == hypotheses(one, 1)
    twice = search(model, SOURCE[[1, 1]], [6, 6], sample(5, seed=1))
    assert hypotheses(twice, 0) == hypotheses(twice, 1) == hypotheses(alone)


def test_samples_of_one_sentence_differ():
    found = search(TableModel(14, 0.2), SOURCE[:1], [9], sample(19, min_length=6))
    assert len(set(hypotheses(found))) > 15


def test_sampled_sentences_begin_with_their_prefixes():
    model = TableModel(seed=15)
    prefixes = np.array([[4, 6], [5, 0]], "int32")
    found = search(model, SOURCE, [7, 7], sample(17), prefixes=prefixes)
    assert {ids[:2] for ids in hypotheses(found, 0)} == {(4, 6)}
    assert {ids[0] for ids in hypotheses(found, 1)} == {5}
    assert len({ids[1] for ids in hypotheses(found, 1)}) > 1

"""Translating with a tiny Transformer of random weights."""

import numpy as np
import pytest
import tensorflow as tf

from tests.decoding.table_model import log_softmax
from zoo.data.parallel_text import ParallelText
from zoo.data.text_codec import TextCodec
from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID, UNKNOWN_ID
from zoo.decoding import DecodingOptions, ModelStepper
from zoo.inference import FoldedTransformer
from zoo.models import RNNSeq2Seq, Transformer
from zoo.tasks.translation import TranslationTask
from zoo.tasks.translation_graph import TranslationGraph

TEXT = ParallelText(
    ["Where is the cat?", "The cat sat there.", "Is the café here, or there?"] * 2,
    [["Wo ist die Katze?"], ["Die Katze saß dort."], ["Ist es hier?"]] * 2,
)
SOURCES = ["The cat is here.", "", "Where is the café, or is there a cat?", "Is it?"]


@pytest.fixture(scope="module")
def runner():
    task = TranslationTask.learn(TEXT, 60)
    model = Transformer(
        **task.model_options(),
        units=14,
        hidden_size=11,
        num_heads=7,
        num_layers=1,
        dropout=0.0,
    )
    model.build(None)
    random = np.random.default_rng(7)
    for weight in model.weights:
        weight.assign(random.normal(scale=0.4, size=tuple(weight.shape)))
    return task.runner(model)


@pytest.fixture(scope="module")
def three(runner):
    """Three translations of each source."""
    return runner.predict(SOURCES, num_hypotheses=3)


def ids_of(vocabulary, texts):
    """Padded ids by the sentencepiece package."""
    rows = [[*vocabulary.processor.encode(text), END_ID] for text in texts]
    ids = np.zeros((len(rows), max(map(len, rows))), "int32")
    for row, found in enumerate(rows):
        ids[row, : len(found)] = found
    return ids


def run_along(runner, source_ids, target_ids):
    """Log probabilities of the targets and attention, by the model itself."""
    shifted = np.pad(target_ids, [(0, 0), (1, 0)], constant_values=START_ID)[:, :-1]
    logits, weights = runner.model.force(source_ids, shifted)
    chances = log_softmax(np.asarray(logits, "float64"))
    chances = np.take_along_axis(chances, target_ids[..., None], axis=2)[..., 0]
    return chances * (target_ids != PADDING_ID), np.asarray(weights)


def test_alternatives_are_other_translations_best_first(three):
    for found in (three[0], *three[2:]):
        all_found = [found, *found.alternatives]
        scores = [one.score for one in all_found]
        assert len(all_found) == 3
        assert scores == sorted(scores, reverse=True)
        assert len(set(scores)) == 3
        assert not any(one.alternatives for one in found.alternatives)


def test_an_empty_text_has_one_empty_translation(three):
    assert (three[1].text, three[1].alternatives) == ("", ())


@pytest.mark.parametrize("hypothesis", [0, 2])
def test_every_hypothesis_has_its_own_alignment(runner, three, hypothesis):
    found = runner.attention(SOURCES[2], hypothesis, num_hypotheses=3)
    best = three[2]
    assert found.translation == (best, *best.alternatives)[hypothesis] or (
        found.translation.text == (best, *best.alternatives)[hypothesis].text
    )
    piece_to_id = runner.task.target_vocabulary.processor.piece_to_id
    target = np.array([[piece_to_id(piece) for piece in found.target_pieces]])
    assert target[0, -1] == END_ID
    source = ids_of(runner.task.source_vocabulary, [SOURCES[2]])
    chances, weights = run_along(runner, source, target)
    np.testing.assert_allclose(found.weights, weights[0], atol=1e-5)
    score = chances.sum() / ((5 + target.size) / 6)
    np.testing.assert_allclose(found.translation.score, score, rtol=1e-4)


def test_a_hypothesis_that_there_is_not_is_refused(runner):
    with pytest.raises(ValueError, match="hypothesis=3; 3 found"):
        runner.attention(SOURCES[0], 3, num_hypotheses=3)


@pytest.mark.parametrize("prefix", ["Die Katze", "Wo"])
def test_every_translation_begins_with_its_prefix(runner, prefix):
    prefixes = [prefix, "Ist", "", prefix]
    found = runner.predict(SOURCES, prefixes=prefixes, num_hypotheses=3)
    for one, start in zip(found, prefixes, strict=True):
        assert all(other.text.startswith(start) for other in (one, *one.alternatives))
    # Even an empty text has one then.
    assert found[1].text == "Ist"


def test_without_a_prefix_a_translation_is_as_ever(runner, three):
    found = runner.predict(SOURCES, prefixes=[""] * 4, num_hypotheses=3)
    assert [one.text for one in found] == [one.text for one in three]


def test_texts_come_back_in_their_order(runner, three, monkeypatch):
    monkeypatch.setattr("zoo.tasks.texts._BATCH", 1)
    prefixes = ["Ist", "Wo", "Die", "Katze"]
    found = runner.predict(SOURCES, prefixes=prefixes, num_hypotheses=3)
    assert [one.text.split()[0] for one in found] == prefixes
    found = runner.predict(SOURCES, num_hypotheses=3)
    assert [one.text for one in found] == [one.text for one in three]
    given = ["Wo?", "Die Katze.", "", "Ist es?"]
    alone = [
        runner.log_probabilities([source], [target])[0]
        for source, target in zip(SOURCES, given, strict=True)
    ]
    together = runner.log_probabilities(SOURCES, given)
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_each_call_runs_what_was_compiled_once(runner, three):
    before = dict(runner._functions)
    for texts in (["The cat."], SOURCES * 2, []):
        assert len(runner.predict(texts, num_hypotheses="3")) == len(texts)
    assert runner._functions == before
    counts = [run.experimental_get_tracing_count() for run in before.values()]
    assert set(counts) == {1}


def test_suppressed_pieces_are_never_written(runner, three):
    free = runner.attention(SOURCES[2], 2, num_hypotheses=3)
    pieces = sorted({*free.target_pieces} - {"</s>"})
    assert pieces
    # As the command line gives it, too.
    for suppress in (pieces, " ".join(pieces)):
        options = {"suppress": suppress, "num_hypotheses": 3}
        found = runner.attention(SOURCES[2], 2, **options)
        assert not set(pieces) & set(found.target_pieces)


@pytest.mark.parametrize("piece", ["Elefant", "<unk>"])
def test_suppressing_what_is_no_piece_is_refused(runner, piece):
    with pytest.raises(ValueError, match=f"target vocabulary, which '{piece}' is not"):
        runner.predict(SOURCES, suppress=[piece])


def test_options_may_be_strings(runner):
    options, extra = runner._options(
        {
            "no_repeat_ngram": "3",
            "suppress": "▁ e",
            "suppressed": "5 7",
            "replace_unknown": "true",
            "coverage_penalty": "0.2",
        }
    )
    assert options.no_repeat_ngram == 3
    assert options.suppressed[:2] == (5, 7)
    assert len(options.suppressed) == 4
    assert (options.allow_unknown, extra) == (True, {"replace_unknown": True})


def test_options_that_leave_no_translation_give_an_empty_one(runner):
    size = runner.task.target_vocabulary.size
    (found,) = runner.predict(
        SOURCES[:1], suppressed=list(range(4, size)), min_length=3, beam_size=2
    )
    assert (found.text, found.alternatives) == ("", ())


def test_log_probabilities_are_sums_along_the_given_translations(runner):
    given = ["Die Katze saß dort.", "Wo?", "", "unbekannt Ω"]
    found = runner.log_probabilities(SOURCES, given)
    chances, _ = run_along(
        runner,
        ids_of(runner.task.source_vocabulary, SOURCES),
        ids_of(runner.task.target_vocabulary, given),
    )
    np.testing.assert_allclose(found, chances.sum(axis=1), rtol=1e-5)


def test_scores_are_those_of_the_decoding(runner):
    """Equation 14 of Wu et al. (2016), written out, whatever the method."""
    given = ["Die Katze saß dort.", "Wo?", "", "Ist es hier?"]
    source = ids_of(runner.task.source_vocabulary, SOURCES)
    target = ids_of(runner.task.target_vocabulary, given)
    chances, weights = run_along(runner, source, target)
    lengths = (target != PADDING_ID).sum(axis=1)
    expected = chances.sum(axis=1) / ((5 + lengths) / 6) ** 0.6
    covered = (weights * (target != PADDING_ID)[..., None]).sum(axis=1)
    costs = np.where(source != 0, np.log(np.clip(covered, 1e-6, 1)), 0.0)
    options = DecodingOptions(beam_size=2, length_penalty=0.6, coverage_penalty=0.3)
    graph = TranslationGraph(ModelStepper(runner.model), *runner.task.codecs, options)
    found = graph.score(tf.constant(SOURCES), tf.constant(given))
    np.testing.assert_allclose(
        found["scores"], expected + 0.3 * costs.sum(axis=1), rtol=1e-4
    )
    np.testing.assert_allclose(
        found["log_probabilities"], chances.sum(axis=1), rtol=1e-4
    )
    assert found["target_lengths"].numpy().tolist() == lengths.tolist()


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"prefixes": ["Die"]}, ValueError, "4 texts, 1 prefixes"),
        ({"prefixes": "Die!"}, TypeError, "Expected a list of strings"),
        ({"num_hypotheses": 5}, ValueError, "at most beam_size"),
        ({"beam": 2}, ValueError, "Did you mean 'beam_size'"),
        ({"suppressed": [5, 999]}, ValueError, "Received: 999"),
    ],
)
def test_what_cannot_be_is_refused(runner, options, error, message):
    with pytest.raises(error, match=message):
        runner.predict(SOURCES, **options)


def test_each_text_needs_a_translation_to_be_scored(runner):
    with pytest.raises(ValueError, match="4 texts, 1 translations"):
        runner.log_probabilities(SOURCES, ["Die"])


@pytest.mark.parametrize(
    "options", [{"replace_unknown": True}, {"coverage_penalty": 1}]
)
def test_what_goes_by_attention_is_refused_without_it(runner, options):
    task = runner.task
    model = RNNSeq2Seq(**task.model_options(), attention="none", units=3)
    with pytest.raises(ValueError, match="has no attention"):
        task.runner(model).predict(SOURCES, **options)


def test_watching_long_texts_stays_within_the_positions(runner):
    """Even of a model that never ends by itself."""
    task = runner.task
    codecs = [
        TextCodec(vocabulary, max_pieces=13)
        for vocabulary in (task.source_vocabulary, task.target_vocabulary)
    ]
    bias = runner.model.output_bias
    bias.assign_sub(tf.one_hot(END_ID, bias.shape[0]) * 1e3)
    graph = TranslationGraph(
        FoldedTransformer(runner.model, 13), *codecs, DecodingOptions(beam_size=1)
    )
    found = graph.watched(tf.constant(["the cat " * 20]))
    bias.assign_add(tf.one_hot(END_ID, bias.shape[0]) * 1e3)
    assert found.ids.shape[2] == 13


class Dictation:
    """A stepper that writes given ids and looks at given places of the source.

    More than at those it looks at the end token, which has no text of its own.
    """

    def __init__(self, ids, places):
        self.ids, self.places = ids, places

    def start(self, source_ids, rows):
        return {"ids": source_ids}, {"step": tf.zeros_like(source_ids[:, :1])}

    def step(self, token_ids, state, memory):
        step, width = state["step"], tf.shape(memory["ids"])[1]
        now = tf.minimum(step[:, 0], len(self.ids) - 1)
        logits = 50.0 * tf.one_hot(tf.gather(self.ids, now), self.size)
        ends = tf.cast(memory["ids"] == END_ID, tf.float32)
        weights = 0.4 * tf.one_hot(tf.gather(self.places, now), width) + 0.6 * ends
        return logits, {"step": step + 1}, weights[:, None]

    def keep(self, values, sentences):
        return {name: tf.gather(value, sentences) for name, value in values.items()}


@pytest.mark.parametrize("replace", [True, False])
def test_unknown_pieces_are_replaced_by_what_they_looked_at(runner, replace):
    task = runner.task
    surfaces = [
        piece.replace("▁", "")
        for piece in task.source_vocabulary.processor.encode(
            "The café there?", out_type=str
        )
    ]
    first = next(n for n, surface in enumerate(surfaces) if surface)
    accented = next(n for n, surface in enumerate(surfaces) if "é" in surface)
    target = task.target_vocabulary.processor
    known = target.encode("Die Katze")
    stepper = Dictation(
        [UNKNOWN_ID, *known, UNKNOWN_ID, END_ID],
        [first] * (len(known) + 1) + [accented, 0],
    )
    stepper.size = task.target_vocabulary.size
    options = DecodingOptions(beam_size=1, allow_unknown=True)
    graph = TranslationGraph(stepper, *task.codecs, options, replace_unknown=replace)
    found = graph.translate(tf.constant(["The café there?", "", "The café there?"]))
    texts = [text.decode() for text in found["translations"].numpy()]
    expected = f"{surfaces[first]} Die Katze{surfaces[accented]}"
    if not replace:
        expected = target.decode([UNKNOWN_ID, *known, UNKNOWN_ID])
    assert texts == [expected, "", expected]
    nothing = graph.translate(tf.constant([], tf.string))
    assert nothing["translations"].shape == (0,)

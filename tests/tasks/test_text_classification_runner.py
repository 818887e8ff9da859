"""Classifying with tiny models of random weights, and what they export."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.tasks.classification import (
    MULTI,
    NAMES,
    NUMBERS,
    PAIRS,
    TWICE,
    learn,
    make_runner,
    random_model,
)
from zoo.data.labelled_text import LabelledText
from zoo.export import export
from zoo.metrics.classification import score_multi, score_regression, score_single

TEXTS = [
    "The café is old. Is the cat there?",
    "",
    "猫在哪里？我喜欢狗。",
    "   ",
    "Where is it?",
    "The cat sat there. " * 3,
]
ODD = [
    "😀👩‍👩‍👧 cat",
    "\0",
    "\ufeff",
    "﷽",
    "e\u0301" * 50,
    "<s> </s> <unk>",
    "[SEP] [CLS]",
]


@pytest.fixture(scope="module")
def runners():
    """One of each recipe, and of each kind of labels."""
    made = {name: make_runner(name) for name in NAMES}
    made["multi"] = make_runner(data=MULTI, kind="multi")
    made["regression"] = make_runner(data=NUMBERS, kind="regression")
    made["pairs"] = make_runner("bert", PAIRS)
    return made


EVERY = pytest.mark.parametrize("name", NAMES)


def outputs_of(runner, text, pair=None):
    """The model's outputs for one text, outside of any graph."""
    second = None if pair is None else tf.constant([pair])
    ids, _ = runner.task.codec.encode(*filter_none(tf.constant([text]), second))
    ids = ids.to_tensor()
    if 0 in ids.shape:
        ids = tf.zeros([max(size, 1) for size in ids.shape], ids.dtype)
    return np.asarray(runner.model({"token_ids": ids}))[0]


def filter_none(*values):
    return [value for value in values if value is not None]


def softmax(outputs):
    shares = np.exp(outputs - outputs.max())
    return shares / shares.sum()


# Predicting


@EVERY
def test_labels_are_the_model_s_by_name_in_the_order_of_the_texts(runners, name):
    runner = runners[name]
    found = runner.predict(TEXTS)
    for text, result in zip(TEXTS, found, strict=True):
        shares = softmax(outputs_of(runner, text))
        names = runner.task.labels.names
        assert result.label == names[shares.argmax()]
        assert result.score == max(result.scores.values())
        assert list(result.scores.values()) == sorted(
            result.scores.values(), reverse=True
        )
        for row, label in enumerate(names):
            assert result.scores[label] == pytest.approx(shares[row], abs=1e-5)
        assert not result.truncated
    assert len({result.label for result in found} | {None}) > 1


@EVERY
def test_a_text_is_classified_alike_alone_and_among_others(runners, name):
    together = runners[name].predict(TEXTS + ODD)
    for text, among in zip(TEXTS + ODD, together, strict=True):
        (alone,) = runners[name].predict([text])
        assert alone.scores == pytest.approx(among.scores, abs=1e-5)
    vectors = runners[name].embed(TEXTS)
    # A document without a word has no sentence to make a vector of.
    sizes = [1.0 if text.strip() or name != "hierarchical" else 0.0 for text in TEXTS]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), sizes, rtol=1e-5)
    np.testing.assert_allclose(runners[name].embed(TEXTS[2:3]), vectors[2:3], atol=1e-5)


def test_more_texts_than_a_batch_keep_their_order(runners):
    texts = [("cat " * (n % 7)) + str(n) for n in range(70)]
    found = runners["rnn"].predict(texts)
    assert found[3].scores == pytest.approx(
        runners["rnn"].predict(texts[3:4])[0].scores, abs=1e-5
    )
    assert [one.scores for one in runners["rnn"].predict(texts[::-1])] == [
        pytest.approx(one.scores, abs=1e-5) for one in found[::-1]
    ]


@EVERY
def test_a_hundred_thousand_characters_are_cut_and_said_to_be(runners, name):
    long, short = runners[name].predict(["cat sat. " * 12_000, "A cat."])
    assert long.truncated
    assert not short.truncated


def test_no_texts_have_no_results(runners):
    assert runners["rnn"].predict([]) == []
    for name in ("rnn", "pairs"):
        size = runners[name].model.head.kernel.shape[0]
        assert runners[name].embed([]).shape == (0, size)


@pytest.mark.parametrize("wrong", ["Hello.", [3], None, [b"cat"]])
def test_what_is_no_list_of_texts_is_refused(runners, wrong):
    with pytest.raises(TypeError, match="Expected a list of strings"):
        runners["rnn"].predict(wrong)


def test_half_a_surrogate_pair_is_refused(runners):
    with pytest.raises(ValueError, match="UTF-8"):
        runners["rnn"].predict(["\ud800"])


def test_the_first_labels_alone_are_named_if_asked_for(runners):
    (every,) = runners["rnn"].predict(TEXTS[:1])
    (two,) = runners["rnn"].predict(TEXTS[:1], top_k=2)
    assert two.scores == dict(list(every.scores.items())[:2])
    assert two.label == every.label
    with pytest.raises(ValueError, match="top_k=0"):
        runners["rnn"].predict(TEXTS, top_k=0)


def test_the_temperature_makes_a_model_less_sure(runners):
    task, _ = learn()
    model = runners["rnn"].model
    task.temperature = 4.0
    (found,) = task.runner(model).predict(TEXTS[:1])
    shares = softmax(outputs_of(runners["rnn"], TEXTS[0]) / 4)
    assert found.score == pytest.approx(shares.max(), abs=1e-5)


def test_of_several_labels_all_that_are_likely_are_named(runners):
    runner = runners["multi"]
    names = runner.task.labels.names
    for text, found in zip(TEXTS, runner.predict(TEXTS), strict=True):
        shares = 1 / (1 + np.exp(-outputs_of(runner, text)))
        chosen = [names[n] for n in np.argsort(-shares) if shares[n] >= 0.5]
        assert found.label == tuple(chosen)
        score = shares[shares >= 0.5].min() if chosen else shares.max()
        assert found.score == pytest.approx(score, abs=1e-5)
    assert len({len(found.label) for found in runner.predict(TEXTS)}) > 1


def test_a_regression_gives_numbers_on_the_scale_of_the_data(runners):
    runner = runners["regression"]
    values = np.array([1, 2.5, 4, -3, 0, 7])
    for text, found in zip(TEXTS, runner.predict(TEXTS), strict=True):
        expected = outputs_of(runner, text)[0] * values.std() + values.mean()
        assert found.label == found.score == found.plain
        assert found.label == pytest.approx(expected, abs=1e-4)
        assert found.scores == {}


def test_pairs_are_read_together(runners):
    runner = runners["pairs"]
    pairs = [("The cat", "sat there"), ("猫", "狗"), ("", "")]
    for (one, other), found in zip(pairs, runner.predict(pairs), strict=True):
        shares = softmax(outputs_of(runner, one, other))
        assert found.score == pytest.approx(shares.max(), abs=1e-5)
    for wrong in (["cat"], [("a", "b", "c")], ("a", "b")):
        with pytest.raises(TypeError, match="list of pairs"):
            runner.predict(wrong)


def test_an_encoder_embeds_and_refuses_to_predict():
    task, recipe = learn()
    encoder = type(task)(task.vocabulary, None)
    runner = encoder.runner(random_model(encoder, recipe))
    vectors = runner.embed(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    for call in (runner.predict, runner.attention, runner.evaluate, runner.score):
        with pytest.raises(ValueError, match="encoder: it knows no labels"):
            call(TEXTS)


# Attention


@EVERY
@pytest.mark.parametrize("text", [TEXTS[0], TEXTS[2]])
def test_words_have_the_weights_of_their_own_pieces(runners, name, text):
    """Weights of pieces, found by the pieces' own places, summed up by hand."""
    runner = runners[name]
    found = runner.attention(text)
    assert "".join(found.words) == text.replace(" ", "")
    assert found.weights.sum() == pytest.approx(1, abs=1e-5)
    codec = runner.task.codec
    ids = codec.encode(tf.constant([text]))[0]
    _, weights = runner.model.read(ids.to_tensor())
    starts, ends = codec.spans(tf.constant([text]))
    if name == "hierarchical":
        rows = zip(np.asarray(weights)[0], ids[0].row_lengths(), strict=True)
        shares = [weight for row, count in rows for weight in row[:count]]
        starts, ends = (np.array(side.flat_values) for side in (starts, ends))
    else:
        shares, starts, ends = (np.asarray(x)[0] for x in (weights, starts, ends))
    expected = dict.fromkeys(found.spans, 0.0)
    for start, end, share in zip(starts, ends, shares, strict=False):
        inside = text.encode()[start:end].decode()
        place = len(text.encode()[:start].decode())
        own = [
            span
            for span in found.spans
            for n in range(place, place + len(inside))
            if span[0] <= n < span[1]
        ]
        for span in own:
            expected[span] += share / len(own)
    total = sum(expected.values())
    np.testing.assert_allclose(
        found.weights, [value / total for value in expected.values()], atol=1e-5
    )
    assert np.ptp(found.weights) > 1e-3


def test_sentences_have_the_weights_of_their_words(runners):
    text = "我喜欢猫。 我说。"
    found = runners["hierarchical"].attention(text)
    spans = [text[start:end].strip() for start, end, _ in found.sentences]
    assert spans == ["我喜欢猫。", "我说。"]
    assert sum(weight for *_, weight in found.sentences) == pytest.approx(1, abs=1e-5)
    assert runners["rnn"].attention(text).sentences is None


@EVERY
def test_odd_texts_are_explained_too(runners, name):
    for text in ("", "  ", *ODD):
        found = runners[name].attention(text, without=True)
        assert np.isfinite(found.weights).all()
        assert len(found.without) == len(found.words)


def test_without_a_word_is_what_the_shorter_text_says(runners):
    text = "The cat 在那里。"
    runner = runners["rnn"]
    found = runner.attention(text, without=True)
    (whole,) = runner.predict([text])
    for (start, end), fall in zip(found.spans, found.without, strict=True):
        (shorter,) = runner.predict([text[:start] + text[end:]])
        expected = whole.scores[whole.label] - shorter.scores[whole.label]
        assert fall == pytest.approx(expected, abs=1e-5)
    assert found.words == ["The", "cat", "在", "那", "里", "。"]
    other = next(name for name in whole.scores if name != whole.label)
    of_other = runner.attention(text, without=True, label=other)
    assert not np.allclose(of_other.without, found.without)
    with pytest.raises(ValueError, match="No label 'nothing'"):
        runner.attention(text, without=True, label="nothing")


def test_without_a_word_of_a_pair_the_other_text_stays(runners):
    pair = ("The cat", "sat 那里")
    runner = runners["pairs"]
    found = runner.attention(pair, without=True)
    assert found.text == "The cat\nsat 那里"
    assert found.words == ["The", "cat", "sat", "那", "里"]
    (whole,) = runner.predict([pair])
    shorter = [(" cat", pair[1]), ("The ", pair[1]), ("The cat", " 那里")]
    shorter += [("The cat", "sat 里"), ("The cat", "sat 那")]
    for fall, one in zip(found.without, runner.predict(shorter), strict=True):
        expected = whole.score - one.scores[whole.label]
        assert fall == pytest.approx(expected, abs=1e-5)


def test_without_a_word_a_number_falls(runners):
    runner = runners["regression"]
    found = runner.attention("The cat", without=True)
    whole, no_the, no_cat = runner.predict(["The cat", " cat", "The "])
    expected = [whole.score - no_the.score, whole.score - no_cat.score]
    np.testing.assert_allclose(found.without, expected, atol=1e-4)


# Evaluating


def test_scores_are_those_of_the_probabilities(runners):
    runner = runners["rnn"]
    outputs = np.array([outputs_of(runner, text) for text in TWICE.texts])
    shares = np.array([softmax(row) for row in outputs])
    targets = runner.task.labels.encode(TWICE)
    found = runner.evaluate(TWICE)
    expected = score_single(shares, targets, runner.task.labels.names)
    for name in ("accuracy", "macro_f1", "ece"):
        assert found[name] == pytest.approx(expected[name], abs=1e-5)
    assert found["per_label"] == expected["per_label"]
    assert found["examples"] == 12
    wrong = shares.argmax(axis=1) != targets
    assert found["accuracy"] == pytest.approx(1 - wrong.mean())
    assert {one["text"] for one in found["mistakes"]} <= {
        text for text, is_wrong in zip(TWICE.texts, wrong, strict=True) if is_wrong
    }
    assert runner.score(TWICE) == next(iter(found.values()))


def test_scores_of_several_labels_and_of_numbers(runners):
    for kind, data in (("multi", MULTI), ("regression", NUMBERS)):
        runner = runners[kind]
        labels = runner.task.labels
        outputs = np.array([outputs_of(runner, text) for text in data.texts])
        if kind == "multi":
            shares = 1 / (1 + np.exp(-outputs))
            expected = score_multi(shares, labels.encode(data), labels.names, 0.5)
        else:
            true = np.array([float(label) for label in data.labels])
            values = outputs[:, 0] * true.std() + true.mean()
            expected = score_regression(values, true)
        found = runner.evaluate(data)
        for name, value in expected.items():
            if isinstance(value, float):
                assert found[name] == pytest.approx(value, abs=1e-4), name


def test_data_with_other_labels_is_refused(runners):
    with pytest.raises(ValueError, match="'new'"):
        runners["rnn"].evaluate(LabelledText(["a"], ["new"]))


# Exporting

TEXT_IN = {"texts": ("string", [None])}
LABELS_OUT = {
    "labels": ("string", [None, 2]),
    "scores": ("float32", [None, 2]),
    "probabilities": ("float32", [None, 3]),
    "truncated": ("bool", [None]),
}
ATTENTION_OUT = {
    "attention": ("float32", [None, None]),
    "pieces": ("string", [None, None]),
    "starts": ("int32", [None, None]),
    "ends": ("int32", [None, None]),
}
VALUES_OUT = {"values": ("float32", [None]), "truncated": ("bool", [None])}
EMBED_OUT = {"embeddings": ("float32", [None, 48]), "truncated": ("bool", [None])}
EXAMPLES_IN = {"inputs": ("string", [None])}
GOLDEN = {
    "rnn": {
        "serving_default": (TEXT_IN, LABELS_OUT),
        "with_attention": (TEXT_IN, LABELS_OUT | ATTENTION_OUT),
        "embed": (TEXT_IN, EMBED_OUT),
        "classify": (
            EXAMPLES_IN,
            {"classes": ("string", [None, 2]), "scores": ("float32", [None, 2])},
        ),
    },
    "regression": {
        "serving_default": (TEXT_IN, VALUES_OUT),
        "with_attention": (TEXT_IN, VALUES_OUT | ATTENTION_OUT),
        "embed": (TEXT_IN, EMBED_OUT),
        "regress": (EXAMPLES_IN, {"outputs": ("float32", [None])}),
    },
}
METHODS = {
    "classify": "tensorflow/serving/classify",
    "regress": "tensorflow/serving/regress",
}


def specs(manifest):
    return {
        name: tuple(
            {n: (spec["dtype"], spec["shape"]) for n, spec in entry[side].items()}
            for side in ("inputs", "outputs")
        )
        for name, entry in manifest["signatures"].items()
    }


def method_names(version):
    from tensorflow.core.protobuf import saved_model_pb2

    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((version / "saved_model.pb").read_bytes())
    signatures = saved_model.meta_graphs[0].signature_def
    return {name: signatures[name].method_name for name in signatures}


@pytest.mark.parametrize("kind", GOLDEN)
def test_signatures_have_the_names_that_stay(runners, kind, tmp_path):
    runner = runners[kind]
    options = {"top_k": 2} if kind == "rnn" else {}
    version = export(runner.exported(**options), tmp_path)
    manifest = json.loads((version / "assets.extra" / "zoo.json").read_text())
    assert specs(manifest) == GOLDEN[kind]
    found = method_names(version)
    for name in GOLDEN[kind]:
        assert found[name] == METHODS.get(name, "tensorflow/serving/predict")
    labels = version / "assets.extra" / "labels.txt"
    assert labels.exists() == (kind == "rnn")
    if kind == "rnn":
        assert labels.read_text("utf-8") == "en\nquestion\nzh\n"
    assert manifest["details"]["task"] == "text_classification"
    loaded = tf.saved_model.load(str(version))
    answer = loaded.signatures["serving_default"](tf.constant(TEXTS))
    results = runner.predict(TEXTS)
    if kind == "rnn":
        names = [label.decode() for label in answer["labels"].numpy()[:, 0]]
        assert names == [one.label for one in results]
        found, key = answer["scores"].numpy()[:, 0], "classify"
    else:
        found, key = answer["values"].numpy(), "regress"
    np.testing.assert_allclose(found, [one.score for one in results], atol=1e-4)
    # Serialised examples have the same answers.
    examples = loaded.signatures[key](tf.constant([as_example(t) for t in TEXTS]))
    again = examples["scores"][:, 0] if key == "classify" else examples["outputs"]
    np.testing.assert_allclose(again, found, atol=1e-6)


def as_example(text):
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    features = tf.train.Features(feature={"text": value})
    return tf.train.Example(features=features).SerializeToString()


def test_pairs_and_encoders_export_their_own_signatures(runners):
    found = runners["pairs"].exported()
    inputs = found.signatures["serving_default"].input_signature
    assert [spec.name for spec in inputs] == ["texts", "text_pairs"]
    example = tf.train.Example.FromString(found.samples["classify"]["inputs"][0])
    assert set(example.features.feature) == {"text", "text_pair"}
    task, recipe = learn()
    encoder = type(task)(task.vocabulary, None)
    found = encoder.runner(random_model(encoder, recipe)).exported()
    assert list(found.signatures) == ["serving_default", "embed"]
    assert (found.forms, found.labels) == ({}, ())


def test_what_an_export_cannot_have_is_refused(runners):
    for wrong in ({"weights": "int8"}, {"beam_size": 3}):
        with pytest.raises(ValueError, match="exports in float32, with the option"):
            runners["rnn"].exported(**wrong)

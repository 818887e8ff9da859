"""The folded layout against the model itself, over the same random weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.data.vocabulary import PADDING_ID, START_ID
from zoo.decoding import DecodingOptions, ModelStepper, decode
from zoo.inference import FoldedTransformer
from zoo.models import Transformer

# Sentences, source length, hypotheses, vocabularies, units, hidden size, heads.
A, S, K, V_SOURCE, V, U, F, H = 5, 7, 3, 19, 23, 10, 17, 5

# Every value of every option at least once, and blocks of many numbers.
MODELS = {
    "pre": {"num_layers": 1, "num_decoder_layers": 3, "alignment_layer": 1},
    "post": {
        "norm": "post",
        "num_layers": 3,
        "num_decoder_layers": 2,
        "alignment_layer": 1,
        "activation": "gelu",
        "position_layout": "halves",
        "decoder_hidden_size": 29,
        "tie_output": False,
        "embedding_scale": 1.3,
    },
    "pre-shared": {
        "num_layers": 2,
        "num_decoder_layers": 1,
        "share_embeddings": True,
        "tie_output": False,
        "activation": "swish",
        "position_layout": "tensor2tensor",
    },
    "post-shared": {
        "norm": "post",
        "num_layers": 1,
        "num_decoder_layers": 2,
        "alignment_layer": 0,
        "share_embeddings": True,
    },
}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    """Every weight is random, biases, gains and shifts too."""
    options = MODELS[request.param]
    sources = V if options.get("share_embeddings") else V_SOURCE
    model = Transformer(sources, V, U, F, H, dropout=0.0, **options)
    model.build(None)
    random = np.random.default_rng(7)
    for weight in model.weights:
        center = 1.0 if weight.path.endswith("gamma") else 0.0
        numbers = random.normal(center, 0.4, size=tuple(weight.shape))
        weight.assign(numbers.astype("float32"))
    return model


@pytest.fixture
def source(random):
    ids = random.integers(1, V_SOURCE, size=(A, S)).astype("int32")
    for row, length in enumerate([7, 1, 4, 6, 2]):
        ids[row, length:] = PADDING_ID
    return tf.constant(ids)


@pytest.mark.parametrize("rows", [1, K])
def test_every_step_is_that_of_the_model(model, source, random, rows):
    """Through tokens that change places, and sentences that are dropped."""
    steppers = [ModelStepper(model), FoldedTransformer(model, 31)]
    starts = [stepper.start(source, rows) for stepper in steppers]
    memories, states = (list(side) for side in zip(*starts, strict=True))
    tokens = np.full((A, rows), START_ID, "int32")
    for step in range(6):
        logits, weights = [], []
        for index, stepper in enumerate(steppers):
            one, states[index], other = stepper.step(
                tf.constant(tokens), states[index], memories[index]
            )
            logits.append(one)
            weights.append(other)
        np.testing.assert_allclose(logits[1], logits[0], atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(weights[1], weights[0], atol=1e-5)
        assert np.ptp(logits[0]) > 1.0
        parents = random.integers(0, rows, size=(len(tokens), rows)).astype("int32")
        if rows > 1:
            states = [
                stepper.reorder(state, tf.constant(parents))
                for stepper, state in zip(steppers, states, strict=True)
            ]
        if step in (1, 3):
            # Places in another order than they had.
            left = tf.constant([3, 0, 2] if step == 1 else [2, 0])
            states, memories = (
                [
                    stepper.keep(value, left)
                    for stepper, value in zip(steppers, values, strict=True)
                ]
                for values in (states, memories)
            )
            tokens = tokens[left.numpy()]
        tokens = random.integers(1, V, size=tokens.shape).astype("int32")


def test_stepping_is_running_along_the_whole_target(model, source, random):
    target = random.integers(1, V, size=(A, 6)).astype("int32")
    logits, weights = model.force(source, target)
    stepper = FoldedTransformer(model, 31)
    memory, state = stepper.start(source, 1)
    for step in range(6):
        found, state, seen = stepper.step(target[:, step : step + 1], state, memory)
        np.testing.assert_allclose(found, logits[:, step], atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(seen[:, 0], weights[:, step], atol=1e-5)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_it_finds_what_the_model_finds(model, source, beam_size):
    options = DecodingOptions(beam_size=beam_size, num_hypotheses=beam_size)
    limits = tf.constant([9, 3, 11, 5, 7])
    steppers = (ModelStepper(model), FoldedTransformer(model, 31))
    found = [decode(stepper, source, limits, options) for stepper in steppers]
    np.testing.assert_array_equal(found[1].ids, found[0].ids)
    np.testing.assert_allclose(found[1].scores, found[0].scores, rtol=1e-5)
    np.testing.assert_allclose(found[1].weights, found[0].weights, atol=1e-5)


def test_it_keeps_the_numbers_that_it_was_made_with(source):
    model = Transformer(V_SOURCE, V, U, F, H, 1)
    model.build(None)
    stepper = FoldedTransformer(model, 31)
    tokens = tf.fill([A, 1], START_ID)

    def logits():
        memory, state = stepper.start(source, 1)
        return stepper.step(tokens, state, memory)[0].numpy()

    before = logits()
    for weight in model.weights:
        weight.assign(keras.ops.zeros_like(weight))
    np.testing.assert_array_equal(logits(), before)

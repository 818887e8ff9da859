import numpy as np
import pytest

from tests.references import bergamot, transformer
from zoo.layers import SSRU, FeedForward, MultiHeadAttention, SSRUDecoderBlock

# Batch, length, keys, heads, units, memory's size, hidden size.
B, L, K, H, U, M, F = 2, 5, 7, 3, 6, 11, 13


def make_block(norm="post", **options):
    return SSRUDecoderBlock(
        SSRU(name="recurrence"),
        MultiHeadAttention(H, U, name="cross_attention"),
        FeedForward(F, name="feed_forward"),
        norm=norm,
        dropout=0.0,
        name="block",
        **options,
    )


@pytest.fixture
def make(randomize):
    def made(norm="post", **options):
        block = make_block(norm, **options)
        block.build((None, None, U), (None, None, M))
        return randomize(block, scale=0.5)

    return made


def reference(block, inputs, memory, visible, norm):
    """One sequence through parts written from the papers."""
    weights = {
        weight.path.removeprefix("block/"): np.asarray(weight, "float64")
        for weight in block.weights
    }
    names = {"x_W": "update/kernel", "x_Wf": "forget/kernel", "x_bf": "forget/bias"}
    cells = {name: weights[f"recurrence/{path}"] for name, path in names.items()}
    cells["x_bf"] = cells["x_bf"][None]
    shares = []

    def recur(sequence):
        cell, outputs = np.zeros(U), []
        for vector in sequence:
            output, cell = bergamot.ssru(vector, cell, cells, "x")
            outputs.append(output)
        return outputs

    def look(sequence):
        outputs, seen = transformer.attention(
            sequence,
            list(memory),
            list(memory),
            lambda q, k: visible[k],
            weights,
            "cross_attention",
            H,
        )
        shares.append(seen)
        return outputs

    def think(sequence):
        return [
            transformer.feed_forward(x, weights, "feed_forward", transformer.relu)
            for x in sequence
        ]

    stream = list(inputs)
    for part, name in ((recur, "recurrence"), (look, "cross_attention")):
        stream = transformer.residual(
            stream, part, norm, weights, f"{name}_norm", block.epsilon
        )
    stream = transformer.residual(
        stream, think, norm, weights, "feed_forward_norm", block.epsilon
    )
    return np.array(stream), shares[0]


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_it_is_made_of_its_parts(make, random, norm):
    block = make(norm, epsilon=1e-3)
    inputs = random.normal(size=(B, L, U)).astype("float32")
    memory = random.normal(size=(B, K, M)).astype("float32")
    mask = np.array([[True] * K, [True, True, False, True, False, False, False]])
    outputs, weights = block(inputs, memory, memory_mask=mask, return_weights=True)
    for n in range(B):
        expected, shares = reference(block, inputs[n], memory[n], mask[n], norm)
        np.testing.assert_allclose(outputs[n], expected, atol=1e-5)
        np.testing.assert_allclose(weights[n], shares, atol=1e-6)
    cache = block.start(memory)
    for t in range(L):
        step, seen, cache = block.advance(inputs[:, t : t + 1], cache, mask)
        np.testing.assert_allclose(step[:, 0], outputs[:, t], atol=1e-5)
        np.testing.assert_allclose(seen[:, :, 0], weights[:, :, t], atol=1e-6)
        # What it remembers does not grow.
        assert tuple(cache["state"].shape) == (B, U)


def test_a_block_that_is_not_built_says_so(random):
    memory = random.normal(size=(B, K, M)).astype("float32")
    with pytest.raises(ValueError, match="not built"):
        make_block().start(memory)

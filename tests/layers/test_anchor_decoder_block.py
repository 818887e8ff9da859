import numpy as np
import pytest

from tests.references import conditional, modulated
from zoo.layers import AnchorDecoderBlock
from zoo.weights import weight_address

# Sizes, all different: batch, queries, cells, size of value, heads, size of a head.
B, Q, K, D, H, S = 2, 3, 5, 11, 4, 6
U = H * S
MASK = np.array([[True, True, False, True, True], [False, True, False, False, True]])
LOOKS = {
    "modulated": modulated.attention,
    "conditional": conditional.scaled_attention,
}


@pytest.mark.parametrize("attention", LOOKS)
def test_a_block_is_that_of_the_papers(attention, random, randomize):
    block = AnchorDecoderBlock(H, U, 19, epsilon=1e-3, attention=attention)
    asked = [
        random.normal(size=(B, Q, U)),
        random.normal(size=(B, K, D)),
        random.normal(size=(B, Q, U)),
        random.uniform(0.2, 0.8, size=(B, Q, 4)),
        random.uniform(size=(B, K, 2)),
    ]
    asked = [each.astype("float32") for each in asked]
    sees = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1]], bool)
    sees = np.stack([sees, ~sees | np.eye(Q, dtype=bool)])
    block(*asked)
    randomize(block, scale=0.4)
    arrays = {weight_address(w): np.asarray(w, "float64") for w in block.weights}
    found, weights = block(
        *asked, memory_mask=MASK, attention_mask=sees, return_weights=True
    )
    for row in range(B):
        own = [each[row].astype("float64") for each in asked]
        expected, shares = conditional.decoder_block(
            LOOKS[attention], *own, MASK[row], sees[row], arrays, H, 1e-3
        )
        np.testing.assert_allclose(found[row], expected, atol=1e-4)
        np.testing.assert_allclose(weights[row], shares, atol=2e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"dropout": 1.0}, "dropout=1"),
        ({"units": 7}, "units=7"),
        ({"attention": "global"}, "'modulated', 'conditional'.*attention='global'"),
    ],
)
def test_what_does_not_go_together_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        AnchorDecoderBlock(**{"num_heads": 2, "units": 6, "hidden_size": 5} | options)

"""What the model promises; its numbers are compared with Marian's decoder in NumPy in
`tests/converters/test_bergamot.py`."""

import json

import numpy as np
import pytest

from zoo.models import SSRUTransformer

# Both vocabularies, units, hidden size, heads, blocks of encoder and decoder.
V_SOURCE, V, U, F, H, N, M = 13, 17, 6, 11, 2, 1, 3
SOURCE = np.array(
    [[4, 12, 9, 1, 2, 8, 3], [7, 5, 3, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0, 0]]
)
TARGET = np.array([[1, 9, 16, 4, 5], [1, 7, 0, 0, 0], [1, 5, 13, 8, 0]])


@pytest.fixture
def make(randomize):
    def made(**options):
        sizes = {"units": U, "hidden_size": F, "num_heads": H, "num_layers": N}
        sizes |= {"num_decoder_layers": M, "dropout": 0.0}
        sources = V if options.get("share_embeddings") else V_SOURCE
        model = SSRUTransformer(sources, V, **(sizes | options))
        model.build(None)
        return randomize(model, scale=0.4)

    return made


@pytest.mark.parametrize("alignment_head", [None, 1])
def test_steps_give_what_the_whole_target_gives(make, alignment_head):
    model = make(alignment_head=alignment_head)
    logits, weights = model.force(SOURCE, TARGET)
    memory = model.encode(SOURCE)
    state = model.initial_state(memory)
    for t, column in enumerate(TARGET.T):
        row, state, seen = model.step(column, state, memory)
        np.testing.assert_allclose(row, logits[:, t], atol=1e-5)
        np.testing.assert_allclose(seen, weights[:, t], atol=1e-6)
    np.testing.assert_allclose(np.sum(weights, axis=-1), 1.0, atol=1e-5)


def test_alignment_is_one_head_of_the_last_block_or_their_mean(make):
    mean = make()
    heads = []
    for head in range(H):
        one = make(alignment_head=head)
        one.set_weights(mean.get_weights())
        heads.append(np.asarray(one.force(SOURCE, TARGET)[1]))
    assert np.abs(heads[0] - heads[1]).max() > 1e-3
    found = np.asarray(mean.force(SOURCE, TARGET)[1])
    np.testing.assert_allclose(found, np.mean(heads, axis=0), atol=1e-6)


def test_padding_and_what_comes_later_change_nothing(make):
    model = make()
    logits = np.asarray(model({"source_ids": SOURCE, "target_ids": TARGET}))
    longer = np.pad(SOURCE, [(0, 0), (0, 4)])
    found = model({"source_ids": longer, "target_ids": TARGET})
    np.testing.assert_allclose(found, logits, atol=1e-5)
    changed = TARGET.copy()
    changed[:, 3:] = 2
    found = model({"source_ids": SOURCE, "target_ids": changed})
    np.testing.assert_allclose(found[:, :3], logits[:, :3], atol=1e-5)
    assert np.abs(found[:, 3:] - logits[:, 3:]).max() > 1e-3


def test_a_word_counts_for_its_place(make):
    model = make()
    turned = SOURCE[:1, [1, 0, 2, 3, 4, 5, 6]]
    one, other = (
        np.asarray(model.force(x, TARGET[:1])[0]) for x in (SOURCE[:1], turned)
    )
    assert np.abs(one - other).max() > 1e-3


def test_shared_embeddings_are_one_weight(make):
    names = [weight.path for weight in make(share_embeddings=True).weights]
    assert sum("embedding" in name for name in names) == 1
    with pytest.raises(ValueError, match="needs one vocabulary"):
        SSRUTransformer(V_SOURCE, V, share_embeddings=True)


def test_a_config_makes_the_same_model(make):
    model = make(share_embeddings=True, alignment_head=1, activation="gelu")
    config = json.loads(json.dumps(model.get_config()))
    again = SSRUTransformer.from_config(config)
    again.build(None)
    again.set_weights(model.get_weights())
    one, other = (each.force(SOURCE, TARGET)[1] for each in (model, again))
    np.testing.assert_array_equal(one, other)


def test_sizes_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="from 0 to 1, the number of a head"):
        SSRUTransformer(V, V, U, F, H, alignment_head=2)
    with pytest.raises(ValueError, match="at least one block each"):
        SSRUTransformer(V, V, U, F, H, num_decoder_layers=0)

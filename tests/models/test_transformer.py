import json

import numpy as np
import pytest
from keras import ops

from tests.references import positions, transformer
from zoo.models import Transformer
from zoo.weights import assign_arrays, model_arrays

# Sizes, all different: batch, source and target length, both vocabularies, units,
# hidden size, heads, blocks of the encoder and of the decoder.
B, S, T, V_SOURCE, V, U, F, H, N, M = 4, 7, 5, 13, 17, 6, 11, 2, 1, 3
EVERY_NORM = pytest.mark.parametrize("norm", ["pre", "post"])

SOURCE = np.array(
    [
        [4, 12, 9, 1, 2, 8, 3],
        [7, 5, 3, 0, 0, 0, 0],
        [6, 6, 11, 10, 3, 0, 0],
        [3, 0, 0, 0, 0, 0, 0],
    ]
)
TARGET = np.array(
    [[2, 9, 16, 4, 1], [2, 7, 0, 0, 0], [2, 5, 13, 8, 0], [2, 11, 3, 6, 12]]
)


def dense(address, inputs, outputs):
    return {f"{address}/kernel": (inputs, outputs), f"{address}/bias": (outputs,)}


def block(name, attentions):
    """The weights of a block, as saved files name them."""
    found = {}
    for attention in attentions:
        for part in ("query", "key", "value", "output"):
            found |= dense(f"{name}/{attention}/{part}", U, U)
    found |= dense(f"{name}/feed_forward/hidden", U, F)
    found |= dense(f"{name}/feed_forward/output", F, U)
    for part in (*attentions, "feed_forward"):
        found |= {f"{name}/{part}_norm/{gain}": (U,) for gain in ("gamma", "beta")}
    return found


ADDRESSES = {
    "source_embedding/embeddings": (V_SOURCE, U),
    "target_embedding/embeddings": (V, U),
    "output_bias": (V,),
    **{
        f"{side}_norm/{gain}": (U,)
        for side in ("encoder", "decoder")
        for gain in ("gamma", "beta")
    },
}
for n in range(N):
    ADDRESSES |= block(f"encoder_{n}", ["attention"])
for n in range(M):
    ADDRESSES |= block(f"decoder_{n}", ["self_attention", "cross_attention"])


def make_model(**options):
    sizes = {
        "units": U,
        "hidden_size": F,
        "num_heads": H,
        "num_layers": N,
        "num_decoder_layers": M,
        "dropout": 0.0,
    }
    sources = V if options.get("share_embeddings") else V_SOURCE
    model = Transformer(sources, V, **(sizes | options))
    model.build(None)
    return model


@pytest.fixture
def make(randomize):
    """A model whose every weight is random, biases and gains too."""

    def made(**options):
        return randomize(make_model(**options), scale=0.4)

    return made


def force(model, source=SOURCE, target=TARGET, **options):
    return [
        ops.convert_to_numpy(ops.cast(output, "float32"))
        for output in model.force(source, target, **options)
    ]


def below(arrays, address):
    start = f"{address}/"
    return {
        name.removeprefix(start): array
        for name, array in arrays.items()
        if name.startswith(start)
    }


def reference(source, target, arrays, norm, epsilon, align, scale=U**0.5):
    """One sentence pair without padding through blocks written from the paper."""
    options = {"norm": norm, "epsilon": epsilon, "activation": transformer.relu}
    length, nowhere = max(S, T), np.zeros((max(S, T), U))
    places = np.array([positions.interleaved(n, U) for n in range(length)])

    def read(ids, embedding):
        return arrays[embedding][ids] * scale + places[: len(ids)]

    def finish(stream, name):
        if norm == "post":
            return stream
        return [transformer.layer_norm(x, arrays, name, epsilon) for x in stream]

    seen = [True] * length
    memory = read(source, "source_embedding/embeddings")
    for n in range(N):
        weights = below(arrays, f"encoder_{n}")
        memory, _ = transformer.encoder_block(
            memory, seen, nowhere[: len(source)], weights, H, **options
        )
    memory = np.array(finish(memory, "encoder_norm"))
    stream = read(target, "target_embedding/embeddings")
    for n in range(M):
        stream, _, shares = transformer.decoder_block(
            stream,
            memory,
            seen,
            seen,
            nowhere[: len(target)],
            nowhere[: len(source)],
            below(arrays, f"decoder_{n}"),
            H,
            causal=True,
            **options,
        )
        if n == align:
            alignment = shares.mean(axis=0)
    stream = np.array(finish(stream, "decoder_norm"))
    tied = arrays["target_embedding/embeddings"].T
    kernel = arrays.get("target_embedding/reverse_embeddings", tied)
    return stream @ kernel + arrays["output_bias"], alignment


@EVERY_NORM
@pytest.mark.parametrize("align", range(M))
def test_logits_and_weights_equal_the_reference_sentence_by_sentence(make, norm, align):
    """The reference is given sentences without padding, one at a time."""
    model = make(norm=norm, alignment_layer=align)
    logits, weights = force(model)
    assert logits.shape == (B, T, V)
    assert weights.shape == (B, T, S)
    arrays = model_arrays(model)
    epsilon = model.encoder[0].epsilon
    for b in range(B):
        source, target = SOURCE[b][SOURCE[b] > 0], TARGET[b][TARGET[b] > 0]
        expected, shares = reference(source, target, arrays, norm, epsilon, align)
        np.testing.assert_allclose(logits[b, : len(target)], expected, atol=1e-5)
        found = weights[b, : len(target), : len(source)]
        np.testing.assert_allclose(found, shares, atol=1e-5)
        assert (weights[b, :, len(source) :] == 0.0).all()


def test_checkpoints_may_scale_otherwise_and_have_an_output_of_its_own(make):
    options = {"norm": "post", "alignment_layer": 0, "decoder_hidden_size": 19}
    model = make(embedding_scale=1.3, tie_output=False, **options)
    logits, _ = force(model)
    arrays = model_arrays(model)
    assert arrays["encoder_0/feed_forward/hidden/kernel"].shape == (U, F)
    assert arrays["decoder_2/feed_forward/hidden/kernel"].shape == (U, 19)
    epsilon = model.encoder[0].epsilon
    for b in range(B):
        source, target = SOURCE[b][SOURCE[b] > 0], TARGET[b][TARGET[b] > 0]
        expected, _ = reference(source, target, arrays, "post", epsilon, 0, 1.3)
        np.testing.assert_allclose(logits[b, : len(target)], expected, atol=1e-5)


@EVERY_NORM
@pytest.mark.parametrize("shared", [False, True])
def test_forced_steps_are_the_steps_of_a_decoder(make, norm, shared):
    """Cached keys and values give what computing them anew gives."""
    model = make(norm=norm, share_embeddings=shared)
    forced_logits, forced_weights = force(model)
    memory = model.encode(SOURCE)
    state = model.initial_state(memory)
    assert len(state) == M
    for t in range(T):
        logits, state, weights = model.step(TARGET[:, t], state, memory)
        assert tuple(logits.shape) == (B, V)
        for kept in state:
            assert {tuple(part.shape) for part in kept.values()} == {
                (B, H, t + 1, U // H)
            }
        np.testing.assert_allclose(logits, forced_logits[:, t], atol=1e-5)
        np.testing.assert_allclose(weights, forced_weights[:, t], atol=1e-5)


@EVERY_NORM
def test_padding_source_and_target_further_changes_nothing(make, norm):
    model = make(norm=norm)
    logits, weights = force(model)
    padded_logits, padded_weights = force(
        model, np.pad(SOURCE, ((0, 0), (0, 4))), np.pad(TARGET, ((0, 0), (0, 6)))
    )
    np.testing.assert_allclose(padded_logits[:, :T], logits, atol=1e-5)
    np.testing.assert_allclose(padded_weights[:, :T, :S], weights, atol=1e-5)
    assert (padded_weights[..., S:] == 0.0).all()


def test_a_sentence_does_not_depend_on_its_neighbours(make):
    model = make()
    logits, _ = force(model)
    for b in range(B):
        alone, _ = force(model, SOURCE[b : b + 1], TARGET[b : b + 1])
        np.testing.assert_allclose(alone[0], logits[b], atol=1e-5)


@EVERY_NORM
def test_later_target_tokens_change_no_earlier_logits(make, norm):
    model = make(norm=norm)
    logits, _ = force(model)
    changed = 2
    target = TARGET.copy()
    target[:, changed:] = (target[:, changed:] + 3) % V
    other, _ = force(model, target=target)
    np.testing.assert_array_equal(other[:, :changed], logits[:, :changed])
    assert (other[:, changed:] != logits[:, changed:]).any(axis=-1).all()


def test_a_source_of_padding_alone_gives_finite_numbers_and_no_weights(make):
    logits, weights = force(make(), source=np.zeros_like(SOURCE))
    assert np.isfinite(logits).all()
    assert (weights == 0.0).all()


def test_calling_the_model_gives_the_forced_logits(make):
    model = make()
    logits = model({"source_ids": SOURCE, "target_ids": TARGET})
    np.testing.assert_array_equal(logits, force(model)[0])


def test_dropout_acts_in_training_alone(make):
    for name in ("dropout", "attention_dropout", "hidden_dropout"):
        model = make(**{name: 0.5})
        calm, wild = force(model)[0], force(model, training=True)[0]
        np.testing.assert_array_equal(force(model)[0], calm)
        assert (wild != calm).any(), name


def test_weights_have_the_addresses_of_saved_files():
    model = make_model()
    assert {name: a.shape for name, a in model_arrays(model).items()} == ADDRESSES
    ends = ("encoder_norm", "decoder_norm")
    post = {name: a.shape for name, a in model_arrays(make_model(norm="post")).items()}
    assert post == {
        name: shape
        for name, shape in ADDRESSES.items()
        if name.split("/")[0] not in ends
    }


def test_shared_embeddings_are_one_weight(make):
    model = make(share_embeddings=True)
    names = [name for name in model_arrays(model) if name.endswith("embeddings")]
    assert names == ["embedding/embeddings"]
    # A word that stands in the source alone reads the same weight as an output does.
    weight = model_arrays(model)[names[0]].copy()
    before = force(model)[0]
    weight[12] += 1.0
    model.source_embedding.embeddings.assign(weight)
    changed = force(model)[0] != before
    assert changed[0].sum() > T
    assert changed[1:3, :, 12].all() and not changed[1:3, :, :12].any()


@EVERY_NORM
def test_it_is_made_again_from_its_config(make, norm):
    options = {
        "norm": norm,
        "activation": "gelu",
        "position_layout": "halves",
        "decoder_hidden_size": 19,
        "tie_output": False,
        "embedding_scale": 1.0,
        "dropout": 0.3,
        "attention_dropout": 0.1,
        "hidden_dropout": 0.2,
        "alignment_layer": 0,
    }
    model = make(**options)
    config = json.loads(json.dumps(model.get_config()))
    assert options.items() <= config.items()
    again = Transformer.from_config(config)
    again.build(None)
    assert again.get_config() == model.get_config()
    assign_arrays(again, model_arrays(model))
    for found, expected in zip(force(again), force(model), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_by_default_the_last_block_but_one_aligns():
    assert make_model().alignment_layer == M - 2
    assert make_model(num_decoder_layers=1).alignment_layer == 0


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_near_full_precision(make, policy):
    full, mixed = make(), make_model(dtype=policy)
    mixed.set_weights(full.get_weights())
    np.testing.assert_allclose(force(mixed)[0], force(full)[0], atol=0.3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_layers": 0}, "at least one block each.*num_layers=0"),
        ({"alignment_layer": M}, f"from 0 to {M - 1}.*alignment_layer={M}"),
        ({"alignment_layer": -1}, f"from 0 to {M - 1}.*alignment_layer=-1"),
        ({"norm": "both"}, "norm"),
        ({"num_heads": 4}, "4"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_model(**options)


def test_two_vocabularies_cannot_share_an_embedding():
    with pytest.raises(ValueError, match=f"{V_SOURCE} source and {V} target ids"):
        Transformer(V_SOURCE, V, share_embeddings=True)

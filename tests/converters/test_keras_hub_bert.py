"""KerasHub's own backbones, saved as its presets, are the reference."""

import numpy as np
import pytest

from zoo.converters import convert

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s", "sat"]

# KerasHub's own imports warn of what others deprecate.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", params=["Bert", "DistilBert"])
def made(request, tmp_path_factory):
    """A backbone with weights far from where they start, and the folder it is in."""
    models = pytest.importorskip("keras_hub").models
    backbone = getattr(models, f"{request.param}Backbone")(
        vocabulary_size=len(PIECES),
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=12,
        max_sequence_length=32,
    )
    rng = np.random.default_rng(3)
    for weight in backbone.weights:
        weight.assign(rng.normal(size=weight.shape))
    folder = tmp_path_factory.mktemp("hub") / request.param
    backbone.save_to_preset(folder)
    tokenizer = getattr(models, f"{request.param}Tokenizer")
    tokenizer(vocabulary=PIECES, lowercase=True).save_to_preset(folder)
    return backbone, folder


def test_states_equal_those_of_keras_hub(made):
    import tensorflow as tf

    backbone, folder = made
    preset = convert(folder)
    texts = tf.constant(["The cats sat", "cat"])
    ids = preset.task.codec.encode(texts)[0].to_tensor().numpy()
    assert ids.tolist() == [[2, 5, 6, 7, 8, 3], [2, 6, 3, 0, 0, 0]]
    given = {"token_ids": ids, "padding_mask": (ids != 0).astype("int32")}
    if type(backbone).__name__ == "BertBackbone":
        given["segment_ids"] = np.zeros_like(ids)
    expected = backbone(given)
    if isinstance(expected, dict):
        expected = expected["sequence_output"]
    found = np.asarray(preset.model.states(ids)[-1])
    # Of large weights, as here, the approximate gelu is off by a thousandth.
    np.testing.assert_allclose(found[ids != 0], expected[ids != 0], atol=2e-5)


def test_a_backbone_of_another_architecture_is_refused(tmp_path):
    models = pytest.importorskip("keras_hub").models
    other = models.AlbertBackbone(
        vocabulary_size=9,
        num_layers=1,
        num_heads=1,
        embedding_dim=4,
        hidden_dim=4,
        intermediate_dim=8,
    )
    other.save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="is a AlbertBackbone"):
        convert(tmp_path)

"""What encoder and decoder blocks share: a residual connection around each sublayer."""
# Departures from Vaswani et al. (2017, section 3.1, LayerNorm(x + Sublayer(x))):
# - norm="pre" is x + Sublayer(LayerNorm(x)), as tensor2tensor came to use and Xiong et
#   al. (2020, https://arxiv.org/abs/2002.04745) explain; the stack of blocks then needs
#   one more normalisation at its end, which belongs to the model.
# - epsilon, which the paper does not give, is 1e-5, that of torch and so of DETR; BERT
#   has 1e-12. With Keras's own 1e-3 a DETR's logits are off by 0.04.
# As in the paper (section 5.4), dropout is on what a sublayer returns, before the sum.

import keras
from keras import layers, ops

NORMS = ("pre", "post")


class ResidualBlock(layers.Layer):
    """Base of blocks that are made of parts with a residual connection around each.

    A subclass names its parts in `parts`, sets them as attributes, and wraps each
    between `before` and `after`:

        update = self.feed_forward(self.before(self.feed_forward_norm, inputs))
        outputs = self.after(self.feed_forward_norm, inputs, update)

    Args:
        norm: "pre" or "post": where the normalisation stands.
        dropout: share of a part's result that is dropped while training.
        epsilon: what the normalisations add to the variance.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Raises:
        ValueError: no such `norm`, or dropout is not in [0, 1).
    """

    parts: tuple[str, ...] = ()

    def __init__(self, norm: str, dropout: float, epsilon: float, **kwargs):
        super().__init__(**kwargs)
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {NORMS}. Received: norm={norm}.")
        if not 0 <= dropout < 1:
            raise ValueError(
                f"dropout must be at least 0 and below 1. Received: dropout={dropout}."
            )
        self.norm = norm
        self.dropout = dropout
        self.epsilon = epsilon
        self.update_dropout = layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def make_norm(self, name: str):
        return layers.LayerNormalization(
            epsilon=self.epsilon, dtype=self.dtype_policy, name=name
        )

    def before(self, norm, inputs):
        """What a part is given."""
        return norm(inputs) if self.norm == "pre" else inputs

    def after(self, norm, inputs, update, training=False):
        """The inputs and what a part made of them, together."""
        outputs = inputs + self.update_dropout(update, training=training)
        return norm(outputs) if self.norm == "post" else outputs

    def get_config(self):
        config = super().get_config()
        config.update(norm=self.norm, dropout=self.dropout, epsilon=self.epsilon)
        for part in self.parts:
            config[part] = keras.saving.serialize_keras_object(getattr(self, part))
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for part in cls.parts:
            config[part] = keras.saving.deserialize_keras_object(config[part])
        return cls(**config)


def build_once(part, *shapes):
    """Builds a part, unless it was read from a config and so comes built."""
    if not part.built:
        part.build(*shapes)


def with_positions(inputs, positions):
    """The sum of both in the type of the inputs; positions may be `None`."""
    return inputs if positions is None else inputs + ops.cast(positions, inputs.dtype)

"""A Transformer's encoder (Vaswani et al., 2017) that classifies texts."""
# Departures from the paper are those of `zoo.models.transformer`, and:
# - a learnt query reads the encoder's states (`QueryPooling`), where the paper has a
#   decoder.

import keras
from keras import layers

from zoo.layers import QueryPooling, SinePositions
from zoo.models.encoder_stack import make_encoder
from zoo.models.text_classifier import TextClassifier
from zoo.ops.masking import padding_mask

# Shape letters: B batch, L length, U units.


@keras.saving.register_keras_serializable(package="zoo")
class TransformerClassifier(TextClassifier):
    """Self-attention over all positions, and a query that pools.

    Args:
        vocabulary_size: number of ids.
        num_outputs: numbers a text; 0 makes an encoder without a head.
        units: size of embeddings and blocks.
        hidden_size: inside the feed-forward networks.
        num_heads: of every attention.
        num_layers: blocks.
        norm: "pre" or "post".
        dropout: on embeddings, on what each part of a block adds, and before the head;
            rate in [0, 1).
        attention_dropout: on attention weights.
        **kwargs: `name` and `dtype`, for `keras.Model`.

    Call arguments:
        inputs, training: see `TextClassifier`.

    Returns:
        See `TextClassifier`.

    Raises:
        ValueError: sizes that do not go together.
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_outputs: int,
        units: int = 128,
        hidden_size: int = 512,
        num_heads: int = 4,
        num_layers: int = 2,
        norm: str = "pre",
        dropout: float = 0.3,
        attention_dropout: float = 0.1,
        **kwargs,
    ):
        kwargs.setdefault("name", "transformer_classifier")
        super().__init__(num_outputs, dropout, **kwargs)
        self.vocabulary_size = vocabulary_size
        self.units = units
        self.hidden_size = hidden_size
        self.num_heads = num_heads
        self.num_layers = num_layers
        self.norm = norm
        self.attention_dropout = attention_dropout
        dtype = {"dtype": self.dtype_policy}
        self.embedding = self.make_embedding(vocabulary_size, units)
        self.positions = SinePositions(name="positions", **dtype)
        self.embedding_dropout = layers.Dropout(
            dropout, name="embedding_dropout", **dtype
        )
        self.encoder = make_encoder(
            num_layers,
            num_heads,
            units,
            hidden_size,
            attention_dropout,
            norm=norm,
            dropout=dropout,
            **dtype,
        )
        self.encoder_norm = None
        if norm == "pre":
            self.encoder_norm = layers.LayerNormalization(
                epsilon=self.encoder[0].epsilon, name="encoder_norm", **dtype
            )
        self.pooling = QueryPooling(num_heads, units, name="pooling", **dtype)

    def build(self, input_shape=None):
        shape = (None, None, self.units)
        self.embedding.build((None, None))
        for block in self.encoder:
            block.build(shape)
        if self.encoder_norm is not None:
            self.encoder_norm.build(shape)
        self.pooling.build(shape)
        self.build_head(self.units)

    def read(self, token_ids, training=False):
        mask_BL = padding_mask(token_ids)
        values_BLU = self.embedding(token_ids) * self.units**0.5
        values_BLU = values_BLU + self.positions(values_BLU)
        values_BLU = self.embedding_dropout(values_BLU, training=training)
        for block in self.encoder:
            values_BLU = block(values_BLU, key_mask=mask_BL, training=training)
        if self.encoder_norm is not None:
            values_BLU = self.encoder_norm(values_BLU)
        return self.pooling(values_BLU, key_mask=mask_BL, training=training)

    def parts_by_depth(self):
        names = ["embedding", *(block.name for block in self.encoder)]
        return [f"{name}/.*" for name in names] + ["(encoder_norm|pooling|head)/.*"]

    def get_config(self):
        config = super().get_config()
        config.update(
            vocabulary_size=self.vocabulary_size,
            num_outputs=self.num_outputs,
            units=self.units,
            hidden_size=self.hidden_size,
            num_heads=self.num_heads,
            num_layers=self.num_layers,
            norm=self.norm,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
        )
        return config

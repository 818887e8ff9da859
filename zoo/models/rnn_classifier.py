"""A recurrent text classifier with attention pooling."""
# After Yang et al. (2016, https://aclanthology.org/N16-1174), sections 2.2, word level
# alone. Departures from the paper:
# - the text is one sequence of subword pieces;
# - dropout on embeddings, between layers and on the pooled vector.

import keras
from keras import layers

from zoo.layers import AttentionPooling
from zoo.models.recurrent import check_cell, make_bidirectional, read_recurrent
from zoo.models.text_classifier import TextClassifier
from zoo.ops.masking import padding_mask

# Shape letters: B batch, L length, E embedding size, U units.


@keras.saving.register_keras_serializable(package="zoo")
class RNNClassifier(TextClassifier):
    """Bidirectional recurrent layers, and attention over all their states.

    Args:
        vocabulary_size: number of ids.
        num_outputs: numbers a text; 0 makes an encoder without a head.
        cell: "gru" or "lstm".
        embedding_size: size of the embedding.
        units: size of each direction.
        attention_units: of `AttentionPooling`.
        num_layers: recurrent layers.
        embedding_dropout: share of whole embedding vectors, a word at a time, dropped
            while training.
        dropout: between layers and before the head; rate in [0, 1).
        **kwargs: `name` and `dtype`, for `keras.Model`.

    Call arguments:
        inputs, training: see `TextClassifier`.

    Returns:
        See `TextClassifier`.

    Raises:
        ValueError: an unknown cell, or a size out of range.
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_outputs: int,
        cell: str = "gru",
        embedding_size: int = 128,
        units: int = 128,
        attention_units: int = 64,
        num_layers: int = 1,
        embedding_dropout: float = 0.2,
        dropout: float = 0.5,
        **kwargs,
    ):
        kwargs.setdefault("name", "rnn_classifier")
        super().__init__(num_outputs, dropout, **kwargs)
        check_cell(cell)
        self.vocabulary_size = vocabulary_size
        self.cell = cell
        self.embedding_size = embedding_size
        self.units = units
        self.attention_units = attention_units
        self.num_layers = num_layers
        self.embedding_dropout_rate = embedding_dropout
        dtype = {"dtype": self.dtype_policy}
        self.embedding = self.make_embedding(vocabulary_size, embedding_size)
        self.embedding_dropout = layers.SpatialDropout1D(
            embedding_dropout, name="embedding_dropout", **dtype
        )
        self.recurrent = [
            make_bidirectional(cell, units, f"recurrent_{index}", dtype)
            for index in range(num_layers)
        ]
        self.layer_dropout = layers.Dropout(dropout, name="layer_dropout", **dtype)
        self.pooling = AttentionPooling(attention_units, name="pooling", **dtype)

    def build(self, input_shape=None):
        self.embedding.build((None, None))
        size = self.embedding_size
        for layer in self.recurrent:
            layer.build((None, None, size))
            size = 2 * self.units
        self.pooling.build((None, None, size))
        self.build_head(size)

    def read(self, token_ids, training=False):
        mask_BL = padding_mask(token_ids)
        values = self.embedding_dropout(self.embedding(token_ids), training=training)
        for index, layer in enumerate(self.recurrent):
            if index:
                values = self.layer_dropout(values, training=training)
            values = read_recurrent(layer, values, mask_BL, training)
        return self.pooling(values, key_mask=mask_BL)

    def parts_by_depth(self):
        names = [layer.name for layer in self.recurrent]
        return [f"{name}/.*" for name in ("embedding", *names, "pooling", "head")]

    def get_config(self):
        config = super().get_config()
        config.update(
            vocabulary_size=self.vocabulary_size,
            num_outputs=self.num_outputs,
            cell=self.cell,
            embedding_size=self.embedding_size,
            units=self.units,
            attention_units=self.attention_units,
            num_layers=self.num_layers,
            embedding_dropout=self.embedding_dropout_rate,
            dropout=self.dropout,
        )
        return config

"""BERT's encoder with a head (Devlin et al., 2019)."""
# Departures from the paper (https://arxiv.org/abs/1810.04805):
# - token types are not an input: they follow from the separators among the ids;
# - pooling="attention", the default, weighs all positions where the paper takes the
#   first one; it starts at the mean, which sentence encoders are trained for.
# As in the paper's code: the exact gelu, an epsilon of 1e-12, learnt positions.

import keras
from keras import layers, ops

from zoo.layers import AttentionPooling, PositionEmbedding
from zoo.models.encoder_stack import make_encoder
from zoo.models.text_classifier import TextClassifier
from zoo.ops.activations import gelu_tanh
from zoo.ops.masking import padding_mask

# Shape letters: B batch, L length, U units, H heads.

POOLINGS = ("attention", "mean", "first")
POOLERS = ("none", "tanh", "relu")
ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": gelu_tanh, "relu": "relu"}


@keras.saving.register_keras_serializable(package="zoo")
class BertClassifier(TextClassifier):
    """The encoder that BERT, DistilBERT, MiniLM and their kin share, and a head.

    Args:
        vocabulary_size: number of ids.
        num_outputs: numbers a text; 0 makes an encoder without a head.
        separator_id: the id that ends each text of a pair, [SEP].
        units: size of embeddings and blocks.
        hidden_size: inside the feed-forward networks.
        num_heads: of every attention.
        num_layers: blocks.
        max_length: positions there are.
        num_token_types: 2 for BERT; 0 where there are none, as in DistilBERT.
        pooling: "attention" (`AttentionPooling`, started at the mean), "mean", or
            "first", the state of [CLS].
        pooler: a dense layer on the pooled vector: "tanh" (BERT's own), "relu"
            (DistilBERT's) or "none".
        activation: of the feed-forward networks: "gelu", the exact one, "gelu_tanh",
            its approximation, or "relu".
        epsilon: of the normalisations.
        dropout: on embeddings, on what each part of a block adds, and before the head;
            rate in [0, 1).
        attention_dropout: on attention weights.
        **kwargs: `name` and `dtype`, for `keras.Model`.

    Call arguments:
        inputs, training: see `TextClassifier`.

    Returns:
        See `TextClassifier`.

    Raises:
        ValueError: an unknown pooling or pooler, or sizes that do not go together.
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_outputs: int,
        separator_id: int = 102,
        units: int = 384,
        hidden_size: int = 1_536,
        num_heads: int = 12,
        num_layers: int = 6,
        max_length: int = 512,
        num_token_types: int = 2,
        pooling: str = "attention",
        pooler: str = "none",
        activation: str = "gelu",
        epsilon: float = 1e-12,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        **kwargs,
    ):
        kwargs.setdefault("name", "bert_classifier")
        super().__init__(num_outputs, dropout, **kwargs)
        if pooling not in POOLINGS or pooler not in POOLERS:
            raise ValueError(
                f"pooling must be one of {', '.join(POOLINGS)}, and pooler one of "
                f"{', '.join(POOLERS)}. Received: pooling={pooling!r}, "
                f"pooler={pooler!r}."
            )
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(ACTIVATIONS)}. "
                f"Received: activation={activation!r}."
            )
        self.vocabulary_size = vocabulary_size
        self.separator_id = separator_id
        self.units = units
        self.hidden_size = hidden_size
        self.num_heads = num_heads
        self.num_layers = num_layers
        self.max_length = max_length
        self.num_token_types = num_token_types
        self.pooling_name = pooling
        self.pooler_name = pooler
        self.activation = activation
        self.epsilon = epsilon
        self.attention_dropout = attention_dropout
        self._make_layers({"dtype": self.dtype_policy})

    def _make_layers(self, dtype):
        self.word_embedding = self._make_embedding(
            self.vocabulary_size, "word_embedding", dtype
        )
        self.position_embedding = PositionEmbedding(
            self.max_length, self.units, name="position_embedding", **dtype
        )
        self.type_embedding = None
        if self.num_token_types:
            self.type_embedding = self._make_embedding(
                self.num_token_types, "type_embedding", dtype
            )
        self.embedding_norm = layers.LayerNormalization(
            epsilon=self.epsilon, name="embedding_norm", **dtype
        )
        self.embedding_dropout = layers.Dropout(
            self.dropout, name="embedding_dropout", **dtype
        )
        self.encoder = make_encoder(
            self.num_layers,
            self.num_heads,
            self.units,
            self.hidden_size,
            self.attention_dropout,
            activation=ACTIVATIONS[self.activation],
            norm="post",
            dropout=self.dropout,
            epsilon=self.epsilon,
            **dtype,
        )
        self.pooling = self.pooler = None
        if self.pooling_name == "attention":
            self.pooling = AttentionPooling(
                self.units, start="mean", name="pooling", **dtype
            )
        if self.pooler_name != "none":
            self.pooler = layers.Dense(
                self.units, activation=self.pooler_name, name="pooler", **dtype
            )

    def _make_embedding(self, size, name, dtype):
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        return layers.Embedding(
            size, self.units, embeddings_initializer=initializer, name=name, **dtype
        )

    def build(self, input_shape=None):
        shape = (None, None, self.units)
        self.word_embedding.build((None, None))
        self.position_embedding.build((None, None))
        if self.type_embedding is not None:
            self.type_embedding.build((None, None))
        self.embedding_norm.build(shape)
        for block in self.encoder:
            block.build(shape)
        if self.pooling is not None:
            self.pooling.build(shape)
        if self.pooler is not None:
            self.pooler.build((None, self.units))
        self.build_head(self.units)

    def read(self, token_ids, training=False):
        states_BLU = self.states(token_ids, training)[-1]
        vectors_BU, weights_BL = self._pool(states_BLU, padding_mask(token_ids))
        if self.pooler is not None:
            vectors_BU = self.pooler(vectors_BU)
        return vectors_BU, weights_BL

    def states(self, token_ids, training: bool = False) -> list:
        """The states of every position: of the embeddings, and after each block.

        Args:
            token_ids: shape (batch, length), 0 = padding.
            training: whether dropout acts.

        Returns:
            A list of one more than there are blocks, each (batch, length, units).
        """
        mask_BL = padding_mask(token_ids)
        values_BLU = self.word_embedding(token_ids) + self.position_embedding(token_ids)
        if self.type_embedding is not None:
            values_BLU = values_BLU + self.type_embedding(self._types(token_ids))
        values_BLU = self.embedding_norm(values_BLU)
        values_BLU = self.embedding_dropout(values_BLU, training=training)
        states = [values_BLU]
        for block in self.encoder:
            states.append(block(states[-1], key_mask=mask_BL, training=training))
        return states

    def _types(self, token_ids):
        """0 up to the first separator, then 1."""
        ends_BL = ops.cast(ops.equal(token_ids, self.separator_id), "int32")
        before_BL = ops.cumsum(ends_BL, axis=1) - ends_BL
        return ops.minimum(before_BL, self.num_token_types - 1)

    def _pool(self, states_BLU, mask_BL):
        if self.pooling is not None:
            return self.pooling(states_BLU, key_mask=mask_BL)
        real_BL = ops.cast(mask_BL, states_BLU.dtype)
        if self.pooling_name == "mean":
            count_B1 = ops.maximum(ops.sum(real_BL, axis=1, keepdims=True), 1)
            weights_BL = real_BL / count_B1
            return ops.einsum("bl,blu->bu", weights_BL, states_BLU), weights_BL
        # What [CLS] looked at is what its state was made of.
        return states_BLU[:, 0], real_BL * ops.cast(
            ops.arange(ops.shape(real_BL)[1]) == 0, real_BL.dtype
        )

    def parts_by_depth(self):
        embeddings = "(word|position|type)_embedding/.*|embedding_norm/.*"
        blocks = [f"{block.name}/.*" for block in self.encoder]
        return [embeddings, *blocks, "(pooling|pooler|head)/.*"]

    def get_config(self):
        config = super().get_config()
        config.update(
            vocabulary_size=self.vocabulary_size,
            num_outputs=self.num_outputs,
            separator_id=self.separator_id,
            units=self.units,
            hidden_size=self.hidden_size,
            num_heads=self.num_heads,
            num_layers=self.num_layers,
            max_length=self.max_length,
            num_token_types=self.num_token_types,
            pooling=self.pooling_name,
            pooler=self.pooler_name,
            activation=self.activation,
            epsilon=self.epsilon,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
        )
        return config

"""What translators share whose encoder is the Transformer's."""

import keras
from keras import layers, ops

from zoo.layers import SinePositions
from zoo.ops.masking import padding_mask

# Shape letters: B batch, S source length, T target length, U units.


class EncoderDecoder(keras.Model):
    """Words, positions, a stack of blocks that reads, and an output over words.

    A subclass makes `encoder` and `decoder`, lists of blocks; of blocks that normalise
    first, `encoder_norm` and `decoder_norm` too. It has `initial_state`, `step` and
    `force`, and `get_config`. Blocks of the decoder have `start`, which projects what
    the encoder read to keys and values.

    Args:
        source_vocabulary_size: number of source ids.
        target_vocabulary_size: number of target ids.
        units: size of embeddings and blocks.
        share_embeddings: one embedding for both languages; needs one vocabulary.
        dropout: on embeddings; rate in [0, 1).
        position_layout: of `SinePositions`.
        tie_output: the output is the target's embedding, transposed; otherwise it has
            weights of its own.
        embedding_scale: what embeddings are multiplied by; by default the root of
            `units`.
        **kwargs: `name` and `dtype`, for `keras.Model`.

    Raises:
        ValueError: one embedding for two vocabularies.
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        units: int,
        share_embeddings: bool,
        dropout: float,
        position_layout: str,
        tie_output: bool = True,
        embedding_scale: float | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if share_embeddings and source_vocabulary_size != target_vocabulary_size:
            raise ValueError(
                "share_embeddings=True needs one vocabulary for both languages. "
                f"Received: {source_vocabulary_size} source and "
                f"{target_vocabulary_size} target ids."
            )
        self.source_vocabulary_size = source_vocabulary_size
        self.target_vocabulary_size = target_vocabulary_size
        self.units = units
        self.share_embeddings = share_embeddings
        self.dropout = dropout
        self.position_layout = position_layout
        self.tie_output = tie_output
        self.embedding_scale = (
            units**0.5 if embedding_scale is None else embedding_scale
        )
        self._make_words({"dtype": self.dtype_policy})
        self.encoder_norm = self.decoder_norm = None
        # A batch's shape is its bucket's: TensorFlow's XLA would compile for each on a
        # CPU, for minutes; JAX compiles whatever this says.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def _make_words(self, dtype):
        if self.share_embeddings:
            shared = self._make_embedding(
                "embedding", self.target_vocabulary_size, dtype, self.tie_output
            )
            self.source_embedding = self.target_embedding = shared
        else:
            self.source_embedding = self._make_embedding(
                "source_embedding", self.source_vocabulary_size, dtype
            )
            self.target_embedding = self._make_embedding(
                "target_embedding", self.target_vocabulary_size, dtype, self.tie_output
            )
        self.positions = SinePositions(
            layout=self.position_layout, name="positions", **dtype
        )
        self.embedding_dropout = layers.Dropout(
            self.dropout, name="embedding_dropout", **dtype
        )

    def _make_embedding(self, name, size, dtype, tied=True):
        # Multiplied by the root of its size, an embedding starts with numbers around 1.
        initializer = keras.initializers.RandomNormal(stddev=self.units**-0.5)
        return layers.ReversibleEmbedding(
            size,
            self.units,
            tie_weights=tied,
            embeddings_initializer=initializer,
            name=name,
            **dtype,
        )

    def build(self, input_shape=None):
        shape = (None, None, self.units)
        self.source_embedding.build((None, None))
        if not self.share_embeddings:
            self.target_embedding.build((None, None))
        for block in self.encoder:
            block.build(shape)
        for block in self.decoder:
            block.build(shape, shape)
        if self.encoder_norm is not None:
            self.encoder_norm.build(shape)
            self.decoder_norm.build(shape)
        self.output_bias = self.add_weight(
            shape=(self.target_vocabulary_size,),
            initializer="zeros",
            name="output_bias",
        )
        self.built = True

    def parts_by_depth(self) -> list[str]:
        """Patterns of weight addresses, from what reads first to what writes."""
        blocks = [block.name for block in (*self.encoder, *self.decoder)]
        named = [f"{name}/.*" for name in blocks]
        norms = r"(encoder|decoder)_norm/.*|" if self.encoder_norm is not None else ""
        return [r"(source_|target_)?embedding/.*", *named, f"{norms}output_bias"]

    def encode(self, source_ids, training: bool = False) -> dict:
        """Reads the source sentences, once each.

        Args:
            source_ids: shape (batch, source_length), 0 = padding.
            training: whether dropout acts.

        Returns:
            Memory: a nested dictionary of tensors whose first axis is the batch, for
            `initial_state` and `step`: the "mask", and for each block of the decoder
            the source's "keys" and "values".
        """
        values_BSU, mask_BS = self._read(source_ids, training)
        blocks = [block.start(values_BSU)["memory"] for block in self.decoder]
        return {"mask": mask_BS, "blocks": blocks}

    def call(self, inputs, training=False):
        logits, _ = self.force(inputs["source_ids"], inputs["target_ids"], training)
        return logits

    def _read(self, source_ids, training):
        """The encoder's outputs and which of them are words."""
        mask_BS = padding_mask(source_ids)
        values_BSU = self._embed(self.source_embedding, source_ids, training)
        for block in self.encoder:
            values_BSU = block(values_BSU, key_mask=mask_BS, training=training)
        if self.encoder_norm is not None:
            values_BSU = self.encoder_norm(values_BSU)
        return values_BSU, mask_BS

    def _embed(self, embedding, ids, training=False, start=0):
        """Words and positions (Vaswani et al., 2017, section 3.4 and 3.5)."""
        values = embedding(ids)
        values = values * ops.cast(self.embedding_scale, values.dtype)
        values = values + self.positions(values, start=start)
        return self.embedding_dropout(values, training=training)

    def _logits(self, values):
        if self.decoder_norm is not None:
            values = self.decoder_norm(values)
        logits = self.target_embedding(values, reverse=True)
        return logits + ops.cast(self.output_bias, logits.dtype)


def check_depths(num_layers: int, num_decoder_layers: int) -> None:
    """Raises a `ValueError` if encoder or decoder has no block."""
    if num_layers < 1 or num_decoder_layers < 1:
        raise ValueError(
            "Encoder and decoder need at least one block each. Received: "
            f"num_layers={num_layers}, num_decoder_layers={num_decoder_layers}."
        )

"""Recurrent sequence to sequence model, with and without attention."""
# Departures from Bahdanau et al. (2015, https://arxiv.org/abs/1409.0473):
# - the read-out (equation in A.2.2) is a tanh layer, not maxout, and takes the new
#   state instead of the last one; its output matrix is tied to the target embedding
#   (Press and Wolf, 2017);
# - the decoder starts from both directions' last states, not from the backward one
#   alone, so that the twin without attention is given the whole sentence too;
# - dropout on embeddings, encoder states and read-out.

import keras
from keras import layers, ops

from zoo.layers import AttentionCell, BahdanauAttention
from zoo.ops.masking import padding_mask

# Shape letters: B batch, S source length, T target length, E embedding size, H units,
# V target vocabulary.

ATTENTIONS = ("bahdanau", "normed_bahdanau", "none")
CELLS = {"gru": layers.GRU, "lstm": layers.LSTM}
STEP_CELLS = {"gru": layers.GRUCell, "lstm": layers.LSTMCell}


@keras.saving.register_keras_serializable(package="zoo")
class RNNSeq2Seq(keras.Model):
    """Bidirectional recurrent encoder and attention decoder over token ids.

    `attention="none"` gives the encoder-decoder of Cho et al. (2014): one vector of
    fixed length stands for the whole source sentence. It is the bottleneck that
    attention was invented to remove, and everything else is the same.

    Id 0 is padding. A decoder asks `encode` once a sentence and `step` once a token.

    Args:
        source_vocabulary_size: number of source ids.
        target_vocabulary_size: number of target ids.
        attention: "bahdanau", "normed_bahdanau" or "none".
        cell: "gru" or "lstm".
        embedding_size: size of both embeddings and of the read-out.
        units: size of each encoder direction, of the decoder and of the attention.
        dropout: rate in [0, 1).
        **kwargs: `name` and `dtype`, for `keras.Model`.

    Call arguments:
        inputs: dictionary of `source_ids`, shape (batch, source_length), and
            `target_ids`, shape (batch, target_length): the target shifted right, with
            the start token first.
        training: whether dropout acts.

    Returns:
        Logits of the next target token, shape
        (batch, target_length, target_vocabulary_size).

    Raises:
        ValueError: an unknown `attention` or `cell`.
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        attention: str = "bahdanau",
        cell: str = "gru",
        embedding_size: int = 256,
        units: int = 384,
        dropout: float = 0.2,
        **kwargs,
    ):
        kwargs.setdefault("name", "rnn_seq2seq")
        super().__init__(**kwargs)
        _check_choice("attention", attention, ATTENTIONS)
        _check_choice("cell", cell, CELLS)
        self.source_vocabulary_size = source_vocabulary_size
        self.target_vocabulary_size = target_vocabulary_size
        self.attention = attention
        self.cell = cell
        self.embedding_size = embedding_size
        self.units = units
        self.dropout = dropout
        self._make_layers({"dtype": self.dtype_policy})
        # A step scans over time, and the gradient of a scan does not compile under
        # TensorFlow's XLA; JAX compiles whatever this says.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def _make_layers(self, dtype):
        recurrent = CELLS[self.cell]
        # Keras's default is far smaller in small models, which then start slowly.
        embeddings_initializer = keras.initializers.RandomNormal(
            stddev=self.embedding_size**-0.5
        )
        self.source_embedding = layers.Embedding(
            self.source_vocabulary_size,
            self.embedding_size,
            embeddings_initializer=embeddings_initializer.clone(),
            name="source_embedding",
            **dtype,
        )
        self.target_embedding = layers.ReversibleEmbedding(
            self.target_vocabulary_size,
            self.embedding_size,
            embeddings_initializer=embeddings_initializer.clone(),
            name="target_embedding",
            **dtype,
        )
        self.encoder = layers.Bidirectional(
            recurrent(
                self.units,
                return_sequences=True,
                return_state=True,
                name="gru" if self.cell == "gru" else "lstm",
                **dtype,
            ),
            name="encoder",
            **dtype,
        )
        attention = None
        if self.attention != "none":
            attention = BahdanauAttention(
                self.units,
                normalize=self.attention == "normed_bahdanau",
                name="attention",
                **dtype,
            )
        self.decoder = AttentionCell(
            STEP_CELLS[self.cell](self.units, name="cell", **dtype),
            attention,
            name="decoder",
            **dtype,
        )
        self.start_state = [
            layers.Dense(
                self.units, activation="tanh", name=f"start_state_{index}", **dtype
            )
            for index in range(self.decoder.num_states)
        ]
        self.readout = layers.Dense(
            self.embedding_size, activation="tanh", name="readout", **dtype
        )
        self.embedding_dropout = layers.Dropout(
            self.dropout, name="embedding_dropout", **dtype
        )
        self.encoder_dropout = layers.Dropout(
            self.dropout, name="encoder_dropout", **dtype
        )
        self.readout_dropout = layers.Dropout(
            self.dropout, name="readout_dropout", **dtype
        )

    def build(self, input_shape=None):
        size, values = self.embedding_size, 2 * self.units
        self.source_embedding.build((None, None))
        self.target_embedding.build((None, None))
        self.encoder.build((None, None, size))
        self.decoder.build((None, size), {"values": (None, None, values)})
        for dense in self.start_state:
            dense.build((None, values))
        self.readout.build((None, None, self.units + values + size))
        self.output_bias = self.add_weight(
            shape=(self.target_vocabulary_size,),
            initializer="zeros",
            name="output_bias",
        )
        self.built = True

    def encode(self, source_ids, training: bool = False) -> dict:
        """Reads the source sentences, once each.

        Args:
            source_ids: shape (batch, source_length), 0 = padding.
            training: whether dropout acts.

        Returns:
            Memory: a dictionary of tensors whose first axis is the batch, for
            `initial_state` and `step`.
        """
        mask_BS = padding_mask(source_ids)
        words_BSE = self.source_embedding(source_ids)
        words_BSE = self.embedding_dropout(words_BSE, training=training)
        values, *states = self.encoder(words_BSE, mask=mask_BS, training=training)
        # Forward states first, then backward ones; an LSTM's are (hidden, carry).
        count = len(states) // 2
        summary = ops.concatenate([states[0], states[count]], axis=-1)
        if self.attention == "none":
            values, mask_BS = ops.expand_dims(summary, 1), None
        values = self.encoder_dropout(values, training=training)
        return {**self.decoder.memory(values, mask_BS), "summary": summary}

    def initial_state(self, memory: dict) -> tuple:
        """The decoder's state before the first token: tuple of (batch, units)."""
        return tuple(dense(memory["summary"]) for dense in self.start_state)

    def step(self, token_ids, state: tuple, memory: dict):
        """Advances every sentence by one target token.

        Args:
            token_ids: the last target tokens, shape (batch,).
            state: from `initial_state` or the last `step`.
            memory: from `encode`.

        Returns:
            Logits of the next token, shape (batch, target_vocabulary_size); the new
            state; the attention weights, shape (batch, source_length), or (batch, 1)
            without attention.
        """
        word_BE = self.target_embedding(token_ids)
        hidden_BH, context_BD, weights_BS, state = self.decoder(word_BE, state, memory)
        return self._logits(hidden_BH, context_BD, word_BE), state, weights_BS

    def force(self, source_ids, target_ids, training: bool = False):
        """Runs along given target tokens ("teacher forcing").

        Returns:
            Logits, shape (batch, target_length, target_vocabulary_size), and attention
            weights, shape (batch, target_length, source_length).
        """
        memory = self.encode(source_ids, training=training)
        words_BTE = self.target_embedding(target_ids)
        words_BTE = self.embedding_dropout(words_BTE, training=training)

        def advance(carry, word_BE):
            carry = self.decoder(word_BE, carry[3], memory)
            return carry, carry

        state = self.initial_state(memory)
        values_BSD = memory["values"]
        start = (
            state[0],
            ops.zeros_like(values_BSD[:, 0]),
            ops.zeros_like(values_BSD[:, :, 0]),
            state,
        )
        _, outputs = ops.scan(advance, start, ops.swapaxes(words_BTE, 0, 1))
        hidden_BTH, context_BTD, weights_BTS = (
            ops.swapaxes(output, 0, 1) for output in outputs[:3]
        )
        logits = self._logits(hidden_BTH, context_BTD, words_BTE, training)
        return logits, weights_BTS

    def call(self, inputs, training=False):
        logits, _ = self.force(inputs["source_ids"], inputs["target_ids"], training)
        return logits

    def _logits(self, hidden, context, word, training=False):
        readout = self.readout(ops.concatenate([hidden, context, word], axis=-1))
        readout = self.readout_dropout(readout, training=training)
        logits = self.target_embedding(readout, reverse=True)
        return logits + ops.cast(self.output_bias, logits.dtype)

    def get_config(self):
        config = super().get_config()
        config.update(
            source_vocabulary_size=self.source_vocabulary_size,
            target_vocabulary_size=self.target_vocabulary_size,
            attention=self.attention,
            cell=self.cell,
            embedding_size=self.embedding_size,
            units=self.units,
            dropout=self.dropout,
        )
        return config


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"{name} must be one of {', '.join(choices)}. Received: {name}={value!r}."
        )

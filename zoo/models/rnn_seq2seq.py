"""Recurrent sequence to sequence model, with and without attention."""
# Departures from Bahdanau et al. (2015, https://arxiv.org/abs/1409.0473) and from Luong
# et al. (2015, https://arxiv.org/abs/1508.04025):
# - Bahdanau's read-out (equation in A.2.2) is a tanh layer, not maxout, and takes the
#   new state instead of the last one; its output matrix is tied to the target embedding
#   (Press and Wolf, 2017); so is Luong's, whose attentional vector therefore has the
#   size of the embedding;
# - the decoder starts from a tanh layer over both directions' last states of the last
#   encoder layer, not from the backward one alone (Bahdanau) or as they are (Luong), so
#   that the twin without attention is given the whole sentence too;
# - dropout on embeddings, between layers, on encoder states and read-out;
# - the source is not reversed (Luong, section 4.1).

import keras
from keras import layers, ops

from zoo.layers import (
    AttentionCell,
    BahdanauAttention,
    HardAttention,
    LuongAttention,
    LuongCell,
)
from zoo.layers.alignment_window import WINDOWS
from zoo.layers.luong_attention import SAME_SIZE, SCORES
from zoo.models.recurrent import CELLS
from zoo.ops.masking import padding_mask

# Shape letters: B batch, S source length, T target length, E embedding size, H units,
# V target vocabulary.

BAHDANAU = ("bahdanau", "normed_bahdanau")
ATTENTIONS = ("none", *BAHDANAU, *SCORES, "hard")
STEP_CELLS = {"gru": layers.GRUCell, "lstm": layers.LSTMCell}


@keras.saving.register_keras_serializable(package="zoo")
class RNNSeq2Seq(keras.Model):
    """Recurrent encoder and attention decoder over token ids.

    The name of an attention brings its paper's decoder: "bahdanau" and
    "normed_bahdanau" attend with the last state and then advance (`AttentionCell`);
    the scores of Luong et al. and "hard" (`HardAttention` with the general score)
    advance and then attend (`LuongCell`). Scores that compare with the values
    themselves ("dot", "scaled_dot", "cosine") are given the sum of both directions.

    `attention="none"` gives the encoder-decoder of Cho et al. (2014): one vector of
    fixed length stands for the whole source sentence. It is the bottleneck that
    attention was invented to remove, and everything else is the same.

    Id 0 is padding. A decoder asks `encode` once a sentence and `step` once a token.

    Args:
        source_vocabulary_size: number of source ids.
        target_vocabulary_size: number of target ids.
        attention: "none", "bahdanau", "normed_bahdanau", "hard", or a score of
            `LuongAttention`.
        window: "global", "local_m" or "local_p", see `AlignmentWindow`.
        window_width: D of the local windows.
        input_feeding: feed Luong's attentional vector to the next step. Bahdanau's
            decoder is fed the context in any case.
        cell: "gru" or "lstm".
        num_layers: of the encoder and of the decoder.
        bidirectional: whether every encoder layer reads both ways.
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
        ValueError: an unknown `attention`, `window` or `cell`, or ones that do not go
            together.
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        attention: str = "bahdanau",
        window: str = "global",
        window_width: int = 10,
        input_feeding: bool = False,
        cell: str = "gru",
        num_layers: int = 1,
        bidirectional: bool = True,
        embedding_size: int = 256,
        units: int = 384,
        dropout: float = 0.2,
        **kwargs,
    ):
        kwargs.setdefault("name", "rnn_seq2seq")
        super().__init__(**kwargs)
        _check_choice("attention", attention, ATTENTIONS)
        _check_choice("window", window, WINDOWS)
        _check_choice("cell", cell, CELLS)
        _check_together(attention, window, input_feeding, num_layers)
        self.source_vocabulary_size = source_vocabulary_size
        self.target_vocabulary_size = target_vocabulary_size
        self.attention = attention
        self.window = window
        self.window_width = window_width
        self.input_feeding = input_feeding
        self.cell = cell
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.embedding_size = embedding_size
        self.units = units
        self.dropout = dropout
        self._make_layers({"dtype": self.dtype_policy})
        # A step scans over time, and the gradient of a scan does not compile under
        # TensorFlow's XLA; JAX compiles whatever this says.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def _make_layers(self, dtype):
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
        self.encoder = [
            self._make_encoder_layer(index, dtype) for index in range(self.num_layers)
        ]
        self.decoder = self._make_decoder(dtype)
        self.start_state = [
            layers.Dense(
                self.units, activation="tanh", name=f"start_state_{index}", **dtype
            )
            for index in range(self.decoder.num_states)
        ]
        self.readout = None
        if not isinstance(self.decoder, LuongCell):
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

    def _make_encoder_layer(self, index, dtype):
        name = "encoder" if index == 0 else f"encoder_{index}"
        inner = "gru" if self.cell == "gru" else "lstm"
        layer = CELLS[self.cell](
            self.units,
            return_sequences=True,
            return_state=True,
            name=inner if self.bidirectional else name,
            **dtype,
        )
        if not self.bidirectional:
            return layer
        merge = "sum" if self.attention in SAME_SIZE else "concat"
        return layers.Bidirectional(layer, merge_mode=merge, name=name, **dtype)

    def _make_decoder(self, dtype):
        if self.num_layers == 1:
            cell = STEP_CELLS[self.cell](self.units, name="cell", **dtype)
        else:
            cell = layers.StackedRNNCells(
                [
                    STEP_CELLS[self.cell](self.units, name=f"cell_{index}", **dtype)
                    for index in range(self.num_layers)
                ],
                name="cell",
                **dtype,
            )
        if self.attention == "none":
            return AttentionCell(cell, name="decoder", **dtype)
        options = {
            "window": self.window,
            "window_width": self.window_width,
            "name": "attention",
            **dtype,
        }
        if self.attention in BAHDANAU:
            attention = BahdanauAttention(
                self.units, normalize=self.attention == "normed_bahdanau", **options
            )
            return AttentionCell(cell, attention, name="decoder", **dtype)
        if self.attention == "hard":
            attention = HardAttention(**options)
        else:
            attention = LuongAttention(self.attention, **options)
        return LuongCell(
            cell,
            attention,
            self.embedding_size,
            input_feeding=self.input_feeding,
            name="decoder",
            **dtype,
        )

    @property
    def _value_size(self) -> int:
        summed = self.attention in SAME_SIZE or not self.bidirectional
        return self.units if summed else 2 * self.units

    def build(self, input_shape=None):
        size, directions = self.embedding_size, 1 + self.bidirectional
        values = self._value_size
        self.source_embedding.build((None, None))
        self.target_embedding.build((None, None))
        for index, layer in enumerate(self.encoder):
            layer.build((None, None, size if index == 0 else values))
        for dense in self.start_state:
            dense.build((None, directions * self.units))
        if self.attention == "none":
            values = directions * self.units
        self.decoder.build((None, size), {"values": (None, None, values)})
        if self.readout is not None:
            self.readout.build((None, None, self.units + values + size))
        self.output_bias = self.add_weight(
            shape=(self.target_vocabulary_size,),
            initializer="zeros",
            name="output_bias",
        )
        self.built = True

    def parts_by_depth(self) -> list[str]:
        """Patterns of weight addresses, from what reads first to what writes."""
        encoder = [rf"{layer.name}/.*" for layer in self.encoder]
        middle = [r"start_state_.*", r"decoder/.*"]
        ends = r"readout/.*|output_bias"
        return [r"(source|target)_embedding/.*", *encoder, *middle, ends]

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
        values = self.embedding_dropout(words_BSE, training=training)
        for index, layer in enumerate(self.encoder):
            if index > 0:
                values = self.encoder_dropout(values, training=training)
            values, *states = layer(values, mask=mask_BS, training=training)
        summary = states[0]
        if self.bidirectional:
            # Forward states first, then backward ones; an LSTM's are (hidden, carry).
            summary = ops.concatenate([summary, states[len(states) // 2]], axis=-1)
        if self.attention == "none":
            values, mask_BS = ops.expand_dims(summary, 1), None
        values = self.encoder_dropout(values, training=training)
        return {**self.decoder.memory(values, mask_BS), "summary": summary}

    def initial_state(self, memory: dict) -> tuple:
        """The decoder's state before the first token: tuple of (batch, …) tensors."""
        return self.decoder.start(
            [dense(memory["summary"]) for dense in self.start_state]
        )

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
        output_BO, context_BD, weights_BS, state = self.decoder(word_BE, state, memory)
        return self._logits(output_BO, context_BD, word_BE), state, weights_BS

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
        blank_B1 = ops.zeros_like(state[0][:, :1])
        start = (
            ops.repeat(blank_B1, self.decoder.output_size, axis=1),
            ops.zeros_like(values_BSD[:, 0]),
            ops.zeros_like(values_BSD[:, :, 0]),
            state,
        )
        _, outputs = ops.scan(advance, start, ops.swapaxes(words_BTE, 0, 1))
        output_BTO, context_BTD, weights_BTS = (
            ops.swapaxes(output, 0, 1) for output in outputs[:3]
        )
        logits = self._logits(output_BTO, context_BTD, words_BTE, training)
        return logits, weights_BTS

    def call(self, inputs, training=False):
        logits, _ = self.force(inputs["source_ids"], inputs["target_ids"], training)
        return logits

    def _logits(self, output, context, word, training=False):
        """From the decoder's output: Luong's is the read-out already."""
        readout = output
        if self.readout is not None:
            readout = self.readout(ops.concatenate([output, context, word], axis=-1))
        readout = self.readout_dropout(readout, training=training)
        logits = self.target_embedding(readout, reverse=True)
        return logits + ops.cast(self.output_bias, logits.dtype)

    def get_config(self):
        config = super().get_config()
        config.update(
            source_vocabulary_size=self.source_vocabulary_size,
            target_vocabulary_size=self.target_vocabulary_size,
            attention=self.attention,
            window=self.window,
            window_width=self.window_width,
            input_feeding=self.input_feeding,
            cell=self.cell,
            num_layers=self.num_layers,
            bidirectional=self.bidirectional,
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


def _check_together(attention, window, input_feeding, num_layers):
    if num_layers < 1:
        raise ValueError(f"num_layers must be at least 1. Received: {num_layers}.")
    if attention == "none" and window != "global":
        raise ValueError(
            "Without attention there is nothing to look at through a window. "
            f"Received: attention='none', window={window!r}. Leave window='global'."
        )
    if input_feeding and attention in ("none", *BAHDANAU):
        raise ValueError(
            "input_feeding belongs to the decoder of Luong et al. Received: "
            f"attention={attention!r}, whose decoder is fed the context already. "
            f"Leave it out, or choose one of {', '.join(SCORES)}, hard."
        )

"""A Transformer's encoder with a recurrent decoder (Kim et al., 2019)."""
# https://aclanthology.org/D19-5632; Marian's "tiny" and "base" students, which Firefox
# translates with, are such models. As in Marian:
# - positions are "tensor2tensor" sines, in the decoder too, although it is recurrent;
# - the normalisation stands behind each part, with an epsilon of 1e-6;
# - the output is tied to the target's embedding and has a bias.
# Departures:
# - Marian's decoder starts from zeros and no word. Here it starts with the start token,
#   whose vector is learnt; a checkpoint of Marian has zeros there.

import keras
from keras import ops

from zoo.layers import SSRU, FeedForward, MultiHeadAttention, SSRUDecoderBlock
from zoo.models.encoder_decoder import EncoderDecoder, check_depths
from zoo.models.encoder_stack import make_encoder

# Shape letters: B batch, S source length, T target length, H heads, U units.


@keras.saving.register_keras_serializable(package="zoo")
class SSRUTransformer(EncoderDecoder):
    """Encoder of attention and decoder of simple recurrences, over token ids.

    Id 0 is padding. Calling the model runs it along given target tokens. A decoder asks
    `encode` once a sentence and `step` once a token: what it remembers of the target is
    one vector a block, so that a step costs the same at every length. Use it where
    translating must be fast; `Transformer` where it must be as good as can be.

    Args:
        source_vocabulary_size: number of source ids.
        target_vocabulary_size: number of target ids.
        units: size of embeddings and blocks.
        hidden_size: inside the feed-forward networks.
        num_heads: of every attention.
        num_layers: blocks of the encoder.
        num_decoder_layers: blocks of the decoder.
        activation: of the feed-forward networks.
        share_embeddings: one embedding for both languages; needs one vocabulary. The
            output is tied to the target's embedding in any case.
        dropout: on embeddings and on what each part of a block adds; rate in [0, 1).
        alignment_head: the head of the last decoder block whose attention to the source
            `step` returns, such as one that was taught to align; by default the mean
            over all heads.
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
        ValueError: sizes that do not go together.
    """

    epsilon = 1e-6

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        units: int = 256,
        hidden_size: int = 1536,
        num_heads: int = 8,
        num_layers: int = 6,
        num_decoder_layers: int = 2,
        activation: str = "relu",
        share_embeddings: bool = False,
        dropout: float = 0.1,
        alignment_head: int | None = None,
        **kwargs,
    ):
        kwargs.setdefault("name", "ssru_transformer")
        _check_sizes(num_layers, num_decoder_layers, num_heads, alignment_head)
        super().__init__(
            source_vocabulary_size,
            target_vocabulary_size,
            units,
            share_embeddings,
            dropout,
            position_layout="tensor2tensor",
            **kwargs,
        )
        self.hidden_size = hidden_size
        self.num_heads = num_heads
        self.num_layers = num_layers
        self.num_decoder_layers = num_decoder_layers
        self.activation = activation
        self.alignment_head = alignment_head
        self._make_blocks({"dtype": self.dtype_policy})

    def _make_blocks(self, dtype):
        block = {"norm": "post", "dropout": self.dropout, "epsilon": self.epsilon}
        self.encoder = make_encoder(
            self.num_layers,
            self.num_heads,
            self.units,
            self.hidden_size,
            activation=self.activation,
            **block,
            **dtype,
        )
        self.decoder = [
            SSRUDecoderBlock(
                SSRU(name="recurrence", **dtype),
                MultiHeadAttention(
                    self.num_heads, self.units, name="cross_attention", **dtype
                ),
                FeedForward(
                    self.hidden_size,
                    activation=self.activation,
                    name="feed_forward",
                    **dtype,
                ),
                name=f"decoder_{index}",
                **block,
                **dtype,
            )
            for index in range(self.num_decoder_layers)
        ]

    def initial_state(self, memory: dict) -> dict:
        """What the decoder remembers before the first token: nothing.

        Returns:
            The number of tokens so far, "count", shape (batch,), and what each block's
            recurrence remembers, "states", each of shape (batch, units).
        """
        mask_BS = memory["mask"]
        nothing_BLU = ops.zeros((ops.shape(mask_BS)[0], 0, self.units))
        return {
            "count": ops.zeros_like(mask_BS[:, 0], dtype="int32"),
            "states": [
                block.recurrence.initial_state(nothing_BLU) for block in self.decoder
            ],
        }

    def step(self, token_ids, state: dict, memory: dict):
        """Advances every sentence by one target token.

        Args:
            token_ids: the last target tokens, shape (batch,).
            state: from `initial_state` or the last `step`.
            memory: from `encode`.

        Returns:
            Logits of the next token, shape (batch, target_vocabulary_size); the new
            state; the attention weights to the source, shape (batch, source_length).
        """
        # All sentences of a batch are as far.
        start = state["count"][0]
        values_B1U = self._embed(
            self.target_embedding, ops.expand_dims(token_ids, 1), start=start
        )
        states = []
        for index, block in enumerate(self.decoder):
            cache = {"state": state["states"][index], "memory": memory["blocks"][index]}
            values_B1U, weights_BH1S, cache = block.advance(
                values_B1U, cache, memory_mask=memory["mask"]
            )
            states.append(cache["state"])
        state = {"count": state["count"] + 1, "states": states}
        return self._logits(values_B1U)[:, 0], state, self._aligned(weights_BH1S)[:, 0]

    def force(self, source_ids, target_ids, training: bool = False):
        """Runs along given target tokens ("teacher forcing").

        Returns:
            Logits, shape (batch, target_length, target_vocabulary_size), and attention
            weights, shape (batch, target_length, source_length).
        """
        memory_BSU, mask_BS = self._read(source_ids, training)
        values_BTU = self._embed(self.target_embedding, target_ids, training)
        for block in self.decoder:
            values_BTU, weights_BHTS = block(
                values_BTU,
                memory_BSU,
                memory_mask=mask_BS,
                return_weights=True,
                training=training,
            )
        return self._logits(values_BTU), self._aligned(weights_BHTS)

    def _aligned(self, weights_BHTS):
        """One head's weights, or the mean of all."""
        if self.alignment_head is None:
            return ops.mean(weights_BHTS, axis=1)
        return weights_BHTS[:, self.alignment_head]

    def get_config(self):
        config = super().get_config()
        config.update(
            source_vocabulary_size=self.source_vocabulary_size,
            target_vocabulary_size=self.target_vocabulary_size,
            units=self.units,
            hidden_size=self.hidden_size,
            num_heads=self.num_heads,
            num_layers=self.num_layers,
            num_decoder_layers=self.num_decoder_layers,
            activation=self.activation,
            share_embeddings=self.share_embeddings,
            dropout=self.dropout,
            alignment_head=self.alignment_head,
        )
        return config


def _check_sizes(num_layers, num_decoder_layers, num_heads, alignment_head):
    check_depths(num_layers, num_decoder_layers)
    if alignment_head is not None and not 0 <= alignment_head < num_heads:
        raise ValueError(
            f"alignment_head must be from 0 to {num_heads - 1}, the number of a head. "
            f"Received: alignment_head={alignment_head}."
        )

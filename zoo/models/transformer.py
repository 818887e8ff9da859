"""The Transformer (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762)."""
# Departures from the paper:
# - norm="pre" is the default, as tensor2tensor came to use: it trains without a tuned
#   warm-up; norm="post" is the paper's.
# - source and target may have vocabularies and embeddings of their own: the paper's
#   language pairs share an alphabet, Chinese and English do not (section 3.4).
# - the output has a bias, as Marian's checkpoints do, and may have an embedding of its
#   own; what embeddings are multiplied by may be another number than the root of their
#   size.
# - dropout on attention weights and inside the feed-forward network is not in the paper
#   but in its authors' code; both are off by default.

import keras
from keras import layers, ops

from zoo.layers import DecoderBlock, FeedForward, MultiHeadAttention
from zoo.models.encoder_decoder import EncoderDecoder, check_depths
from zoo.models.encoder_stack import make_encoder

# Shape letters: B batch, S source length, T target length, H heads, D head size,
# U units, V target vocabulary.


@keras.saving.register_keras_serializable(package="zoo")
class Transformer(EncoderDecoder):
    """Encoder and decoder of attention alone, over token ids.

    Id 0 is padding. Calling the model runs it along given target tokens. A decoder asks
    `encode` once a sentence and `step` once a token: the source is projected to keys
    and values once, and the keys and values of earlier target tokens are an argument
    and a result, never computed again.

    Args:
        source_vocabulary_size: number of source ids.
        target_vocabulary_size: number of target ids.
        units: size of embeddings and blocks, d_model in the paper.
        hidden_size: inside the feed-forward networks, d_ff.
        num_heads: of every attention.
        num_layers: blocks of the encoder.
        num_decoder_layers: blocks of the decoder, by default as many.
        decoder_hidden_size: `hidden_size` of the decoder, by default the same.
        norm: "pre" or "post".
        activation: of the feed-forward networks.
        position_layout: of `SinePositions`.
        share_embeddings: one embedding for both languages; needs one vocabulary.
        tie_output: the output is the target's embedding, transposed, as in the paper;
            otherwise it has weights of its own.
        embedding_scale: what embeddings are multiplied by; by default the root of
            `units`, as in the paper.
        dropout: on embeddings and on what each part of a block adds; rate in [0, 1).
        attention_dropout: on attention weights.
        hidden_dropout: inside the feed-forward networks.
        alignment_layer: the decoder block, from 0, whose attention to the source,
            averaged over its heads, `step` returns; by default the last but one, which
            agrees best with human alignment (Garg et al., 2019,
            https://arxiv.org/abs/1909.02074, section 3.1).
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

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        units: int = 512,
        hidden_size: int = 2048,
        num_heads: int = 8,
        num_layers: int = 6,
        num_decoder_layers: int | None = None,
        decoder_hidden_size: int | None = None,
        norm: str = "pre",
        activation: str = "relu",
        position_layout: str = "interleaved",
        share_embeddings: bool = False,
        tie_output: bool = True,
        embedding_scale: float | None = None,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        alignment_layer: int | None = None,
        **kwargs,
    ):
        kwargs.setdefault("name", "transformer")
        num_decoder_layers = num_decoder_layers or num_layers
        if alignment_layer is None:
            alignment_layer = max(num_decoder_layers - 2, 0)
        _check_sizes(num_layers, num_decoder_layers, alignment_layer)
        super().__init__(
            source_vocabulary_size,
            target_vocabulary_size,
            units,
            share_embeddings,
            dropout,
            position_layout,
            tie_output,
            embedding_scale,
            **kwargs,
        )
        self.hidden_size = hidden_size
        self.num_heads = num_heads
        self.num_layers = num_layers
        self.num_decoder_layers = num_decoder_layers
        self.decoder_hidden_size = decoder_hidden_size or hidden_size
        self.norm = norm
        self.activation = activation
        self.attention_dropout = attention_dropout
        self.hidden_dropout = hidden_dropout
        self.alignment_layer = alignment_layer
        self._make_blocks({"dtype": self.dtype_policy})

    def _make_blocks(self, dtype):
        block = {"norm": self.norm, "dropout": self.dropout, **dtype}
        self.encoder = make_encoder(
            self.num_layers,
            self.num_heads,
            self.units,
            self.hidden_size,
            self.attention_dropout,
            self.hidden_dropout,
            self.activation,
            **block,
        )
        self.decoder = [
            DecoderBlock(
                self._make_attention("self_attention", dtype, causal=True),
                self._make_attention("cross_attention", dtype),
                self._make_feed_forward(dtype),
                name=f"decoder_{index}",
                **block,
            )
            for index in range(self.num_decoder_layers)
        ]
        if self.norm == "pre":
            epsilon = self.encoder[0].epsilon
            self.encoder_norm, self.decoder_norm = (
                layers.LayerNormalization(epsilon=epsilon, name=name, **dtype)
                for name in ("encoder_norm", "decoder_norm")
            )

    def _make_attention(self, name, dtype, causal=False):
        return MultiHeadAttention(
            self.num_heads,
            self.units,
            dropout=self.attention_dropout,
            causal=causal,
            name=name,
            **dtype,
        )

    def _make_feed_forward(self, dtype):
        return FeedForward(
            self.decoder_hidden_size,
            activation=self.activation,
            dropout=self.hidden_dropout,
            name="feed_forward",
            **dtype,
        )

    def initial_state(self, memory: dict) -> list:
        """What the decoder remembers before the first token: empty keys and values."""
        # Both attentions have heads of one size: the source's, cut to no length.
        return [
            {name: heads_BHSD[:, :, :0] for name, heads_BHSD in block.items()}
            for block in memory["blocks"]
        ]

    def step(self, token_ids, state: list, memory: dict):
        """Advances every sentence by one target token.

        Args:
            token_ids: the last target tokens, shape (batch,).
            state: from `initial_state` or the last `step`.
            memory: from `encode`.

        Returns:
            Logits of the next token, shape (batch, target_vocabulary_size); the new
            state, one token longer; the attention weights to the source, shape
            (batch, source_length).
        """
        ids_B1 = ops.expand_dims(token_ids, 1)
        start = ops.shape(state[0]["keys"])[2]
        values_B1U = self._embed(self.target_embedding, ids_B1, start=start)
        longer, weights_BS = [], None
        for index, block in enumerate(self.decoder):
            cache = {"self": state[index], "memory": memory["blocks"][index]}
            values_B1U, weights_BH1S, cache = block.advance(
                values_B1U, cache, memory_mask=memory["mask"]
            )
            longer.append(cache["self"])
            if index == self.alignment_layer:
                weights_BS = ops.mean(weights_BH1S, axis=1)[:, 0]
        return self._logits(values_B1U)[:, 0], longer, weights_BS

    def force(self, source_ids, target_ids, training: bool = False):
        """Runs along given target tokens ("teacher forcing").

        Returns:
            Logits, shape (batch, target_length, target_vocabulary_size), and attention
            weights, shape (batch, target_length, source_length).
        """
        memory_BSU, mask_BS = self._read(source_ids, training)
        values_BTU = self._embed(self.target_embedding, target_ids, training)
        weights_BTS = None
        for index, block in enumerate(self.decoder):
            aligns = index == self.alignment_layer
            outputs = block(
                values_BTU,
                memory_BSU,
                memory_mask=mask_BS,
                return_weights=aligns,
                training=training,
            )
            if aligns:
                values_BTU, (_, weights_BHTS) = outputs
                weights_BTS = ops.mean(weights_BHTS, axis=1)
            else:
                values_BTU = outputs
        return self._logits(values_BTU), weights_BTS

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
            decoder_hidden_size=self.decoder_hidden_size,
            norm=self.norm,
            activation=self.activation,
            position_layout=self.position_layout,
            share_embeddings=self.share_embeddings,
            tie_output=self.tie_output,
            embedding_scale=self.embedding_scale,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
            hidden_dropout=self.hidden_dropout,
            alignment_layer=self.alignment_layer,
        )
        return config


def _check_sizes(num_layers, num_decoder_layers, alignment_layer):
    check_depths(num_layers, num_decoder_layers)
    if not 0 <= alignment_layer < num_decoder_layers:
        raise ValueError(
            f"alignment_layer must be from 0 to {num_decoder_layers - 1}, the number "
            f"of a decoder's block. Received: alignment_layer={alignment_layer}."
        )

"""The blocks of a Transformer's encoder, which several models have."""

from zoo.layers import EncoderBlock, FeedForward, MultiHeadAttention


def make_encoder(
    num_layers: int,
    num_heads: int,
    units: int,
    hidden_size: int,
    attention_dropout: float = 0.0,
    hidden_dropout: float = 0.0,
    activation="relu",
    **block,
) -> list[EncoderBlock]:
    """Blocks with the names that checkpoints know, "encoder_0" and so on.

    Args:
        num_layers: blocks.
        num_heads: of every attention.
        units: of queries, keys and values over all heads.
        hidden_size: inside the feed-forward networks.
        attention_dropout: on attention weights.
        hidden_dropout: inside the feed-forward networks.
        activation: of the feed-forward networks.
        **block: for every `EncoderBlock`; its `dtype` is that of the parts, too.
    """
    dtype = {"dtype": block.get("dtype")}
    return [
        EncoderBlock(
            MultiHeadAttention(
                num_heads, units, dropout=attention_dropout, name="attention", **dtype
            ),
            FeedForward(
                hidden_size,
                activation=activation,
                dropout=hidden_dropout,
                name="feed_forward",
                **dtype,
            ),
            name=f"encoder_{index}",
            **block,
        )
        for index in range(num_layers)
    ]

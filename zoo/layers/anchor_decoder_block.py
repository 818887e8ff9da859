"""One block of a DETR decoder whose queries stand at anchors (Liu et al., 2022)."""
# DAB-DETR, https://arxiv.org/abs/2201.12329, section 4. Departures from the paper:
# - the attention to cells is held close to the anchor by a Gaussian of its width and
#   height (`SpatiallyModulatedAttention`), where the paper divides sine positions by
#   them (section 4.4); "conditional" has neither.

import keras
from keras import layers, ops

from zoo.layers.conditional_attention import ConditionalAttention
from zoo.layers.feed_forward import FeedForward
from zoo.layers.multi_head_attention import MultiHeadAttention
from zoo.layers.residual_block import ResidualBlock, build_once, with_positions
from zoo.layers.spatially_modulated_attention import SpatiallyModulatedAttention
from zoo.ops.positions import place_sines

_ATTENTIONS = {
    "modulated": SpatiallyModulatedAttention,
    "conditional": ConditionalAttention,
}


@keras.saving.register_keras_serializable(package="zoo")
class AnchorDecoderBlock(ResidualBlock):
    """Self-attention of objects, attention to cells, feed-forward.

    Each has a residual connection and is normalised after the sum.

    Args:
        num_heads: of both attentions.
        units: size of queries and outputs.
        hidden_size: inside the feed-forward network.
        dropout: share of a part's result that is dropped while training.
        epsilon: what the normalisations add to the variance.
        attention: to cells: "modulated", close to the anchor from the first step, or
            "conditional", by sine positions of centres, which learns what close is.
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        inputs: what the queries hold, shape (batch, queries, units).
        memory: what the cells hold, shape (batch, cells, size).
        positions: of the queries, for self-attention, shape (batch, queries, units).
        boxes: the anchors, see `zoo.ops.boxes`, shape (batch, queries, 4), in
            float32 whatever the block computes in.
        places: of the cells, (x, y) relative to the image, shape (batch, cells, 2),
            likewise.
        memory_mask: booleans, shape (batch, cells), True = may be attended to.
        attention_mask: booleans, shape (batch, queries, queries), or `None`: which
            query may see which.
        return_weights: also return the attention weights to the cells.

    Returns:
        Shape (batch, queries, units), or that and weights of shape (batch, heads,
        queries, cells).

    Raises:
        ValueError: sizes that do not divide, no such attention, or dropout not in
            [0, 1).
    """

    def __init__(
        self,
        num_heads: int,
        units: int,
        hidden_size: int,
        dropout: float = 0.0,
        epsilon: float = 1e-5,
        attention: str = "modulated",
        **kwargs,
    ):
        # Boxes and places stay in the precision that they come in.
        super().__init__("post", dropout, epsilon, autocast=False, **kwargs)
        if attention not in _ATTENTIONS:
            raise ValueError(
                f"attention must be one of {tuple(_ATTENTIONS)}. Received: "
                f"attention={attention!r}."
            )
        self.num_heads = num_heads
        self.units = units
        self.hidden_size = hidden_size
        dtype = {"dtype": self.dtype_policy}
        self.self_attention = MultiHeadAttention(
            num_heads, units, name="self_attention", **dtype
        )
        self.attention = attention
        kind = _ATTENTIONS[attention]
        self.cross_attention = kind(num_heads, units, name="cross_attention", **dtype)
        self.centre_scale = []
        if attention == "conditional":
            # Where an object looks, as a function of what it is (Meng et al., 2021,
            # equation 9).
            self.centre_scale = [
                layers.Dense(units, activation="relu", name="centre_scale_0", **dtype),
                layers.Dense(units, name="centre_scale_1", **dtype),
            ]
        self.feed_forward = FeedForward(hidden_size, name="feed_forward", **dtype)
        self.self_attention_norm = self.make_norm("self_attention_norm")
        self.cross_attention_norm = self.make_norm("cross_attention_norm")
        self.feed_forward_norm = self.make_norm("feed_forward_norm")

    def build(
        self,
        inputs_shape,
        memory_shape,
        positions_shape=None,
        boxes_shape=None,
        places_shape=None,
    ):
        build_once(self.self_attention, inputs_shape, inputs_shape)
        for dense in self.centre_scale:
            build_once(dense, inputs_shape)
        sines_shape = (None, None, self.units)
        build_once(
            self.cross_attention, inputs_shape, memory_shape, sines_shape, sines_shape
        )
        build_once(self.feed_forward, inputs_shape)
        for norm in (
            self.self_attention_norm,
            self.cross_attention_norm,
            self.feed_forward_norm,
        ):
            build_once(norm, inputs_shape)

    def call(
        self,
        inputs,
        memory,
        positions,
        boxes,
        places,
        memory_mask=None,
        attention_mask=None,
        return_weights=False,
        training=False,
    ):
        inputs, memory, positions = (
            ops.cast(each, self.compute_dtype) for each in (inputs, memory, positions)
        )
        query = with_positions(inputs, positions)
        update = self.self_attention(
            query, inputs, keys=query, attention_mask=attention_mask, training=training
        )
        hidden = self.after(self.self_attention_norm, inputs, update, training)
        update, weights = self.cross_attention(
            hidden,
            memory,
            *self._places(hidden, boxes, places),
            key_mask=memory_mask,
            return_weights=True,
        )
        hidden = self.after(self.cross_attention_norm, hidden, update, training)
        update = self.feed_forward(hidden, training=training)
        outputs = self.after(self.feed_forward_norm, hidden, update, training)
        return (outputs, weights) if return_weights else outputs

    def _places(self, hidden, boxes, places):
        """What the attention to cells wants to know of where anchors and cells are."""
        if self.attention == "modulated":
            return boxes, places
        scale = hidden
        for dense in self.centre_scale:
            scale = dense(scale)
        centres, places = (
            ops.cast(place_sines(each, self.units), self.compute_dtype)
            for each in (boxes[..., :2], places)
        )
        return centres * scale, places

    def compute_output_spec(
        self,
        inputs,
        memory,
        positions,
        boxes,
        places,
        memory_mask=None,
        attention_mask=None,
        return_weights=False,
        training=False,
    ):
        batch, queries, _ = inputs.shape
        outputs = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        shape = (batch, self.num_heads, queries, memory.shape[1])
        weights = keras.KerasTensor(shape, dtype=self.compute_dtype)
        return (outputs, weights) if return_weights else outputs

    def get_config(self):
        config = super().get_config()
        config.update(
            num_heads=self.num_heads,
            units=self.units,
            hidden_size=self.hidden_size,
            attention=self.attention,
        )
        return config

    @classmethod
    def from_config(cls, config):
        # The base's; here it is always "post".
        return cls(**{name: config[name] for name in config if name != "norm"})

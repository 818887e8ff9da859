"""Detection with a Transformer (DETR, Carion et al., 2020).

https://arxiv.org/abs/2005.12872; section and appendix numbers below are this paper's.
"""
# Departures from the paper: none that are known; where it is silent, as its code does:
# - the decoder's normalisation is also on what every layer but the last puts out
#   (section 3.2, "auxiliary decoding losses"), beside the stream and never in it.
# - epsilon of all normalisations is 1e-5.
# What is ours: padding outside of an image changes nothing (see `ResNet`); a backbone
# with mask_padding=False runs as the paper's code does.

import keras
from keras import layers, ops

from zoo.layers import (
    DecoderBlock,
    FeedForward,
    MultiHeadAttention,
    SinePositions2D,
)
from zoo.models.detector import Detector
from zoo.models.efficientnet_lite import EfficientNetLite
from zoo.models.encoder_stack import make_encoder
from zoo.models.resnet import ResNet

# Shape letters: B batch, H height, W width, K cells, U units, Q queries, L layers.

_EPSILON = 1e-5


@keras.saving.register_keras_serializable(package="zoo")
class Detr(Detector):
    """A backbone, an encoder and a decoder of object queries, each of which says what
    it found and where.

    Args:
        num_classes: real classes; the class head has one more output, "no object".
        num_queries: objects that can be found in an image.
        backbone: options of `ResNet`, of which one map is read; by default those of
            ResNet-50. With a `size` they are those of `EfficientNetLite`.
        units: size of encoder and decoder, d in the paper.
        hidden_size: inside the feed-forward networks.
        num_heads: of every attention.
        num_layers: blocks of the encoder.
        num_decoder_layers: blocks of the decoder, by default as many.
        dropout: on what each part of a block adds; rate in [0, 1).
        attention_dropout: on attention weights.
        hidden_dropout: inside the feed-forward networks.
        **kwargs: `name` and `dtype`, for `keras.Model`.

    Call arguments:
        inputs, training: see `Detector`.

    Returns:
        See `Detector`.

    Raises:
        ValueError: sizes that do not go together, or a backbone of several maps.

    Example:
        >>> model = Detr(num_classes=91, backbone={"blocks": (3, 4, 23, 3)})
        >>> outputs = model({"pixels": pixels, "mask": mask})
        >>> scores = model.probabilities(outputs["logits"][:, -1])
    """

    def __init__(
        self,
        num_classes: int,
        num_queries: int = 100,
        backbone: dict | None = None,
        units: int = 256,
        hidden_size: int = 2048,
        num_heads: int = 8,
        num_layers: int = 6,
        num_decoder_layers: int | None = None,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        hidden_dropout: float = 0.1,
        **kwargs,
    ):
        kwargs.setdefault("name", "detr")
        num_decoder_layers = num_decoder_layers or num_layers
        super().__init__(num_classes, "softmax", num_decoder_layers, **kwargs)
        _check_sizes(num_queries, units, num_layers, num_decoder_layers)
        self.num_queries = num_queries
        self.backbone_options = dict(backbone or {})
        self.units = units
        self.hidden_size = hidden_size
        self.num_heads = num_heads
        self.num_layers = num_layers
        self.num_decoder_layers = num_decoder_layers
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.hidden_dropout = hidden_dropout
        self._make_layers({"dtype": self.dtype_policy})

    def _make_layers(self, dtype):
        make = EfficientNetLite if "size" in self.backbone_options else ResNet
        self.backbone = make(**self.backbone_options, name="backbone", **dtype)
        if len(self.backbone.channels) != 1:
            raise ValueError(
                "A Detr reads one map of its backbone. Received: "
                f"strides={self.backbone.strides}. Name one of them, or none."
            )
        self.input_projection = layers.Dense(
            self.units, name="input_projection", **dtype
        )
        self.cell_positions = SinePositions2D(
            self.units, name="cell_positions", **dtype
        )
        block = {"norm": "post", "dropout": self.dropout, "epsilon": _EPSILON, **dtype}
        self.encoder = make_encoder(
            self.num_layers,
            self.num_heads,
            self.units,
            self.hidden_size,
            self.attention_dropout,
            self.hidden_dropout,
            **block,
        )
        self.decoder = [
            DecoderBlock(
                self._make_attention("self_attention", dtype),
                self._make_attention("cross_attention", dtype),
                FeedForward(
                    self.hidden_size,
                    dropout=self.hidden_dropout,
                    name="feed_forward",
                    **dtype,
                ),
                name=f"decoder_{index}",
                **block,
            )
            for index in range(self.num_decoder_layers)
        ]
        self.decoder_norm = layers.LayerNormalization(
            epsilon=_EPSILON, name="decoder_norm", **dtype
        )
        # Answers are in full precision.
        self.class_head = layers.Dense(
            self.num_classes + 1, name="class_head", dtype="float32"
        )
        self.box_head = [
            layers.Dense(
                4 if last else self.units,
                activation="sigmoid" if last else "relu",
                name=f"box_head_{index}",
                dtype="float32" if last else self.dtype_policy,
            )
            for index, last in enumerate((False, False, True))
        ]

    def _make_attention(self, name, dtype):
        return MultiHeadAttention(
            self.num_heads,
            self.units,
            dropout=self.attention_dropout,
            name=name,
            **dtype,
        )

    def build(self, input_shape=None):
        shape = (None, None, self.units)
        self.backbone.build((None, None, None, 3))
        self.input_projection.build((None, None, None, self.backbone.channels[-1]))
        for block in self.encoder:
            block.build(shape)
        for block in self.decoder:
            block.build(shape, shape)
        for layer in (self.decoder_norm, self.class_head, *self.box_head):
            layer.build(shape)
        self.queries = self.add_weight(
            shape=(self.num_queries, self.units),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="queries",
        )
        self.built = True

    def call(self, inputs, training=False):
        memory = self._encode(inputs, training)
        states = self._decode(memory, training)
        return self._answers(states)

    def attend(self, inputs):
        memory = self._encode(inputs, return_weights=True)
        *before, weights_BHQK = self._decode(memory, return_weights=True)
        cells = ops.convert_to_tensor(memory["shape"], "int32")
        return self._answers(before) | {
            "cross_attention": weights_BHQK,
            "self_attention": memory["weights"],
            "cells": cells[None],
            "strides": ops.convert_to_tensor(self.backbone.strides, "int32"),
        }

    def _encode(self, inputs, training=False, return_weights=False) -> dict:
        """What the encoder makes of the cells of the map, one after another."""
        mask_BHW = ops.cast(inputs["mask"], "bool")
        (features,), (mask_BHW,) = self.backbone(inputs["pixels"], mask_BHW)
        batch, height, width = ops.shape(mask_BHW)
        flat = (batch, height * width)
        positions_BKU = ops.reshape(self.cell_positions(mask_BHW), (*flat, self.units))
        mask_BK = ops.reshape(mask_BHW, flat)
        values_BKU = ops.reshape(self.input_projection(features), (*flat, self.units))
        weights = None
        for index, block in enumerate(self.encoder):
            asked = return_weights and index == self.num_layers - 1
            values_BKU = block(
                values_BKU,
                key_mask=mask_BK,
                positions=positions_BKU,
                return_weights=asked,
                training=training,
            )
            if asked:
                values_BKU, weights = values_BKU
        return {
            "values": values_BKU,
            "positions": positions_BKU,
            "mask": mask_BK,
            "shape": (height, width),
            "weights": weights,
        }

    def _decode(self, memory, training=False, return_weights=False) -> list:
        """The normalised states after each block; last the weights, if asked for."""
        batch = ops.shape(memory["values"])[0]
        queries_BQU = ops.repeat(
            ops.cast(self.queries, self.compute_dtype)[None], batch, axis=0
        )
        values_BQU, found = ops.zeros_like(queries_BQU), []
        for index, block in enumerate(self.decoder):
            asked = return_weights and index == self.num_decoder_layers - 1
            values_BQU = block(
                values_BQU,
                memory["values"],
                memory_mask=memory["mask"],
                positions=queries_BQU,
                memory_positions=memory["positions"],
                return_weights=asked,
                training=training,
            )
            if asked:
                values_BQU, (_, weights_BHQK) = values_BQU
            found.append(self.decoder_norm(values_BQU))
        return [*found, weights_BHQK] if return_weights else found

    def _answers(self, states) -> dict:
        states_BLQU = ops.stack(states, axis=1)
        boxes = states_BLQU
        for layer in self.box_head:
            boxes = layer(boxes)
        return {"logits": self.class_head(states_BLQU), "boxes": boxes}

    def class_heads(self):
        return [self.class_head]

    def parts_by_depth(self):
        blocks = [block.name for block in (*self.encoder, *self.decoder)]
        blocks = [f"{name}/.*" for name in blocks]
        reads = "input_projection/.*|queries"
        heads = "(decoder_norm|class_head|box_head_.)/.*"
        return [*self.backbone.parts_by_depth("backbone/"), reads, *blocks, heads]

    def get_config(self):
        config = super().get_config()
        config.update(
            num_classes=self.num_classes,
            num_queries=self.num_queries,
            backbone=self.backbone_options,
            units=self.units,
            hidden_size=self.hidden_size,
            num_heads=self.num_heads,
            num_layers=self.num_layers,
            num_decoder_layers=self.num_decoder_layers,
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
            hidden_dropout=self.hidden_dropout,
        )
        return config


def _check_sizes(num_queries, units, num_layers, num_decoder_layers):
    if min(num_queries, num_layers, num_decoder_layers) < 1 or units % 4 or units < 4:
        raise ValueError(
            "A Detr needs a query and a block of encoder and decoder at least, and "
            f"units that 4 divides. Received: num_queries={num_queries}, "
            f"num_layers={num_layers}, num_decoder_layers={num_decoder_layers}, "
            f"units={units}."
        )

"""A light DETR whose queries stand at anchors: learns small data sets on a CPU."""
# Carion et al. (2020) with what later papers found to make it converge:
# - queries are anchors that every layer moves (DAB-DETR, Liu et al., 2022,
#   https://arxiv.org/abs/2201.12329), and look close to them by a Gaussian (SMCA, Gao
#   et al., 2021, https://arxiv.org/abs/2101.07448), or by content and position apart
#   (Conditional DETR, Meng et al., 2021, https://arxiv.org/abs/2108.06152).
# - the first anchors are the encoder's own best guesses (Deformable DETR, Zhu et al.,
#   2021, https://arxiv.org/abs/2010.04159, section 4.2; its gradients stop there).
# - guesses are distinct: of those that overlap much only the best is a query (DDQ,
#   Zhang et al., 2023, https://arxiv.org/abs/2303.12776, section 3.2), so that the
#   decoder has fewer duplicates to tell apart.
# - self-attention on the coarsest map alone, finer maps fused in by convolutions (see
#   `FusionEncoder`).
# - a yes or no for each class ("sigmoid"), for a focal or varifocal loss.
# - noisy copies of the true boxes beside the queries while training (DN-DETR, Li et
#   al., 2022, https://arxiv.org/abs/2203.01305), if asked for.
# Departures:
# - the anchors of a cell span twice its stride.
# - guesses are compared once, before the decoder, all at a time (`is_repeated`): three
#   for each query. A query holds its guess's state and a weight of its own.
# - every layer has a box head of its own, as in Deformable DETR; DAB-DETR shares one.

import math

import keras
from keras import layers, ops

from zoo.layers import AnchorDecoderBlock
from zoo.models.box_head import BoxHead
from zoo.models.denoising import LabelEmbedding, noisy_objects, who_sees_whom
from zoo.models.detector import Detector
from zoo.models.efficientnet_lite import EfficientNetLite
from zoo.models.fusion_encoder import FusionEncoder
from zoo.ops.boxes import is_repeated
from zoo.ops.positions import cell_centres, place_sines

# Shape letters: B batch, H height, W width, N cells, Q queries, U units, C classes.

_LOWEST = -1e9
# Guesses of the encoder that are compared, for each query.
_GUESSES = 3
# Class outputs of what is no cell.
_NOTHING = -10.0
# Probability that an untrained class output says, as focal losses want it (Lin et al.,
# 2017, https://arxiv.org/abs/1708.02002, section 3.3).
_PRIOR = 0.02


@keras.saving.register_keras_serializable(package="zoo")
class AnchorDetr(Detector):
    """EfficientNet-Lite, fused feature maps, and a decoder that moves anchors.

    Args:
        num_classes: real classes.
        num_queries: most objects that can be found in an image.
        backbone: size of the `EfficientNetLite`.
        strides: of the feature maps that the decoder attends to, finest first.
        units: size of cells and queries.
        hidden_size: inside the feed-forward networks.
        num_heads: of every attention.
        num_encoder_layers: on the coarsest map.
        num_layers: of the decoder.
        anchors: "encoder", its best guesses, or "learnt", the same for all images.
        denoising_groups: noisy copies of the true boxes while training; 0 for none.
        dropout: in encoder and decoder, rate in [0, 1).
        attention: to cells, see `AnchorDecoderBlock`.
        distinct: of the encoder's guesses those are left out that overlap with a better
            one by more than this IoU; 1 leaves out none.
        **kwargs: `name` and `dtype`, for `keras.Model`.

    Call arguments:
        inputs: see `Detector`; while training with denoising also `boxes` and
            `labels`, the targets.
        training: whether dropout acts, and noise is added.

    Returns:
        See `Detector`. Of anchors from the encoder the first layer is the encoder's.

    Raises:
        ValueError: sizes that do not go together.
    """

    def __init__(
        self,
        num_classes: int,
        num_queries: int = 60,
        backbone: str = "lite0",
        strides=(8, 16, 32),
        units: int = 128,
        hidden_size: int = 512,
        num_heads: int = 8,
        num_encoder_layers: int = 1,
        num_layers: int = 3,
        anchors: str = "encoder",
        denoising_groups: int = 0,
        dropout: float = 0.0,
        attention: str = "modulated",
        distinct: float = 0.7,
        **kwargs,
    ):
        kwargs.setdefault("name", "anchor_detr")
        num_answers = num_layers + (anchors == "encoder")
        super().__init__(num_classes, "sigmoid", num_answers, **kwargs)
        if anchors not in ("encoder", "learnt"):
            raise ValueError(
                f"anchors must be 'encoder' or 'learnt'. Received: anchors={anchors!r}."
            )
        _check_sizes(num_queries, units, num_layers, distinct)
        self.num_queries = num_queries
        self.backbone_size = backbone
        self.strides = tuple(strides)
        self.units = units
        self.hidden_size = hidden_size
        self.num_heads = num_heads
        self.num_encoder_layers = num_encoder_layers
        self.num_layers = num_layers
        self.anchors = anchors
        self.denoising_groups = denoising_groups
        self.dropout = dropout
        self.attention = attention
        self.distinct = distinct
        self._make_layers({"dtype": self.dtype_policy})

    def _make_layers(self, dtype):
        units = self.units
        self.backbone = EfficientNetLite(
            self.backbone_size, self.strides, name="backbone", **dtype
        )
        self.fusion = FusionEncoder(
            self.strides,
            units,
            self.hidden_size,
            self.num_heads,
            self.num_encoder_layers,
            self.dropout,
            name="fusion",
            **dtype,
        )
        self.decoder = [
            AnchorDecoderBlock(
                self.num_heads,
                units,
                self.hidden_size,
                self.dropout,
                attention=self.attention,
                name=f"decoder_{index}",
                **dtype,
            )
            for index in range(self.num_layers)
        ]
        self.anchor_dense = [
            layers.Dense(units, activation="relu", name="anchor_dense_0", **dtype),
            layers.Dense(units, name="anchor_dense_1", **dtype),
        ]
        self.head = self._class_head("head")
        self.box_heads = [
            BoxHead(units, name=f"box_{n}") for n in range(self.num_layers)
        ]
        self.proposal_dense = self.proposal_norm = None
        self.proposal_head = self.proposal_boxes = None
        if self.anchors == "encoder":
            self.proposal_dense = layers.Dense(units, name="proposal_dense", **dtype)
            self.proposal_norm = layers.LayerNormalization(
                epsilon=1e-5, name="proposal_norm", **dtype
            )
            self.proposal_head = self._class_head("proposal_head")
            self.proposal_boxes = BoxHead(units, name="proposal_box")
        self.label_embedding = self.noise = None
        if self.denoising_groups:
            self.label_embedding = LabelEmbedding(
                self.num_classes, units, name="label_embedding", **dtype
            )
            self.noise = keras.random.SeedGenerator(seed=0, name="noise")

    def _class_head(self, name):
        prior = keras.initializers.Constant(math.log(_PRIOR / (1 - _PRIOR)))
        return layers.Dense(
            self.num_classes, bias_initializer=prior, name=name, dtype="float32"
        )

    def build(self, input_shape=None):
        shape = (None, None, self.units)
        self.backbone.build()
        self.fusion.build(self.backbone.channels)
        for part in (*self.anchor_dense[1:], self.head):
            part.build(shape)
        self.anchor_dense[0].build((None, None, 2 * self.units))
        for block in self.decoder:
            block.build(shape, shape)
        for head in self.box_heads:
            head.build(shape)
        if self.anchors == "encoder":
            for part in (self.proposal_dense, self.proposal_norm):
                part.build(shape)
            self.proposal_head.build(shape)
            self.proposal_boxes.build(shape)
        if self.denoising_groups:
            self.label_embedding.build()
        self.query_embedding = self.add_weight(
            shape=(self.num_queries, self.units),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="query_embedding",
        )
        if self.anchors == "learnt":
            self.anchor_embedding = self.add_weight(
                shape=(self.num_queries, 4),
                initializer=keras.initializers.RandomUniform(-1.5, 1.5),
                name="anchor_embedding",
            )
        self.built = True

    def call(self, inputs, training=False):
        memory = self.encode(inputs, training)
        return self.decode(memory, inputs, training)[0]

    def attend(self, inputs) -> dict:
        memory = self.encode(inputs, return_weights=True)
        outputs, weights = self.decode(memory, inputs)
        return outputs | {
            "cross_attention": weights,
            "self_attention": memory["self_attention"],
            "cells": memory["cells"],
            "strides": ops.convert_to_tensor(self.strides, "int32"),
        }

    def encode(self, inputs, training=False, return_weights=False) -> dict:
        """What the cells of all maps hold, one after the other, finest map first."""
        pixels, mask = inputs["pixels"], inputs["mask"]
        maps, masks = self.backbone(pixels, mask)
        maps, weights = self.fusion(maps, masks, training=training)
        centres = [
            cell_centres(mask, cells, stride)
            for cells, stride in zip(masks, self.strides, strict=True)
        ]
        memory = {
            "values": _joined(maps),
            "mask": ops.concatenate([_rows(cells) for cells in masks], axis=1),
            "centres": _joined([centre for centre, _ in centres]),
            "sizes": _joined([size for _, size in centres]),
            "cells": ops.stack([ops.stack(ops.shape(m)[1:3]) for m in masks]),
        }
        return memory | ({"self_attention": weights} if return_weights else {})

    def decode(self, memory, inputs, training=False):
        """Anchors moved from layer to layer; also the last layer's attention."""
        values, boxes, proposed = self._first_anchors(memory)
        visible = None
        is_denoising = training and self.denoising_groups and "labels" in inputs
        if is_denoising:
            values, boxes, visible = self._with_noise(values, boxes, inputs)
        logits_found, boxes_found = [], []
        if proposed is not None:
            logits_found, boxes_found = [proposed[0]], [proposed[1]]
        weights = None
        for block, box_head in zip(self.decoder, self.box_heads, strict=True):
            halves = boxes[..., :2], boxes[..., 2:]
            sines = [place_sines(half, self.units) for half in halves]
            positions = ops.cast(ops.concatenate(sines, axis=-1), self.compute_dtype)
            for dense in self.anchor_dense:
                positions = dense(positions)
            values, weights = block(
                values,
                memory["values"],
                positions,
                boxes,
                memory["centres"],
                memory_mask=memory["mask"],
                attention_mask=visible,
                return_weights=True,
                training=training,
            )
            moved = box_head(values, boxes)
            logits_found.append(self.head(values))
            boxes_found.append(moved)
            boxes = ops.stop_gradient(moved)
        noisy = {}
        if is_denoising:
            first = len(logits_found) - self.num_layers
            count = ops.shape(visible)[1] - self.num_queries
            for name, found in (("logits", logits_found), ("boxes", boxes_found)):
                noisy[f"noisy_{name}"] = ops.stack(
                    [each[:, :count] for each in found[first:]], axis=1
                )
                found[first:] = [each[:, count:] for each in found[first:]]
        outputs = {
            "logits": ops.stack(logits_found, axis=1),
            "boxes": ops.stack(boxes_found, axis=1),
        }
        return outputs | noisy, weights

    def _with_noise(self, values, boxes, inputs):
        """Queries behind noisy copies of the true objects, and who sees whom."""
        labels = inputs["labels"]
        noisy_boxes, noisy_labels = noisy_objects(
            inputs["boxes"],
            labels,
            self.denoising_groups,
            self.num_classes,
            self.noise,
        )
        values = ops.concatenate([self.label_embedding(noisy_labels), values], axis=1)
        boxes = ops.concatenate([noisy_boxes, boxes], axis=1)
        visible = who_sees_whom(labels, self.denoising_groups, self.num_queries)
        return values, boxes, visible

    def _first_anchors(self, memory):
        """What the queries hold, their boxes, and what was proposed, if anything."""
        batch = ops.shape(memory["values"])[0]
        values = ops.cast(self.query_embedding, self.compute_dtype)
        values = ops.repeat(values[None], batch, axis=0)
        if self.anchors == "learnt":
            boxes = ops.sigmoid(ops.cast(self.anchor_embedding, "float32"))
            return values, ops.repeat(boxes[None], batch, axis=0), None
        states = self.proposal_norm(self.proposal_dense(memory["values"]))
        logits = self.proposal_head(states)
        # Padding is as good as what fills up a tiny image below.
        real = memory["mask"][..., None]
        states = states * ops.cast(real, states.dtype)
        logits = ops.where(real, logits, _NOTHING)
        around = ops.concatenate([memory["centres"], 2 * memory["sizes"]], axis=-1)
        scores = ops.where(memory["mask"], ops.max(logits, axis=-1), _LOWEST)
        # A tiny image has fewer cells than there are queries.
        guesses = self.num_queries * (_GUESSES if self.distinct < 1 else 1)
        spare = ((0, 0), (0, guesses))
        scores = ops.pad(scores, spare, constant_values=_LOWEST)
        states, around = (ops.pad(each, (*spare, (0, 0))) for each in (states, around))
        logits = ops.pad(logits, (*spare, (0, 0)), constant_values=_NOTHING)
        scores, best = ops.top_k(scores, guesses)
        states, around, logits = _rows_at(best, states, around, logits)
        boxes = self.proposal_boxes(states, around)
        if self.distinct < 1:
            repeated = is_repeated(ops.stop_gradient(boxes), self.distinct)
            scores = ops.where(repeated, scores + _LOWEST, scores)
            _, best = ops.top_k(scores, self.num_queries)
            states, boxes, logits = _rows_at(best, states, boxes, logits)
        proposed = logits, boxes
        return values + ops.stop_gradient(states), ops.stop_gradient(boxes), proposed

    def class_heads(self):
        others = (self.proposal_head, self.label_embedding)
        return [self.head, *(each for each in others if each is not None)]

    def parts_by_depth(self):
        return [
            *self.backbone.parts_by_depth("backbone/"),
            "fusion/.*",
            "(proposal_dense|proposal_norm|decoder_|anchor_|query_embedding|label_).*",
            "(head|proposal_head|box_|proposal_box).*",
        ]

    def get_config(self):
        return super().get_config() | {
            "num_classes": self.num_classes,
            "num_queries": self.num_queries,
            "backbone": self.backbone_size,
            "strides": self.strides,
            "units": self.units,
            "hidden_size": self.hidden_size,
            "num_heads": self.num_heads,
            "num_encoder_layers": self.num_encoder_layers,
            "num_layers": self.num_layers,
            "anchors": self.anchors,
            "denoising_groups": self.denoising_groups,
            "dropout": self.dropout,
            "attention": self.attention,
            "distinct": self.distinct,
        }


def _check_sizes(num_queries, units, num_layers, distinct):
    if min(num_queries, num_layers, units) < 1 or units % 4 or not 0 <= distinct <= 1:
        raise ValueError(
            "num_queries and num_layers must be at least 1, units a multiple of 4, and "
            f"distinct in [0, 1]. Received: num_queries={num_queries}, "
            f"num_layers={num_layers}, units={units}, distinct={distinct}."
        )


def _rows_at(places, *arrays):
    """The rows of each array, (batch, rows, …), at places, (batch, chosen)."""
    return [ops.take_along_axis(each, places[..., None], axis=1) for each in arrays]


def _rows(cells, *last):
    """(batch, height, width, …) to (batch, cells, …)."""
    return ops.reshape(cells, (ops.shape(cells)[0], -1, *last))


def _joined(maps):
    """The cells of several maps one after the other."""
    return ops.concatenate([_rows(each, each.shape[-1]) for each in maps], axis=1)

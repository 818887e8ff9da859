"""The loss of a set of objects (Carion et al., 2020, section 3.1)."""
# https://arxiv.org/abs/2005.12872, equations 1 and 2. Departures from the paper:
# - the class cost is that of a focal loss where the loss is one (Zhu et al., 2021,
#   https://arxiv.org/abs/2010.04159, section 5, and its code), the probability
#   otherwise.
# - "varifocal" (Zhang et al., 2021, https://arxiv.org/abs/2008.13367, equation 2) wants
#   of a matched query not 1 but the IoU of its box; where that is 0 the class is not
#   judged at all, neither wanted nor unwanted.
# - as in the authors' code, not the paper, softmax losses are divided by the weights of
#   their queries, all others by the number of objects.

from collections.abc import Callable

import keras
from keras import ops

from zoo.ops.assignment import assign
from zoo.ops.boxes import overlaps, pairwise_overlaps

# Shape letters: B batch, L layers, Q queries, T targets, C classes.

CLASSIFICATIONS = ("softmax", "focal", "varifocal")
# Focal loss: Lin et al., 2017, https://arxiv.org/abs/1708.02002, section 4.1.
_ALPHA, _GAMMA = 0.25, 2.0
_VARIFOCAL_ALPHA = 0.75
# An output of which neither loss nor gradient is left.
_CERTAINLY_NOT = -30.0


class SetLoss(keras.losses.Loss):
    """Matches queries to objects one to one, then compares what was matched.

    Every layer of the decoder is matched and judged by itself, and their losses summed.

    Args:
        classification: "softmax", with "no object" as the last output; "focal" or
            "varifocal", a yes or no for each class.
        match: like `zoo.ops.assignment.assign`, of which it is another route.
        class_weight: of the class loss, and of the class cost of the matching.
        box_weight: of the L1 distance of boxes, relative to the image.
        overlap_weight: of 1 - generalised IoU.
        no_object_weight: of queries without an object in a softmax loss.

    Call arguments:
        y_true: dictionary of `boxes`, shape (batch, targets, 4), see `zoo.ops.boxes`,
            and `labels`, integers, shape (batch, targets), -1 = padding.
        y_pred: what a `zoo.models.Detector` returns.

    Raises:
        ValueError: an unknown classification.
    """

    def __init__(
        self,
        classification: str = "softmax",
        match: Callable = assign,
        class_weight: float = 1.0,
        box_weight: float = 5.0,
        overlap_weight: float = 2.0,
        no_object_weight: float = 0.1,
    ):
        super().__init__(name="set_loss", reduction=None, dtype="float32")
        if classification not in CLASSIFICATIONS:
            raise ValueError(
                f"classification must be one of {CLASSIFICATIONS}. Received: "
                f"classification={classification!r}."
            )
        self.classification = classification
        self.match = match
        self.class_weight = class_weight
        self.box_weight = box_weight
        self.overlap_weight = overlap_weight
        self.no_object_weight = no_object_weight

    def call(self, y_true, y_pred):
        return self.parts(y_true, y_pred)["loss"]

    def parts(self, y_true, y_pred) -> dict:
        """The loss, and what it is made of.

        Returns:
            Numbers: `loss`; `class_loss`, `box_loss` and `overlap_loss`, each the sum
            over layers, weighted; `loss_0` and on, the loss of each layer, without
            noisy copies; and of the last layer

            - `class_error`, the share of matched queries whose most probable class is
              another;
            - `found`, the share of objects whose query's box has an IoU of at least
              0.5;
            - `no_object`, the share of queries that say that nothing is there;
            - `churn`, the share of objects that the layer before it gave to another
              query (Liu et al., 2023, https://arxiv.org/abs/2304.04742, figure 1);
              0 where there is no other layer.
        """
        targets = y_true["boxes"], y_true["labels"]
        rows = _by_layer(*targets, y_pred["logits"], y_pred["boxes"])
        layers = y_pred["boxes"].shape[1]
        query_BT = self.matches(*rows)
        parts = self._compare(*rows, query_BT, layers)
        by_layer = ops.unstack(sum(parts.values()), num=layers)
        panel = {f"loss_{layer}": loss for layer, loss in enumerate(by_layer)}
        panel |= self._panel(*rows, query_BT, layers)
        parts = {name: ops.sum(part) for name, part in parts.items()}
        if "noisy_boxes" in y_pred:
            noisy = self._noisy_parts(*targets, y_pred)
            parts = {name: parts[name] + ops.sum(noisy[name]) for name in parts}
        return {"loss": sum(parts.values()), **parts, **panel}

    def _noisy_parts(self, boxes, labels, y_pred):
        """The loss of noisy copies, of which it is known what each is a copy of."""
        rows = _by_layer(boxes, labels, y_pred["noisy_logits"], y_pred["noisy_boxes"])
        boxes, labels, logits, found = rows
        targets = ops.shape(labels)[1]
        # Each group is a set of its own: positives, then as many negatives.
        groups = ops.shape(logits)[1] // (2 * targets)
        logits, found = (
            ops.reshape(each, (-1, 2 * targets, each.shape[-1]))
            for each in (logits, found)
        )
        boxes, labels = (ops.repeat(each, groups, axis=0) for each in (boxes, labels))
        real = labels >= 0
        query_BT = ops.where(real, ops.arange(targets, dtype="int32"), -1)
        # A copy of padding is neither right nor wrong.
        is_copy = ops.concatenate([real, real], axis=1)[..., None]
        logits = ops.where(is_copy, logits, _CERTAINLY_NOT)
        layers = y_pred["noisy_boxes"].shape[1]
        return self._compare(boxes, labels, logits, found, query_BT, layers)

    def _compare(self, boxes, labels, logits, found, query_BT, layers) -> dict:
        """The parts of the loss, each of shape (layers,), of matched queries."""
        matched_BT = ops.cast(query_BT >= 0, "float32")
        objects_BT = ops.cast(labels >= 0, "float32")
        total = ops.maximum(ops.sum(objects_BT) / layers, 1.0)
        chosen_BT1 = ops.maximum(query_BT, 0)[..., None]
        own = ops.take_along_axis(found, chosen_BT1, axis=1)
        iou_BT, generalised_BT = overlaps(own, boxes)
        distance_BT = ops.sum(ops.abs(own - boxes), axis=-1) * matched_BT
        apart_BT = (1.0 - generalised_BT) * matched_BT
        class_loss = self._class_loss(logits, labels, query_BT, iou_BT, total, layers)
        return {
            "class_loss": self.class_weight * class_loss,
            "box_loss": self.box_weight * _layer_sums(distance_BT, layers) / total,
            "overlap_loss": self.overlap_weight * _layer_sums(apart_BT, layers) / total,
        }

    def _panel(self, boxes, labels, logits, found, query_BT, layers) -> dict:
        """How the last layer does on what it was matched to."""
        rows = ops.shape(labels)[0] // layers
        before_BT = query_BT[-2 * rows :][:rows]
        boxes, labels, logits, found, query_BT = (
            each[-rows:] for each in (boxes, labels, logits, found, query_BT)
        )
        matched_BT = query_BT >= 0
        matched = ops.maximum(_count(matched_BT), 1.0)
        chosen_BT1 = ops.maximum(query_BT, 0)[..., None]
        own = ops.take_along_axis(found, chosen_BT1, axis=1)
        own_logits = ops.take_along_axis(logits, chosen_BT1, axis=1)
        wrong_BT = ops.cast(ops.argmax(own_logits, axis=-1), "int32") != labels
        close_BT = overlaps(own, boxes)[0] >= 0.5
        objects = ops.maximum(_count(labels >= 0), 1.0)
        return {
            "class_error": _count(wrong_BT & matched_BT) / matched,
            "found": _count(close_BT & matched_BT) / objects,
            "no_object": ops.mean(ops.cast(self._says_nothing(logits), "float32")),
            "churn": _count((query_BT != before_BT) & matched_BT) / matched,
        }

    def _says_nothing(self, logits):
        """Which queries say that there is no object, shape (batch, queries)."""
        if self.classification == "softmax":
            return ops.argmax(logits, axis=-1) == logits.shape[-1] - 1
        return ops.max(logits, axis=-1) < 0.0

    def matches(self, boxes, labels, logits, found):
        """The query of each object, -1 for padding; shape (batch, targets)."""
        costs_BTQ = ops.stop_gradient(self._costs(boxes, labels, logits, found))
        return ops.stop_gradient(self.match(costs_BTQ, labels >= 0))

    def _costs(self, boxes, labels, logits, found):
        """What each query costs each object (equation 1), shape (B, T, Q)."""
        if self.classification == "softmax":
            cost_BQC = -ops.softmax(logits, axis=-1)
        else:
            cost_BQC = _focal(logits, 1.0) - _focal(logits, 0.0)
        cost_BCQ = ops.transpose(cost_BQC, (0, 2, 1))
        class_BTQ = ops.take_along_axis(
            cost_BCQ, ops.maximum(labels, 0)[..., None], axis=1
        )
        _, generalised_BTQ = pairwise_overlaps(boxes, found)
        distance_BTQ = ops.sum(ops.abs(boxes[:, :, None] - found[:, None]), axis=-1)
        return (
            self.class_weight * class_BTQ
            + self.box_weight * distance_BTQ
            - self.overlap_weight * generalised_BTQ
        )

    def _class_loss(self, logits, labels, query_BT, iou_BT, total, layers):
        queries, outputs = ops.shape(logits)[1:]
        taken_BTQ = ops.one_hot(query_BT, queries)
        wanted_BTC = ops.one_hot(ops.maximum(labels, 0), outputs)
        target_BQC = ops.einsum("btq,btc->bqc", taken_BTQ, wanted_BTC)
        if self.classification == "softmax":
            free_BQ = 1.0 - ops.sum(taken_BTQ, axis=1)
            nothing_C = ops.one_hot(outputs - 1, outputs)
            target_BQC = target_BQC + free_BQ[..., None] * nothing_C
            weight_BQ = 1.0 - free_BQ * (1.0 - self.no_object_weight)
            losses_BQ = -ops.sum(target_BQC * ops.log_softmax(logits, -1), axis=-1)
            # Each layer has a mean of its own.
            losses = _layer_sums(losses_BQ * weight_BQ, layers)
            return losses / _layer_sums(weight_BQ, layers)
        if self.classification == "focal":
            return _layer_sums(_focal(logits, target_BQC), layers) / total
        quality_BT = ops.stop_gradient(ops.maximum(iou_BT, 0.0))
        quality_BQC = ops.einsum(
            "btq,btc->bqc", taken_BTQ * quality_BT[..., None], wanted_BTC
        )
        probability = ops.stop_gradient(ops.sigmoid(logits))
        weight = (
            _VARIFOCAL_ALPHA * probability**_GAMMA * (1.0 - target_BQC) + quality_BQC
        )
        losses_BQC = weight * _crossentropy(logits, quality_BQC)
        return _layer_sums(losses_BQC, layers) / total


def _by_layer(boxes, labels, logits, found):
    """Every layer as rows of its own, in float32; the last layer's rows last."""
    logits, found = (
        ops.cast(ops.moveaxis(each, 1, 0), "float32") for each in (logits, found)
    )
    layers = logits.shape[0]
    logits, found = (
        ops.reshape(each, (-1, *ops.shape(each)[2:])) for each in (logits, found)
    )
    boxes = ops.tile(ops.cast(boxes, "float32"), (layers, 1, 1))
    labels = ops.tile(ops.cast(labels, "int32"), (layers, 1))
    return boxes, labels, logits, found


def _layer_sums(losses, layers: int):
    """The sum of each layer's rows, which follow one another; shape (layers,)."""
    return ops.sum(ops.reshape(losses, (layers, -1)), axis=-1)


def _count(is_so):
    return ops.sum(ops.cast(is_so, "float32"))


def _crossentropy(logits, targets):
    """Binary, in which nothing overflows."""
    return ops.softplus(logits) - targets * logits


def _focal(logits, targets):
    """Focal loss of each output (Lin et al., 2017, equation 5)."""
    probability = ops.sigmoid(logits)
    missed = targets * (1.0 - probability) + (1.0 - targets) * probability
    alpha = targets * _ALPHA + (1.0 - targets) * (1.0 - _ALPHA)
    return alpha * missed**_GAMMA * _crossentropy(logits, targets)

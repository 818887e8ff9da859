"""The loss of a text's labels, of one kind or another, with label smoothing."""

import keras
from keras import ops

KINDS = ("single", "multi", "regression")


@keras.saving.register_keras_serializable(package="zoo")
class LabelLoss(keras.losses.Loss):
    """Mean loss a text.

    "single": cross-entropy of one label of many, in nats. "multi": the mean of the
    labels' binary cross-entropies. "regression": half the squared error of standardised
    values. Label smoothing (Szegedy et al., 2016,
    https://arxiv.org/abs/1512.00567, section 7) spreads that share evenly over all
    labels, or moves each binary target that far towards one half.

    The mean is weighted: rows of weight 0, which fill up a batch, do not count.

    Args:
        kind: "single", "multi" or "regression".
        label_smoothing: share in [0, 1); without effect on a regression.

    Call arguments:
        y_true: shape (batch,) integers, (batch, labels) of 0 and 1, or (batch,).
        y_pred: outputs of the model, shape (batch, outputs).
        sample_weight: shape (batch,).

    Returns:
        One number.

    Raises:
        ValueError: an unknown kind, or `label_smoothing` outside [0, 1).
    """

    def __init__(
        self,
        kind: str = "single",
        label_smoothing: float = 0.0,
        name: str = "label_loss",
        reduction: str = "mean_with_sample_weight",
        dtype="float32",
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}. Received: kind={kind!r}.")
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(
                "label_smoothing must be at least 0 and below 1. "
                f"Received: label_smoothing={label_smoothing}."
            )
        self.kind = kind
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        return label_losses(self.kind, y_true, y_pred, self.label_smoothing)

    def get_config(self):
        return {
            "kind": self.kind,
            "label_smoothing": self.label_smoothing,
            "name": self.name,
            "reduction": self.reduction,
        }


def label_losses(kind: str, targets, outputs, label_smoothing: float = 0.0):
    """The loss of each text in float32, shape (batch,); see `LabelLoss`."""
    outputs = ops.cast(outputs, "float32")
    if kind == "regression":
        return 0.5 * ops.square(outputs[:, 0] - ops.cast(targets, "float32"))
    if kind == "multi":
        targets = ops.cast(targets, "float32")
        targets = targets * (1.0 - label_smoothing) + 0.5 * label_smoothing
        # log(1 + exp(x)) - t x, in which nothing overflows.
        return ops.mean(ops.softplus(outputs) - targets * outputs, axis=-1)
    logs = ops.log_softmax(outputs, axis=-1)
    ids = ops.expand_dims(ops.cast(targets, "int32"), -1)
    chosen = ops.squeeze(ops.take_along_axis(logs, ids, axis=-1), -1)
    even = ops.mean(logs, axis=-1)
    return -(1.0 - label_smoothing) * chosen - label_smoothing * even

"""What is measured of labels while training, on every backend."""

import keras
from keras import ops

from zoo.losses.label_loss import label_losses


@keras.saving.register_keras_serializable(package="zoo")
class LabelPerplexity(keras.metrics.Metric):
    """exp(mean cross-entropy a text), without label smoothing.

    Of `kind="single"` it is the number of labels among which the model is in doubt: 1
    when it is sure and right, the number of labels when it knows nothing.

    Args:
        kind: as for `zoo.losses.LabelLoss`.
    """

    def __init__(self, kind: str = "single", name: str = "perplexity", **kwargs):
        super().__init__(name=name, **kwargs)
        self.kind = kind
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        losses = label_losses(self.kind, y_true, y_pred)
        weights = _weights(sample_weight, losses)
        self.total.assign_add(ops.sum(losses * weights))
        self.count.assign_add(ops.sum(weights))

    def result(self):
        return ops.exp(self.total / ops.maximum(self.count, 1e-9))

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}


@keras.saving.register_keras_serializable(package="zoo")
class LabelF1(keras.metrics.Metric):
    """F1 of predicted labels, over all decisions ("micro") or as the labels' mean.

    For one label of many, micro F1 is the accuracy. A label that neither stands in the
    data nor is predicted is left out of the macro mean; 0 / 0 is 0.

    Args:
        num_labels: how many there are.
        average: "micro" or "macro".
        kind: "single", where the highest output is predicted, or "multi", where each
            positive output is.
    """

    def __init__(
        self,
        num_labels: int,
        average: str = "macro",
        kind: str = "single",
        name: str | None = None,
        **kwargs,
    ):
        super().__init__(name=name or f"{average}_f1", **kwargs)
        if average not in ("micro", "macro"):
            raise ValueError(
                f"average must be 'micro' or 'macro'. Received: average={average!r}."
            )
        self.num_labels = num_labels
        self.average = average
        self.kind = kind
        self.right, self.predicted, self.true = (
            self.add_variable((num_labels,), "zeros", name=name)
            for name in ("right", "predicted", "true")
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        if self.kind == "multi":
            true = ops.cast(y_true, "float32")
            predicted = ops.cast(y_pred > 0, "float32")
        else:
            true = ops.one_hot(ops.cast(y_true, "int32"), self.num_labels)
            predicted = ops.one_hot(ops.argmax(y_pred, axis=-1), self.num_labels)
        weights = ops.expand_dims(_weights(sample_weight, true[:, 0]), -1)
        self.right.assign_add(ops.sum(true * predicted * weights, axis=0))
        self.predicted.assign_add(ops.sum(predicted * weights, axis=0))
        self.true.assign_add(ops.sum(true * weights, axis=0))

    def result(self):
        right, both = ops.cast(self.right, "float32"), self.predicted + self.true
        if self.average == "micro":
            return 2 * ops.sum(right) / ops.maximum(ops.sum(both), 1e-9)
        seen = ops.cast(both > 0, "float32")
        scores = 2 * right / ops.maximum(both, 1e-9)
        return ops.sum(scores * seen) / ops.maximum(ops.sum(seen), 1.0)

    def get_config(self):
        return {
            **super().get_config(),
            "num_labels": self.num_labels,
            "average": self.average,
            "kind": self.kind,
        }


@keras.saving.register_keras_serializable(package="zoo")
class RootMeanSquaredError(keras.metrics.MeanSquaredError):
    """Root of the mean squared error of a regression's one output."""

    def __init__(self, name: str = "rmse", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.expand_dims(ops.cast(y_true, "float32"), -1)
        return super().update_state(y_true, y_pred, sample_weight)

    def result(self):
        return ops.sqrt(super().result())


def _weights(sample_weight, like):
    if sample_weight is None:
        return ops.ones_like(like)
    return ops.cast(sample_weight, "float32")

"""Perplexity of target tokens while training."""

import keras
from keras import ops

from zoo.losses.sequence_crossentropy import token_losses


@keras.saving.register_keras_serializable(package="zoo")
class Perplexity(keras.metrics.Metric):
    """exp(mean cross-entropy a token), without label smoothing or padding.

    The mean is over all tokens seen since the last reset, however they were batched.

    Args:
        padding_id: the target id that is left out.
    """

    def __init__(self, padding_id: int = 0, name: str = "perplexity", **kwargs):
        super().__init__(name=name, **kwargs)
        self.padding_id = padding_id
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        ids = ops.cast(y_true, "int32")
        real = ops.cast(ops.not_equal(ids, self.padding_id), "float32")
        self.total.assign_add(ops.sum(token_losses(ids, y_pred) * real))
        self.count.assign_add(ops.sum(real))

    def result(self):
        return ops.exp(self.total / ops.maximum(self.count, 1.0))

    def get_config(self):
        return {**super().get_config(), "padding_id": self.padding_id}

"""Cross-entropy of token sequences, with label smoothing and padding left out."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class SequenceCrossentropy(keras.losses.Loss):
    """Mean cross-entropy a token, from logits and sparse ids.

    Label smoothing (Szegedy et al., 2016; Vaswani et al., 2017, section 5.4) puts
    `label_smoothing` of the probability evenly on the whole vocabulary. Padding is
    neither summed nor counted: the loss of a batch does not change when it is padded
    further. A batch of nothing but padding has loss 0.

    Args:
        label_smoothing: share in [0, 1).
        padding_id: the target id that is left out.

    Call arguments:
        y_true: target ids, shape (batch, length).
        y_pred: logits, shape (batch, length, vocabulary).

    Returns:
        One number, in nats a token.

    Raises:
        ValueError: `label_smoothing` is outside [0, 1).
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        padding_id: int = 0,
        name: str = "sequence_crossentropy",
        dtype="float32",
    ):
        super().__init__(name=name, reduction=None, dtype=dtype)
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(
                "label_smoothing must be at least 0 and below 1. "
                f"Received: label_smoothing={label_smoothing}."
            )
        self.label_smoothing = label_smoothing
        self.padding_id = padding_id

    def call(self, y_true, y_pred):
        ids = ops.cast(y_true, "int32")
        real = ops.cast(ops.not_equal(ids, self.padding_id), "float32")
        losses = token_losses(ids, y_pred, self.label_smoothing)
        return ops.sum(losses * real) / ops.maximum(ops.sum(real), 1.0)

    def get_config(self):
        return {
            "label_smoothing": self.label_smoothing,
            "padding_id": self.padding_id,
            "name": self.name,
        }


def token_losses(ids, logits, label_smoothing: float = 0.0):
    """Cross-entropy of every token in float32, shape of `ids`; padding included."""
    logits = ops.cast(logits, "float32")
    log_total = ops.logsumexp(logits, axis=-1)
    chosen = ops.take_along_axis(logits, ops.expand_dims(ids, -1), axis=-1)
    chosen = ops.squeeze(chosen, -1)
    if not label_smoothing:
        return log_total - chosen
    # -sum(q log p), with q = (1 - s) at the target plus s / V everywhere.
    even = ops.mean(logits, axis=-1)
    return log_total - (1.0 - label_smoothing) * chosen - label_smoothing * even

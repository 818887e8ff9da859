"""What detectors share: outputs as a set, trained by a loss that compares sets."""

import keras
from keras import ops

# What is shown of a training besides the loss of each layer, parts of the loss first.
PANEL = ("class_loss", "box_loss", "overlap_loss")
PANEL += ("class_error", "found", "no_object", "churn")


class Detector(keras.Model):
    """Base of models that find objects in an image.

    A subclass turns `pixels` and `mask` into one row of class outputs and one box for
    each of its queries, after each of its decoder's layers; the last one is the answer.

    Args:
        num_classes: real classes; "no object" is not one of them.
        classification: "softmax", with a last output for "no object" (Carion et al.,
            2020), or "sigmoid", a yes or no for each class.
        num_answers: layers that answer, each of which is judged while training.
        **kwargs: `name` and `dtype`, for `keras.Model`.

    Call arguments:
        inputs: dictionary of `pixels`, 0 to 255, shape (batch, height, width, 3), and
            `mask`, booleans, shape (batch, height, width), True = inside the image.
        training: whether dropout acts.

    Returns:
        Dictionary of `logits`, shape (batch, layers, queries, num_classes), one more
        for "softmax", and `boxes`, shape (batch, layers, queries, 4), each as
        `zoo.ops.boxes` says. It may hold more, for the loss alone.

    Raises:
        ValueError: an unknown classification, or no class.
    """

    def __init__(
        self, num_classes: int, classification: str, num_answers: int, **kwargs
    ):
        super().__init__(**kwargs)
        if num_classes < 1 or classification not in ("softmax", "sigmoid"):
            raise ValueError(
                "num_classes must be at least 1, and classification 'softmax' or "
                f"'sigmoid'. Received: num_classes={num_classes}, "
                f"classification={classification!r}."
            )
        self.num_classes = num_classes
        self.classification = classification
        # How the training goes, as means of a round.
        names = [*PANEL, *(f"loss_{layer}" for layer in range(num_answers))]
        self.panel = {name: keras.metrics.Mean(name=name) for name in names}
        # On TensorFlow the loss matches on the host, which XLA cannot compile; and a
        # batch's shape is that of its largest image.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def probabilities(self, logits):
        """Class outputs to probabilities, shape (..., num_classes)."""
        logits = ops.cast(logits, "float32")
        if self.classification == "sigmoid":
            return ops.sigmoid(logits)
        return ops.softmax(logits, axis=-1)[..., : self.num_classes]

    def attend(self, inputs) -> dict:
        """What the call returns, and what the model looked at.

        Returns:
            Besides the outputs `cross_attention`, shape (batch, heads, queries, cells),
            of the decoder's last layer; `self_attention`, shape (batch, heads, places,
            places), of the encoder's last, on the coarsest map; `cells`, integers,
            shape (levels, 2): height and width of the maps, the finest first, whose
            cells follow one another in the first; `strides`, integers, shape
            (levels,): how many pixels wide a cell of each is.
        """
        raise NotImplementedError

    def compile(self, optimizer="rmsprop", loss=None, **options):
        """Compiles with a loss that has `parts`, which are those of the panel."""
        super().compile(optimizer=optimizer, loss=loss, **options)
        self.set_loss = loss

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The loss compares sets of objects, so it needs all outputs at once."""
        parts = self.set_loss.parts(y, y_pred)
        for name, metric in self.panel.items():
            metric.update_state(parts[name])
        return parts["loss"]

    def class_heads(self) -> list:
        """The layers whose outputs are classes."""
        raise NotImplementedError

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The loss has updated the panel; no metric looks at one output alone."""
        return self.get_metrics_result()

    def parts_by_depth(self) -> list[str]:
        """Patterns of weight addresses, from what reads first to the heads."""
        raise NotImplementedError

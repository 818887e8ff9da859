"""A classifier that trains in a moment, and a recipe of it."""

import contextlib

import keras
from keras import ops

from zoo import registry
from zoo.models.text_classifier import TextClassifier
from zoo.ops.masking import padding_mask
from zoo.recipe import Part, Recipe, TrainingPlan


class SmallClassifier(TextClassifier):
    """The mean of the words' vectors, a dense layer, and a head."""

    def __init__(self, vocabulary_size, num_outputs):
        super().__init__(num_outputs, 0.1, name="small_classifier")
        self.embedding = keras.layers.Embedding(vocabulary_size, 8, name="embedding")
        self.hidden = keras.layers.Dense(7, activation="tanh", name="hidden")

    def build(self, input_shape=None):
        self.embedding.build((None, None))
        self.hidden.build((None, 8))
        self.build_head(7)

    def read(self, token_ids, training=False):
        mask = ops.cast(padding_mask(token_ids), "float32")
        weights = mask / ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1)
        means = ops.einsum("bl,blu->bu", weights, self.embedding(token_ids))
        return self.hidden(means), weights

    def parts_by_depth(self):
        return ["embedding/.*", "hidden/.*", "head/.*"]


def small_classifier(kind: str = "single") -> Recipe:
    """A small model to test the training of classifiers with."""
    return Recipe(
        name="small_classifier",
        options={"kind": kind},
        task=Part(
            "zoo.tasks.text_classification:TextClassificationTask",
            {"vocabulary_size": 90, "kind": kind},
        ),
        model=Part("tests.training.small_classifier:SmallClassifier"),
        training=TrainingPlan(
            batch_tokens=512, learning_rate=0.1, label_smoothing=0.0, weight_decay=0.1
        ),
    )


@contextlib.contextmanager
def registered():
    """The recipe is known by its name."""
    registry.recipe(task="text_classification")(small_classifier)
    try:
        yield
    finally:
        del registry._entries["small_classifier"]

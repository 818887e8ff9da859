"""A model that trains in a moment, and a recipe of it: for tests of training itself."""

import keras
from keras import ops

from zoo.recipe import Part, Recipe, TrainingPlan


class SmallModel(keras.Model):
    """Guesses the next token from the last one and from the words of the source."""

    def __init__(self, source_vocabulary_size, target_vocabulary_size, dropout=0.1):
        super().__init__(name="small_model")
        self.encoder = keras.layers.Embedding(source_vocabulary_size, 8, name="encoder")
        self.decoder = keras.layers.Embedding(target_vocabulary_size, 8, name="decoder")
        self.noise = keras.layers.Dropout(dropout, name="noise")
        self.readout = keras.layers.Dense(target_vocabulary_size, name="readout")

    def build(self, input_shape=None):
        for layer in (self.encoder, self.decoder):
            layer.build((None, None))
        self.readout.build((None, None, 8))
        self.built = True

    def call(self, inputs, training=None):
        source = ops.mean(self.encoder(inputs["source_ids"]), axis=1, keepdims=True)
        state = self.decoder(inputs["target_ids"]) + source
        return self.readout(self.noise(state, training=training))


def small_recipe() -> Recipe:
    """A small model to test training with."""
    return Recipe(
        name="small_recipe",
        options={},
        task=Part("zoo.tasks.translation:TranslationTask", {"vocabulary_size": 32}),
        model=Part("tests.training.small_model:SmallModel"),
        training=TrainingPlan(
            batch_tokens=64, learning_rate=0.1, label_smoothing=0.0, weight_decay=0.1
        ),
    )

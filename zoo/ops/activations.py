"""Activations that Keras has no name for."""

import keras


@keras.saving.register_keras_serializable(package="zoo")
def gelu_tanh(inputs):
    """The approximation of the gelu by a tanh (Hendrycks and Gimpel, 2016, section 2).

    BERT's first code and what was trained with it have this one; see
    https://arxiv.org/abs/1606.08415. Keras's "gelu" is the exact one.
    """
    return keras.activations.gelu(inputs, approximate=True)

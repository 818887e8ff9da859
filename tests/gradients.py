"""Gradients on whatever backend the tests run."""

import keras
import numpy as np
from keras import ops


def value_and_gradients(function, arguments, slope):
    """The output of a function and the gradients of the sum of slope times output.

    Args:
        function: of tensors, to one tensor.
        arguments: arrays.
        slope: array that broadcasts to the output.

    Returns:
        Arrays: the output, then a gradient an argument.
    """
    found = _FINDERS[keras.backend.backend()](function, arguments, slope)
    return [ops.convert_to_numpy(array) for array in found]


def _tensorflow(function, arguments, slope):
    import tensorflow as tf

    tensors = [tf.constant(array) for array in arguments]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        output = function(*tensors)
        loss = tf.reduce_sum(output * slope)
    return [output, *tape.gradient(loss, tensors)]


def _jax(function, arguments, slope):
    import jax

    def loss(*tensors):
        output = function(*tensors)
        return (output * slope).sum(), output

    every = tuple(range(len(arguments)))
    compiled = jax.jit(jax.grad(loss, argnums=every, has_aux=True))
    gradients, output = compiled(*[np.asarray(array) for array in arguments])
    return [output, *gradients]


def _torch(function, arguments, slope):
    import torch

    tensors = [torch.tensor(array, requires_grad=True) for array in arguments]
    output = function(*tensors)
    (output * torch.tensor(slope)).sum().backward()
    return [output, *[tensor.grad for tensor in tensors]]


_FINDERS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}

"""The output of a function of arrays and its gradients, on every backend."""

import numpy as np
from keras import ops

from tests.backend import gradients


def value_and_gradients(function, arguments, slope):
    """The output of a function and the gradients of the sum of slope times output.

    Args:
        function: of tensors, to one tensor.
        arguments: arrays.
        slope: array that broadcasts to the output.

    Returns:
        Arrays: the output, then a gradient an argument.
    """
    names = [f"argument_{index}" for index in range(len(arguments))]

    def loss(tensors):
        return ops.sum(function(*(tensors[name] for name in names)) * slope)

    found = gradients(loss, dict(zip(names, arguments, strict=True)))
    output = function(*map(ops.convert_to_tensor, arguments))
    arrays = [ops.convert_to_numpy(output), *(found[name] for name in names)]
    return [np.asarray(array) for array in arrays]

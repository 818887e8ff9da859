"""Layer normalisation, as far as it can be folded into the matrices around it.

    LN(x) = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) * gain + shift

(Ba et al., 2016, https://arxiv.org/abs/1607.06450, equation 3). With norm="pre" nothing
but the next matrix sees LN(x), so the gain and the shift go into it; and as every later
use of the sum x takes its mean away first, it is taken away beforehand, from whatever
is added to x. What is left is a division by a root mean square.
"""

import numpy as np
import tensorflow as tf


class PreNorm:
    """What a block with norm="pre" leaves to be done.

    Args:
        epsilon: what the normalisations add to the variance.
    """

    def __init__(self, epsilon: float):
        self.epsilon = epsilon

    def into_next(self, norm, kernel, bias):
        """Kernel and bias of a product of LN(x), to be used on `before(x)`."""
        gain, shift = array(norm.gamma), array(norm.beta)
        return gain[:, None] * kernel, shift @ kernel + bias

    def into_last(self, values):
        """What is added to the sum, such as a kernel, without its mean."""
        if isinstance(values, np.ndarray):
            return values - values.mean(axis=-1, keepdims=True)
        return values - tf.reduce_mean(values, axis=-1, keepdims=True)

    def before(self, rows):
        squares = tf.reduce_mean(tf.square(rows), axis=-1, keepdims=True)
        return rows * tf.math.rsqrt(squares + self.epsilon)

    def after(self, norm):
        """What to do to a sum."""
        return None


class PostNorm:
    """What a block with norm="post" leaves to be done: the sum itself is normalised.

    Args:
        epsilon: what the normalisations add to the variance.
    """

    def __init__(self, epsilon: float):
        self.epsilon = epsilon

    def into_next(self, norm, kernel, bias):
        return kernel, bias

    def into_last(self, values):
        return values

    def before(self, rows):
        return rows

    def after(self, norm):
        gain, shift = array(norm.gamma), array(norm.beta)

        def normalize(rows):
            rows = rows - tf.reduce_mean(rows, axis=-1, keepdims=True)
            squares = tf.reduce_mean(tf.square(rows), axis=-1, keepdims=True)
            return rows * tf.math.rsqrt(squares + self.epsilon) * gain + shift

        return normalize


NORMS = {"pre": PreNorm, "post": PostNorm}


def array(variable):
    """A weight's numbers in float32."""
    return np.asarray(variable, "float32")

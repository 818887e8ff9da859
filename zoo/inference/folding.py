"""The blocks of a Transformer as a few products each, with all that folds into them."""

import keras
import numpy as np
import tensorflow as tf

from zoo.inference.linear import HeldLinear, Linear, held
from zoo.inference.norms import NORMS, array

# Shape letters: N rows, D head size, U units.

_ROOT_HALF = 0.5**0.5


class Folding:
    """Makes the parts of blocks out of a model's layers.

    Args:
        block: one of the model's blocks: all have the same sizes and normalisation.
        head_size: size of a head of every attention.
        make_linear: makes a product from kernel, bias and activation.
    """

    def __init__(self, block, head_size: int, make_linear=Linear):
        self.norm = NORMS[block.norm](block.epsilon)
        self.head_size = head_size
        self._make_linear = make_linear

    def encoder_block(self, block) -> dict:
        return {
            "name": block.name,
            "heads": self.projections(block.attention_norm, block.attention),
            "output": self.update(block.attention.output_dense, block.attention_norm),
            **self.feed_forward(block),
        }

    def decoder_block(self, block, encoder_norm) -> dict:
        own, theirs = block.self_attention, block.cross_attention
        return {
            "name": block.name,
            "heads": self.projections(block.self_attention_norm, own),
            "output": self.update(own.output_dense, block.self_attention_norm),
            "query": self.projections(block.cross_attention_norm, theirs, ["query"]),
            "memory": self.projections(encoder_norm, theirs, ["key", "value"]),
            "memory_output": self.update(
                theirs.output_dense, block.cross_attention_norm
            ),
            **self.feed_forward(block),
        }

    def feed_forward(self, block) -> dict:
        norm, part = block.feed_forward_norm, block.feed_forward
        kernel, bias = array(part.hidden_dense.kernel), array(part.hidden_dense.bias)
        activation, factor = part.activation, 1.0
        if activation is keras.activations.relu:
            activation = tf.nn.relu
        elif activation is keras.activations.gelu:
            # gelu(x) is x / 2 (1 + erf(x / sqrt(2))): with x / sqrt(2) from the product
            # before it, and what is left of the halves in the one behind it, it takes
            # three passes over the hidden numbers and not six.
            activation, factor = _times_one_plus_erf, _ROOT_HALF
        return {
            "hidden": self.product(norm, kernel, bias, activation, factor),
            "last": self.update(part.output_dense, norm, factor),
        }

    def projections(self, norm, attention, parts=("query", "key", "value")):
        """Some of an attention's projections as one product of what is normalised."""
        kernels, biases = [], []
        for part in parts:
            dense = getattr(attention, f"{part}_dense")
            # Equation 1's division by the root of D.
            factor = self.head_size**-0.5 if part == "query" else 1.0
            kernels.append(array(dense.kernel) * factor)
            biases.append(array(dense.bias) * factor)
        return self.product(
            norm, np.concatenate(kernels, axis=1), np.concatenate(biases)
        )

    def product(self, norm, kernel, bias, activation=None, factor: float = 1.0):
        """What a product of normalised rows becomes; `norm` may be `None`."""
        if norm is not None:
            kernel, bias = self.norm.into_next(norm, kernel, bias)
        return self._make_linear(kernel * factor, bias * factor, activation)

    def update(self, dense, norm, factor: float = 1.0):
        """The product whose result is added to the sum, and what follows the sum.

        Args:
            dense: the layer.
            norm: the normalisation of its part of the block.
            factor: what the product's inputs have to be multiplied by.
        """
        kernel, bias = array(dense.kernel) * factor, array(dense.bias)
        linear = self._make_linear(
            self.norm.into_last(kernel), self.norm.into_last(bias)
        )
        return linear, self.norm.after(norm)


class HoldingFolding(Folding):
    """A `Folding` that keeps large weights in variables.

    Args:
        block: one of the model's blocks.
        head_size: size of a head of every attention.

    Attributes:
        variables: those made so far.
    """

    def __init__(self, block, head_size: int):
        super().__init__(block, head_size, self._hold)
        self.variables: list = []

    def table(self, rows):
        """A table of vectors, to gather rows from."""
        self.variables.append(held(rows))
        return self.variables[-1].value

    def _hold(self, *parts):
        linear = HeldLinear(*parts)
        self.variables.append(linear.variable)
        return linear


def add(rows, inputs, product, after):
    """Adds an `update` of the inputs to the sum."""
    rows = rows + product(inputs)
    return rows if after is None else after(rows)


def _times_one_plus_erf(rows):
    return rows + rows * tf.math.erf(rows)

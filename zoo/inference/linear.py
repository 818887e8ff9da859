"""Products with weights that no longer change, in float32 or in int8."""
# int8 after Jacob et al. (2018, https://arxiv.org/abs/1712.05877, section 2):
# - weights are symmetric with one scale an output (the paper has one a matrix), which
#   leaves room for two neighbours of one sign (see `_largest_pairs`);
# - inputs are asymmetric with a range fixed beforehand from a few sentences.

import keras
import numpy as np
import tensorflow as tf

# What lets TensorFlow run int8 on processors where it does not do so by itself.
INT8_ENVIRONMENT = {"TF_ENABLE_ONEDNN_OPTS": "1"}


class Linear:
    """y = activation(x W + b) over rows, with W and b as constants of the graph.

    As constants they are up to a sixth faster than as variables: TensorFlow arranges
    what it knows beforehand.

    Args:
        kernel: shape (inputs, outputs).
        bias: shape (outputs,).
        activation: a function of tensors, or `None`.
    """

    def __init__(self, kernel, bias, activation=None):
        self.kernel = np.ascontiguousarray(kernel, "float32")
        self.bias = np.ascontiguousarray(bias, "float32")
        self.activation = activation

    def __call__(self, rows):
        """Rows of shape (rows, inputs) to (rows, outputs)."""
        # A product and what `bias_add` adds become one operation when the graph runs.
        rows = tf.nn.bias_add(tf.matmul(rows, self.kernel), self.bias)
        return rows if self.activation is None else self.activation(rows)


class HeldLinear(Linear):
    """A `Linear` whose kernel is a variable.

    A server keeps several copies of a constant for each signature, and arranges them at
    the signature's first request; of a variable it has one.

    Args:
        kernel: shape (inputs, outputs).
        bias: shape (outputs,).
        activation: a function of tensors, or `None`.

    Attributes:
        variable: the kernel's.
    """

    def __init__(self, kernel, bias, activation=None):
        super().__init__(kernel, bias, activation)
        self.variable = held(self.kernel)
        self.kernel = self.variable.value


def held(values):
    """Numbers as a variable that is never trained."""
    return keras.Variable(values, trainable=False, dtype="float32")


class WatchedLinear(Linear):
    """A `Linear` that keeps the largest input that it has seen, run eagerly.

    Attributes:
        largest: the largest absolute input so far.
    """

    largest = 0.0

    def __call__(self, rows):
        self.largest = max(self.largest, float(tf.reduce_max(tf.abs(rows))))
        return super().__call__(rows)


class Int8Linear:
    """A `Linear` in int8: a quarter of the weights' bytes, and faster products.

    It runs on TensorFlow's oneDNN operations, so on x86 alone, and only with
    `TF_ENABLE_ONEDNN_OPTS=1` where TensorFlow does not switch them on by itself (it
    does on processors with VNNI).

    Args:
        linear: what it replaces.
        largest: inputs beyond ± this are cut off, those below zero a step later.
    """

    def __init__(self, linear: Linear, largest: float):
        self.activation = linear.activation
        largest = max(float(largest), 1e-6)
        scale = np.maximum(_largest_pairs(linear.kernel), 1e-9) / 127.0
        self.kernel = np.round(linear.kernel / scale).astype("int8")
        # x is stored as u with x = (u - 128) step: the shift becomes a bias. Zero has a
        # code of its own: behind a ReLU most inputs are zeros, and errors would add up.
        self.step = largest / 127.0
        self.scale = (scale * self.step).astype("float32")
        sums = self.kernel.astype("int32").sum(axis=0)
        self.shift = (linear.bias / self.scale - 128.0 * sums).astype("float32")

    def __call__(self, rows):
        """Rows of shape (rows, inputs) to (rows, outputs)."""
        codes, _, _ = tf.raw_ops.QuantizeV2(
            input=rows,
            min_range=-128.0 * self.step,
            max_range=127.0 * self.step,
            T=tf.quint8,
            mode="MIN_COMBINED",
        )
        # Ranges of 0 to 255 and ±127: the numbers are whole, and scaled afterwards.
        rows = tf.raw_ops.QuantizedMatMulWithBiasAndDequantize(
            a=codes,
            b=tf.bitcast(tf.constant(self.kernel), tf.qint8),
            bias=tf.constant(self.shift),
            min_a=0.0,
            max_a=255.0,
            min_b=-127.0,
            max_b=127.0,
            min_freezed_output=-1e4,
            max_freezed_output=1e4,
            Toutput=tf.float32,
            input_quant_mode="SCALED",
        )
        rows = rows * self.scale
        return rows if self.activation is None else self.activation(rows)


def _largest_pairs(kernel):
    """The largest sum of two neighbouring weights of one sign, for each output.

    Processors without VNNI add the products of two neighbours in 16 bits and cut off
    what does not fit. Inputs go up to 255, so such weights may go up to 128 together.
    """
    pairs = np.pad(kernel, [(0, len(kernel) % 2), (0, 0)])
    pairs = pairs.reshape(-1, 2, kernel.shape[1])
    sums = [np.maximum(side, 0.0).sum(axis=1) for side in (pairs, -pairs)]
    return np.max(sums, axis=(0, 1))


def int8_works() -> bool:
    """Whether this process can run `Int8Linear`."""
    linear = Linear(np.eye(4, dtype="float32"), np.zeros(4, "float32"))
    try:
        product = tf.function(Int8Linear(linear, 1.0))(tf.ones([2, 4]))
    except tf.errors.OpError:
        return False
    return bool(tf.reduce_all(tf.abs(product - 1.0) < 0.05))

"""How a folded classifier makes one vector of a text.

Each function here makes another one, of the rows of the real tokens, shape (tokens,
units), and their `Packing`, that gives vectors, shape (batch, units), and the weights
of positions, shape (batch, length). Of a text without any token they mean nothing.
"""

import keras
import numpy as np
import tensorflow as tf

from zoo.inference.linear import Linear
from zoo.inference.norms import array

# Shape letters: B batch, L length, N real tokens, H heads, D head size, U units.

_PASSES = {
    keras.activations.linear: None,
    keras.activations.tanh: tf.nn.tanh,
    keras.activations.relu: tf.nn.relu,
}


def dense(layer) -> Linear:
    """A `Dense` as it is."""
    activation = _PASSES.get(layer.activation, layer.activation)
    return Linear(array(layer.kernel), array(layer.bias), activation)


def bert_pooling(model, folding):
    """The pooling of a `BertClassifier`, and its pooler."""
    make = {"attention": _attention, "mean": _mean, "first": _first}
    pool = make[model.pooling_name](model)
    if model.pooler is None:
        return pool
    pooler = dense(model.pooler)

    def pool_and_more(rows_NU, packing):
        vectors_BU, weights_BL = pool(rows_NU, packing)
        return pooler(vectors_BU), weights_BL

    return pool_and_more


def _attention(model):
    hidden = dense(model.pooling.hidden_dense)
    context_U1 = array(model.pooling.context_vector)[:, None]

    def pool(rows_NU, packing):
        scores_N1 = tf.matmul(hidden(rows_NU), context_U1)
        weights_B1L = packing.softmax(scores_N1)
        read_B1U = tf.matmul(weights_B1L, packing.unpack(rows_NU))
        return read_B1U[:, 0], weights_B1L[:, 0]

    return pool


def _mean(model):
    def pool(rows_NU, packing):
        weights_B1L = packing.softmax(tf.zeros_like(rows_NU[:, :1]))
        read_B1U = tf.matmul(weights_B1L, packing.unpack(rows_NU))
        return read_B1U[:, 0], weights_B1L[:, 0]

    return pool


def _first(model):
    def pool(rows_NU, packing):
        is_first_L = tf.equal(tf.range(packing.length), 0)
        weights_BL = tf.cast(packing.real_BL & is_first_L, rows_NU.dtype)
        return packing.first(rows_NU), weights_BL

    return pool


def query_pooling(model, folding):
    """The `QueryPooling` of a `TransformerClassifier`.

    As the query never changes, it goes into the keys' kernel, and a key is a number a
    head. As the weights of a text sum to 1, the values' product waits until one row a
    head is left of it.
    """
    attention, norm = model.pooling.attention, model.encoder_norm
    heads, size, units = model.num_heads, folding.head_size, model.units
    asked_U = array(model.pooling.query)[0] @ array(attention.query_dense.kernel)
    asked_HD = (asked_U + array(attention.query_dense.bias)).reshape(heads, size)
    keys_UHD = array(attention.key_dense.kernel).reshape(units, heads, size)
    kernel_UH = np.einsum("uhd,hd->uh", keys_UHD, asked_HD) * np.float32(size**-0.5)
    # A number added to all scores of a head changes no weight.
    score = folding.product(norm, kernel_UH, np.zeros(heads, "float32"))
    value = folding.projections(norm, attention, ["value"])
    values_HUD = value.kernel.reshape(units, heads, size).transpose(1, 0, 2)
    output = dense(attention.output_dense)

    def pool(rows_NU, packing):
        weights_BHL = packing.softmax(score(rows_NU))
        read_BHU = tf.matmul(weights_BHL, packing.unpack(rows_NU))
        read_BH1D = tf.matmul(read_BHU[:, :, None], values_HUD)
        read_BU = tf.reshape(read_BH1D, (-1, units)) + value.bias
        return output(read_BU), tf.reduce_mean(weights_BHL, axis=1)

    return pool

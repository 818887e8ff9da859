"""A trained Transformer that classifies texts, laid out again to read them fast."""
# What differs from the model, which gives the same numbers up to rounding:
# - normalisations and scales are folded into the weights, and a block's queries, keys
#   and values come from one product;
# - padding is left out of all that works on tokens one by one;
# - a large batch is read some texts at a time: the memory of smaller arrays is used
#   again, where that of large ones would be asked of the system anew for every array.

import numpy as np
import tensorflow as tf

from zoo.inference.embeddings import bert_embedding, sine_embedding
from zoo.inference.folded_encoder import FoldedEncoder
from zoo.inference.folding import Folding, HoldingFolding
from zoo.inference.layer_scope import layer_scope
from zoo.inference.norms import array
from zoo.inference.packing import Packing
from zoo.inference.poolings import bert_pooling, dense, query_pooling
from zoo.models import BertClassifier, TransformerClassifier

# Shape letters: B batch, L length, N real tokens, U units.

# Most numbers of the largest array, 8 MB.
_MOST_NUMBERS = 2**21
_PARTS = {
    BertClassifier: (bert_embedding, bert_pooling),
    TransformerClassifier: (sine_embedding, query_pooling),
}


class FoldedClassifier:
    """Reads and classifies as a model does, over the weights that it has now.

    Args:
        model: a built `zoo.models.BertClassifier` or `TransformerClassifier`.

    Attributes:
        variables: what it reads; smaller numbers are constants of the graph.

    Raises:
        ValueError: another model.
    """

    def __init__(self, model):
        if not self.has_layout(model):
            raise ValueError(
                f"A {type(model).__name__} has no folded layout. Use the model itself, "
                f"or one of: {', '.join(kind.__name__ for kind in _PARTS)}."
            )
        self.num_heads = model.num_heads
        self.hidden_size = model.hidden_size
        shape = model.encoder[0], model.units // model.num_heads
        folding = HoldingFolding(*shape)
        embedding, pooling = _PARTS[type(model)]
        self._embed = embedding(model, folding)
        self._encode = FoldedEncoder(model.encoder, folding)
        self._pool = pooling(model, Folding(*shape))
        # What the model makes of a text without any token.
        nothing_1U, _ = model.read(np.zeros((1, 1), "int32"))
        self._nothing_1U = array(nothing_1U)
        self._head = None if model.head is None else dense(model.head)
        self.variables = folding.variables

    @staticmethod
    def has_layout(model) -> bool:
        """Whether there is a folded layout of a model."""
        return type(model) in _PARTS

    def read(self, token_ids) -> tuple:
        """Reads texts.

        Args:
            token_ids: integers, shape (batch, length), 0 = padding.

        Returns:
            One vector a text, shape (batch, size), and the weights of the positions,
            shape (batch, length).
        """
        count, length = tf.unstack(tf.shape(token_ids))
        groups, size = self._groups(count, length)

        def read_group(group, vectors_BU, weights_BL):
            ids = token_ids[group * size : (group + 1) * size]
            vectors, weights = self._read_group(ids)
            vectors_BU = tf.concat([vectors_BU, vectors], axis=0)
            return group + 1, vectors_BU, tf.concat([weights_BL, weights], axis=0)

        nothing = tf.zeros((0, self._nothing_1U.shape[1])), tf.zeros((0, length))
        _, vectors_BU, weights_BL = tf.while_loop(
            lambda group, *_: group < groups,
            read_group,
            (0, *nothing),
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([None, self._nothing_1U.shape[1]]),
                tf.TensorShape([None, None]),
            ),
            parallel_iterations=1,
        )
        return vectors_BU, weights_BL

    def _groups(self, count, length):
        """How many groups of texts, and how many texts at most in each."""
        numbers = length * tf.maximum(self.hidden_size, self.num_heads * length)
        most = tf.maximum(_MOST_NUMBERS // numbers, 1)
        groups = tf.maximum(-(-count // most), 1)
        # As even as it can be: the last one would be small.
        return groups, -(-count // groups)

    def _read_group(self, token_ids):
        packing = Packing(token_ids, self.num_heads)
        with layer_scope("embedding"):
            rows_NU = self._embed(token_ids, packing)
        rows_NU = self._encode(rows_NU, packing)
        with layer_scope("pooling"):
            vectors_BU, weights_BL = self._pool(rows_NU, packing)
        weights_BL *= tf.cast(packing.real_BL, weights_BL.dtype)
        is_text_B1 = tf.reduce_any(packing.real_BL, axis=1, keepdims=True)
        return tf.where(is_text_B1, vectors_BU, self._nothing_1U), weights_BL

    def classify(self, vectors):
        """The head: vectors, shape (batch, size), to outputs, (batch, outputs)."""
        with layer_scope("head"):
            return self._head(vectors)

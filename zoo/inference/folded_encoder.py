"""The blocks of a Transformer's encoder, over the rows of a packed batch."""

import tensorflow as tf

from zoo.inference.folding import Folding, add
from zoo.inference.layer_scope import layer_scope

# Shape letters: B batch, L length, N real tokens, H heads, D head size, U units.


class FoldedEncoder:
    """An encoder's blocks over the weights that they have now.

    Args:
        blocks: built `zoo.layers.EncoderBlock`s.
        folding: for their norm and size.
    """

    def __init__(self, blocks, folding: Folding):
        self.norm = folding.norm
        self.blocks = [folding.encoder_block(block) for block in blocks]

    def __call__(self, rows_NU, packing):
        """States of the real tokens; what is left of a last normalisation is done.

        Args:
            rows_NU: embeddings, shape (tokens, units).
            packing: the `Packing` of the batch.
        """
        for block in self.blocks:
            with layer_scope(block["name"]):
                rows_NU = self._run(block, rows_NU, packing)
        return self.norm.before(rows_NU)

    def _run(self, block, rows_NU, packing):
        query, keys, values = packing.split_heads(
            block["heads"](self.norm.before(rows_NU)), 3
        )
        scores_BHLL = tf.matmul(query, keys, transpose_b=True)
        weights_BHLL = tf.nn.softmax(scores_BHLL + packing.mask_B11L)
        context_NU = packing.join_heads(tf.matmul(weights_BHLL, values))
        rows_NU = add(rows_NU, context_NU, *block["output"])
        hidden = block["hidden"](self.norm.before(rows_NU))
        return add(rows_NU, hidden, *block["last"])

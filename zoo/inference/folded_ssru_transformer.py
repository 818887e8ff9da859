"""A trained `SSRUTransformer` laid out again to decode fast in a TensorFlow graph."""
# As `FoldedTransformer`, except for what a decoder remembers: a vector a block and
# hypothesis, which is reordered, for nothing is smaller than it.

import numpy as np
import tensorflow as tf

from zoo.inference.folded_transformer import FoldedTransformer
from zoo.inference.folding import Folding
from zoo.inference.norms import array

# Shape letters: A sentences, K hypotheses of each, N = A x K rows, S source length,
# H heads, U units.


class FoldedSSRUTransformer(FoldedTransformer):
    """A `zoo.decoding.Stepper` over the weights that a model has now.

    Args:
        model: a built `zoo.models.SSRUTransformer`.
        max_positions: longest source or target.
        make_linear: makes a product from kernel, bias and activation.
    """

    def _fold_decoder(self, model, folding) -> list[dict]:
        self.alignment_head = model.alignment_head
        return [_decoder_block(block, folding) for block in model.decoder]

    def start(self, source_ids, rows: int):
        memory = self._read(source_ids)
        count = tf.shape(source_ids)[0]
        nothing = tf.zeros((count, rows, self.units))
        state = {
            # How many tokens there are already: the same of all sentences.
            "count": tf.zeros([count], tf.int32),
            "states": [nothing for _ in self.decoder],
        }
        return memory, state

    def step(self, token_ids, state, memory):
        rows = token_ids.shape[1]
        values = tf.gather(self.target_words, tf.reshape(token_ids, [-1]))
        values += tf.gather(self.positions, state["count"][0])
        states = []
        for index, block in enumerate(self.decoder):
            remembered = tf.reshape(state["states"][index], (-1, self.units))
            forget, update = tf.split(block["gates"](values), 2, axis=1)
            remembered = update + tf.sigmoid(forget) * (remembered - update)
            states.append(tf.reshape(remembered, (-1, rows, self.units)))
            values = block["after"](values + tf.nn.relu(remembered))
            (query,) = self._heads(block["query"](values), 1, rows)
            values, weights_AHKS = self._attend(
                values,
                query,
                memory["keys"][index],
                memory["values"][index],
                memory["mask"],
                block["memory_output"],
            )
            values = self._feed_forward(values, block)
        state = {"count": state["count"] + 1, "states": states}
        return self.output(values), state, self._aligned(weights_AHKS)

    def reorder(self, state, parents):
        states = [tf.gather(each, parents, batch_dims=1) for each in state["states"]]
        return state | {"states": states}

    def _aligned(self, weights_AHKS):
        if self.alignment_head is None:
            return tf.reduce_mean(weights_AHKS, axis=1)
        return weights_AHKS[:, self.alignment_head]


def _decoder_block(block, folding: Folding) -> dict:
    """The parts of a block with its normalisations behind them."""
    attention, recurrence = block.cross_attention, block.recurrence
    kernels = [
        array(dense.kernel)
        for dense in (recurrence.forget_dense, recurrence.update_dense)
    ]
    bias = array(recurrence.forget_dense.bias)
    return {
        "gates": folding.product(
            None,
            np.concatenate(kernels, axis=1),
            np.concatenate([bias, np.zeros_like(bias)]),
        ),
        "after": folding.norm.after(block.recurrence_norm),
        "query": folding.projections(None, attention, ["query"]),
        "memory": folding.projections(None, attention, ["key", "value"]),
        "memory_output": folding.update(
            attention.output_dense, block.cross_attention_norm
        ),
        **folding.feed_forward(block),
    }

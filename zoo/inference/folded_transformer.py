"""A trained `Transformer` laid out again to decode fast in a TensorFlow graph."""
# What differs from the model, which gives the same numbers up to rounding:
# - weights are constants, normalisations and scales are folded into them, and a block's
#   queries, keys and values come from one product;
# - the hypotheses of a sentence are queries side by side: the source's keys and values
#   are not repeated for each, and every product is one of matrices;
# - the cache is never reordered: it holds the keys and values of all beam slots, and
#   each hypothesis sees those of its own line alone.

import numpy as np
import tensorflow as tf

from zoo.decoding import gather_rows
from zoo.inference.linear import Linear
from zoo.inference.norms import NORMS, array
from zoo.ops.positions import sine_positions

# Shape letters: A sentences, K hypotheses of each, N = A x K rows, S source length,
# T target length so far, L either length, H heads, D head size, U = H D units.

_HIDDEN = -1e9


class FoldedTransformer:
    """A `zoo.decoding.Stepper` over the weights that a model has now.

    Args:
        model: a built `zoo.models.Transformer`.
        max_positions: longest source or target.
        make_linear: makes a product from kernel, bias and activation.
    """

    def __init__(self, model, max_positions: int = 512, make_linear=Linear):
        self.num_heads = model.num_heads
        self.units = model.units
        self.head_size = model.units // model.num_heads
        self.alignment_layer = model.alignment_layer
        self._norm = NORMS[model.norm](model.encoder[0].epsilon)
        self._make_linear = make_linear
        tables = self._tables(model, max_positions)
        self.source_words, self.target_words, self.positions = tables
        self.encoder = [self._encoder_block(block) for block in model.encoder]
        self.decoder = [
            self._decoder_block(block, model.encoder_norm) for block in model.decoder
        ]
        embeddings = array(model.target_embedding.embeddings)
        self.output = self._product(
            model.decoder_norm, embeddings.T, array(model.output_bias)
        )

    def start(self, source_ids, rows: int):
        mask_A11S = tf.where(tf.equal(source_ids, 0), _HIDDEN, 0.0)[:, None, None]
        count, length = tf.unstack(tf.shape(source_ids))
        values = tf.gather(self.source_words, source_ids)
        values += tf.constant(self.positions)[:length]
        values = tf.reshape(values, (-1, self.units))
        for block in self.encoder:
            heads = self._heads(block["heads"](self._norm.before(values)), 3, length)
            values, _ = self._attend(values, *heads, mask_A11S, block["output"])
            values = self._feed_forward(values, block)
        values = self._norm.before(values)
        memory = {"mask": mask_A11S, "keys": [], "values": []}
        for block in self.decoder:
            keys, source_values = self._heads(block["memory"](values), 2, length)
            memory["keys"].append(keys)
            memory["values"].append(source_values)
        nothing = tf.zeros((count, self.num_heads, 0, self.head_size))
        state = {
            "keys": [nothing for _ in self.decoder],
            "values": [nothing for _ in self.decoder],
        }
        if rows > 1:
            # Which slot each hypothesis held at each token.
            state["slots"] = tf.zeros((count, rows, 0), tf.int32)
        return memory, state

    def step(self, token_ids, state, memory):
        rows, mask = token_ids.shape[1], None
        values = tf.gather(self.target_words, tf.reshape(token_ids, [-1]))
        values += tf.gather(self.positions, tf.shape(state["keys"][0])[2] // rows)
        longer = {"keys": [], "values": []}
        if rows > 1:
            longer["slots"], mask = self._own_line(state["slots"], rows)
        for index, block in enumerate(self.decoder):
            query, keys, new = self._heads(
                block["heads"](self._norm.before(values)), 3, rows
            )
            keys = tf.concat([state["keys"][index], keys], axis=2)
            new = tf.concat([state["values"][index], new], axis=2)
            longer["keys"].append(keys)
            longer["values"].append(new)
            values, _ = self._attend(values, query, keys, new, mask, block["output"])
            (query,) = self._heads(block["query"](self._norm.before(values)), 1, rows)
            values, weights_AHKS = self._attend(
                values,
                query,
                memory["keys"][index],
                memory["values"][index],
                memory["mask"],
                block["memory_output"],
            )
            if index == self.alignment_layer:
                aligned_AKS = tf.reduce_mean(weights_AHKS, axis=1)
            values = self._feed_forward(values, block)
        return self.output(self._norm.before(values)), longer, aligned_AKS

    def reorder(self, state, parents):
        return state | {"slots": tf.gather(state["slots"], parents, batch_dims=1)}

    def keep(self, values, sentences):
        return gather_rows(values, sentences)

    def _own_line(self, slots_AKT, rows):
        """The slots with the one held now, and what hides the keys of others."""
        own_K = np.arange(rows, dtype="int32")
        now = tf.broadcast_to(own_K[:, None], [tf.shape(slots_AKT)[0], rows, 1])
        slots_AKT = tf.concat([slots_AKT, now], axis=2)
        # At each step the cache takes the keys of all slots, in their order.
        is_own_AKTK = tf.equal(tf.expand_dims(slots_AKT, 3), own_K)
        mask_AKTK = tf.where(is_own_AKTK, 0.0, _HIDDEN)
        # One row is (A, 1, K, T x K): the same for all heads.
        places = tf.shape(slots_AKT)[2] * rows
        return slots_AKT, tf.reshape(mask_AKTK, (-1, 1, rows, places))

    def _heads(self, rows_NU, parts: int, length):
        """Splits (A x L, parts x U) into that many of shape (A, H, L, D)."""
        heads, size = parts * self.num_heads, self.head_size
        if isinstance(length, int) and length == 1:
            heads_AHLD = tf.reshape(rows_NU, (-1, heads, 1, size))
        else:
            heads_ALHD = tf.reshape(rows_NU, (-1, length, heads, size))
            heads_AHLD = tf.transpose(heads_ALHD, (0, 2, 1, 3))
        return tf.split(heads_AHLD, parts, axis=1)

    def _attend(self, rows, query_AHLD, keys, values, mask, output):
        """Adds what the queries find; also returns their weights."""
        scores = tf.matmul(query_AHLD, keys, transpose_b=True)
        if mask is not None:
            scores += mask
        weights = tf.nn.softmax(scores)
        context_AHLD = tf.matmul(weights, values)
        if query_AHLD.shape[2] != 1:
            context_AHLD = tf.transpose(context_AHLD, (0, 2, 1, 3))
        context_NU = tf.reshape(context_AHLD, (-1, self.units))
        return self._add(rows, context_NU, *output), weights

    def _feed_forward(self, rows, block):
        hidden = block["hidden"](self._norm.before(rows))
        return self._add(rows, hidden, *block["last"])

    def _add(self, rows, inputs, product, after):
        rows = rows + product(inputs)
        return rows if after is None else after(rows)

    def _tables(self, model, max_positions):
        """Source words, target words and positions, as they are summed."""
        scale = np.float32(model.units**0.5)
        positions = sine_positions(
            np.arange(max_positions), model.units, layout=model.position_layout
        )
        source, target = model.source_embedding, model.target_embedding
        words = [self._norm.into_last(array(source.embeddings) * scale)]
        shared = source is target
        words.append(
            words[0]
            if shared
            else self._norm.into_last(array(target.embeddings) * scale)
        )
        return *words, self._norm.into_last(array(positions))

    def _encoder_block(self, block):
        return {
            "heads": self._projections(block.attention_norm, block.attention),
            "output": self._update(block.attention.output_dense, block.attention_norm),
            **self._feed_forward_parts(block),
        }

    def _decoder_block(self, block, encoder_norm):
        own, theirs = block.self_attention, block.cross_attention
        return {
            "heads": self._projections(block.self_attention_norm, own),
            "output": self._update(own.output_dense, block.self_attention_norm),
            "query": self._projections(block.cross_attention_norm, theirs, ["query"]),
            "memory": self._projections(encoder_norm, theirs, ["key", "value"]),
            "memory_output": self._update(
                theirs.output_dense, block.cross_attention_norm
            ),
            **self._feed_forward_parts(block),
        }

    def _feed_forward_parts(self, block):
        norm, part = block.feed_forward_norm, block.feed_forward
        hidden = part.hidden_dense
        is_relu = part.activation is tf.keras.activations.relu
        return {
            "hidden": self._product(
                norm,
                array(hidden.kernel),
                array(hidden.bias),
                tf.nn.relu if is_relu else part.activation,
            ),
            "last": self._update(part.output_dense, norm),
        }

    def _projections(self, norm, attention, parts=("query", "key", "value")):
        """Some of an attention's projections as one product of what is normalised."""
        kernels, biases = [], []
        for part in parts:
            dense = getattr(attention, f"{part}_dense")
            # Equation 1's division by the root of D.
            factor = np.float32(self.head_size**-0.5 if part == "query" else 1.0)
            kernels.append(array(dense.kernel) * factor)
            biases.append(array(dense.bias) * factor)
        return self._product(
            norm, np.concatenate(kernels, axis=1), np.concatenate(biases)
        )

    def _product(self, norm, kernel, bias, activation=None):
        if norm is not None:
            kernel, bias = self._norm.into_next(norm, kernel, bias)
        return self._make_linear(kernel, bias, activation)

    def _update(self, dense, norm):
        """The product whose result is added to the sum, and what follows the sum."""
        kernel, bias = (
            self._norm.into_last(array(weight)) for weight in (dense.kernel, dense.bias)
        )
        return self._make_linear(kernel, bias), self._norm.after(norm)

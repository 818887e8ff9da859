"""A trained `Transformer` laid out again to decode fast in a TensorFlow graph."""
# What differs from the model, which gives the same numbers up to rounding:
# - weights are constants, normalisations and scales are folded into them, and a block's
#   queries, keys and values come from one product;
# - the hypotheses of a sentence are queries side by side: the source's keys and values
#   are not repeated for each, and every product is one of matrices;
# - the source's padding is left out of all that works on tokens one by one;
# - the cache is never reordered: it holds the keys and values of all beam slots, and
#   each hypothesis sees those of its own line alone.

import numpy as np
import tensorflow as tf

from zoo.decoding import gather_rows
from zoo.inference.folded_encoder import FoldedEncoder
from zoo.inference.folding import Folding, add
from zoo.inference.layer_scope import layer_scope
from zoo.inference.linear import Linear
from zoo.inference.norms import array
from zoo.inference.packing import HIDDEN, Packing
from zoo.ops.positions import sine_positions

# Shape letters: A sentences, K hypotheses of each, N = A x K rows, S source length,
# T target length so far, H heads, D head size, U = H D units.


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
        folding = Folding(model.encoder[0], self.head_size, make_linear)
        self._norm = folding.norm
        tables = self._tables(model, max_positions)
        self.source_words, self.target_words, self.positions = tables
        self._encode = FoldedEncoder(model.encoder, folding)
        self.encoder = self._encode.blocks
        self.decoder = self._fold_decoder(model, folding)
        words = model.target_embedding
        kernel = (
            array(words.embeddings).T
            if model.tie_output
            else array(words.reverse_embeddings)
        )
        self.output = folding.product(
            model.decoder_norm, kernel, array(model.output_bias)
        )

    def _fold_decoder(self, model, folding) -> list[dict]:
        """The decoder's blocks; also takes over whose attention aligns."""
        self.alignment_layer = model.alignment_layer
        return [
            folding.decoder_block(block, model.encoder_norm) for block in model.decoder
        ]

    def start(self, source_ids, rows: int):
        memory = self._read(source_ids)
        count = tf.shape(source_ids)[0]
        nothing = tf.zeros((count, self.num_heads, 0, self.head_size))
        state = {
            "keys": [nothing for _ in self.decoder],
            "values": [nothing for _ in self.decoder],
        }
        if rows > 1:
            # Which slot each hypothesis held at each token.
            state["slots"] = tf.zeros((count, rows, 0), tf.int32)
        return memory, state

    def _read(self, source_ids) -> dict:
        """The source's mask, and its keys and values for each block of the decoder."""
        packing = Packing(source_ids, self.num_heads)
        values = tf.gather(self.source_words, packing.pack(source_ids))
        values += tf.gather(self.positions, packing.columns_N)
        values = self._encode(values, packing)
        memory = {"mask": packing.mask_B11L, "keys": [], "values": []}
        for block in self.decoder:
            keys, source_values = packing.split_heads(block["memory"](values), 2)
            memory["keys"].append(keys)
            memory["values"].append(source_values)
        return memory

    def step(self, token_ids, state, memory):
        rows, mask = token_ids.shape[1], None
        values = tf.gather(self.target_words, tf.reshape(token_ids, [-1]))
        values += tf.gather(self.positions, tf.shape(state["keys"][0])[2] // rows)
        longer = {"keys": [], "values": []}
        if rows > 1:
            longer["slots"], mask = self._own_line(state["slots"], rows)
        for index, block in enumerate(self.decoder):
            past = state["keys"][index], state["values"][index]
            source = memory["keys"][index], memory["values"][index], memory["mask"]
            with layer_scope(block["name"]):
                values, own, weights_AHKS = self._run(
                    block, values, past, mask, source, rows
                )
            longer["keys"].append(own[0])
            longer["values"].append(own[1])
            if index == self.alignment_layer:
                aligned_AKS = tf.reduce_mean(weights_AHKS, axis=1)
        return self.output(self._norm.before(values)), longer, aligned_AKS

    def reorder(self, state, parents):
        return state | {"slots": tf.gather(state["slots"], parents, batch_dims=1)}

    def keep(self, values, sentences):
        return gather_rows(values, sentences)

    def _run(self, block, values, past, mask, source, rows):
        """A block's rows, its keys and values with the new ones, and its alignment."""
        heads = block["heads"](self._norm.before(values))
        query, *new = self._heads(heads, 3, rows)
        own = [tf.concat(pair, axis=2) for pair in zip(past, new, strict=True)]
        values, _ = self._attend(values, query, *own, mask, block["output"])
        (query,) = self._heads(block["query"](self._norm.before(values)), 1, rows)
        output = block["memory_output"]
        values, weights_AHKS = self._attend(values, query, *source, output)
        return self._feed_forward(values, block), own, weights_AHKS

    def _own_line(self, slots_AKT, rows):
        """The slots with the one held now, and what hides the keys of others."""
        own_K = np.arange(rows, dtype="int32")
        now = tf.broadcast_to(own_K[:, None], [tf.shape(slots_AKT)[0], rows, 1])
        slots_AKT = tf.concat([slots_AKT, now], axis=2)
        # At each step the cache takes the keys of all slots, in their order.
        is_own_AKTK = tf.equal(tf.expand_dims(slots_AKT, 3), own_K)
        mask_AKTK = tf.where(is_own_AKTK, 0.0, HIDDEN)
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
        return add(rows, context_NU, *output), weights

    def _feed_forward(self, rows, block):
        hidden = block["hidden"](self._norm.before(rows))
        return add(rows, hidden, *block["last"])

    def _tables(self, model, max_positions):
        """Source words, target words and positions, as they are summed."""
        scale = np.float32(model.embedding_scale)
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

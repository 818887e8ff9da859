"""What the first block of a folded classifier is given.

Each function here makes another one, of ids (batch, length) and their `Packing`, that
gives the rows of the real tokens, shape (tokens, units).
"""

import numpy as np
import tensorflow as tf

from zoo.inference.norms import PostNorm, array
from zoo.ops.positions import sine_positions

# Shape letters: B batch, L length, N real tokens, U units.


def bert_embedding(model, folding):
    """Words, learnt positions and token types of a `BertClassifier`, normalised."""
    separator, length = model.separator_id, model.max_length
    last_type = max(model.num_token_types - 1, 0)
    words = folding.table(array(model.word_embedding.embeddings))
    places = array(model.position_embedding.embeddings)
    if model.type_embedding is not None:
        # One table of what a type and a position add to a word: a pass less.
        places = array(model.type_embedding.embeddings)[:, None] + places
        places = places.reshape(-1, model.units)
    normalize = PostNorm(model.epsilon).after(model.embedding_norm)

    def embed(token_ids, packing):
        rows_N = packing.columns_N
        if last_type:
            ends_BL = tf.cast(tf.equal(token_ids, separator), tf.int32)
            before_BL = tf.cumsum(ends_BL, axis=1, exclusive=True)
            rows_N += packing.pack(tf.minimum(before_BL, last_type)) * length
        words_NU = tf.gather(words, packing.pack(token_ids))
        return normalize(words_NU + tf.gather(places, rows_N))

    return embed


def sine_embedding(model, folding):
    """Words and sine positions of a `TransformerClassifier`."""
    scale = np.float32(model.units**0.5)
    words = array(model.embedding.embeddings) * scale
    words = folding.table(folding.norm.into_last(words))
    base, layout = model.positions.base, model.positions.layout

    def embed(token_ids, packing):
        # There is no longest text, and so no table.
        columns_N = packing.columns_N
        places_NU = sine_positions(columns_N, model.units, base, layout)
        words_NU = tf.gather(words, packing.pack(token_ids))
        return words_NU + folding.norm.into_last(places_NU)

    return embed

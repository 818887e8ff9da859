"""Hierarchical attention network (Yang et al., 2016, https://aclanthology.org/N16-1174)."""
# Departures from the paper:
# - words are subword pieces, and their embeddings are learnt with the rest, where the
#   paper starts from word2vec;
# - dropout on embeddings, on the sentences' vectors and before the head.

import keras
from keras import layers, ops

from zoo.layers import AttentionPooling
from zoo.models.recurrent import check_cell, make_bidirectional, read_recurrent
from zoo.models.text_classifier import TextClassifier
from zoo.ops.masking import padding_mask

# Shape letters: B batch, S sentences, W words of a sentence, U size of a state.


@keras.saving.register_keras_serializable(package="zoo")
class HierarchicalClassifier(TextClassifier):
    """Attention over the words of each sentence, then over the sentences.

    Use it for long documents: a recurrent layer never reads further than a sentence
    has words, and then than the document has sentences.

    Args:
        vocabulary_size: number of ids.
        num_outputs: numbers a text; 0 makes an encoder without a head.
        cell: "gru", the paper's, or "lstm".
        embedding_size: size of the embedding.
        units: size of each direction, of words and of sentences.
        attention_units: of both `AttentionPooling`s.
        embedding_dropout: on embeddings, rate in [0, 1).
        dropout: on the sentences' vectors and before the head.
        **kwargs: `name` and `dtype`, for `keras.Model`.

    Call arguments:
        inputs: dictionary of `token_ids`, shape (batch, sentences, words); sentences
            of nothing but padding do not count.
        training: whether dropout acts.

    Returns:
        See `TextClassifier`.

    Raises:
        ValueError: an unknown cell, or a size out of range.
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_outputs: int,
        cell: str = "gru",
        embedding_size: int = 200,
        units: int = 50,
        attention_units: int = 100,
        embedding_dropout: float = 0.2,
        dropout: float = 0.5,
        **kwargs,
    ):
        kwargs.setdefault("name", "hierarchical_classifier")
        super().__init__(num_outputs, dropout, **kwargs)
        check_cell(cell)
        self.vocabulary_size = vocabulary_size
        self.cell = cell
        self.embedding_size = embedding_size
        self.units = units
        self.attention_units = attention_units
        self.embedding_dropout_rate = embedding_dropout
        dtype = {"dtype": self.dtype_policy}
        self.embedding = self.make_embedding(vocabulary_size, embedding_size)
        self.embedding_dropout = layers.Dropout(
            embedding_dropout, name="embedding_dropout", **dtype
        )
        self.word_states = make_bidirectional(cell, units, "word_states", dtype)
        self.word_pooling = AttentionPooling(
            attention_units, name="word_pooling", **dtype
        )
        self.sentence_dropout = layers.Dropout(
            dropout, name="sentence_dropout", **dtype
        )
        self.sentence_states = make_bidirectional(cell, units, "sentence_states", dtype)
        self.sentence_pooling = AttentionPooling(
            attention_units, name="sentence_pooling", **dtype
        )

    def build(self, input_shape=None):
        size = 2 * self.units
        self.embedding.build((None, None))
        self.word_states.build((None, None, self.embedding_size))
        self.word_pooling.build((None, None, size))
        self.sentence_states.build((None, None, size))
        self.sentence_pooling.build((None, None, size))
        self.build_head(size)

    def read(self, token_ids, training=False):
        vectors_BU, words_BSW, sentences_BS = self.read_levels(token_ids, training)
        return vectors_BU, words_BSW * ops.expand_dims(sentences_BS, -1)

    def read_levels(self, token_ids, training=False) -> tuple:
        """What `read` gives, with the weights of words and of sentences apart.

        Returns:
            The vectors, shape (batch, size); the weights of each word in its sentence,
            shape (batch, sentences, words); those of the sentences, (batch, sentences).
        """
        batch, sentences, words = ops.shape(token_ids)
        ids_NW = ops.reshape(token_ids, (-1, words))
        mask_NW = padding_mask(ids_NW)
        values = self.embedding_dropout(self.embedding(ids_NW), training=training)
        values = read_recurrent(self.word_states, values, mask_NW, training)
        vectors_NU, weights_NW = self.word_pooling(values, key_mask=mask_NW)
        vectors_BSU = ops.reshape(vectors_NU, (batch, sentences, 2 * self.units))
        vectors_BSU = self.sentence_dropout(vectors_BSU, training=training)
        mask_BS = ops.any(padding_mask(token_ids), axis=-1)
        values = read_recurrent(self.sentence_states, vectors_BSU, mask_BS, training)
        vectors_BU, weights_BS = self.sentence_pooling(values, key_mask=mask_BS)
        weights_BSW = ops.reshape(weights_NW, (batch, sentences, words))
        return vectors_BU, weights_BSW, weights_BS

    def parts_by_depth(self):
        names = ("embedding", "word_states", "word_pooling", "sentence_states")
        return [f"{name}/.*" for name in (*names, "sentence_pooling", "head")]

    def get_config(self):
        config = super().get_config()
        config.update(
            vocabulary_size=self.vocabulary_size,
            num_outputs=self.num_outputs,
            cell=self.cell,
            embedding_size=self.embedding_size,
            units=self.units,
            attention_units=self.attention_units,
            embedding_dropout=self.embedding_dropout_rate,
            dropout=self.dropout,
        )
        return config

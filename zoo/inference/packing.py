"""A padded batch without its padding."""

import tensorflow as tf

from zoo.data.vocabulary import PADDING_ID

# Shape letters: B batch, L length, N real tokens, P parts, H heads, D head size,
# X any size.

# Added to the scores of padding: small enough for a weight of exactly zero.
HIDDEN = -1e9


class Packing:
    """Where the real tokens of a padded batch stand.

    A Transformer needs the batch's shape only where tokens look at each other. All
    else works on rows, one a real token. Nothing is lost where there is no padding:
    the heads have to change places anyway, and are fetched from where they stand.

    Args:
        token_ids: shape (batch, length), 0 = padding. The first position of each row
            counts as real, so that no row is without any.
        num_heads: heads of every attention.

    Attributes:
        real_BL: booleans, True = not padding.
        mask_B11L: what to add to scores.
        columns_N: the position of each row in its text.
    """

    def __init__(self, token_ids, num_heads: int):
        self.num_heads = num_heads
        self.length = tf.shape(token_ids)[1]
        self.real_BL = tf.not_equal(token_ids, PADDING_ID)
        self.mask_B11L = tf.where(self.real_BL, 0.0, HIDDEN)[:, None, None]
        columns_L = tf.range(self.length)
        kept_BL = tf.reshape(self.real_BL | tf.equal(columns_L, 0), [-1])
        self._places_N = tf.cast(tf.where(kept_BL)[:, 0], tf.int32)
        rows_BL = tf.cumsum(tf.cast(kept_BL, tf.int32)) - 1
        # Padding fetches some row, which the mask hides.
        self._rows_BL = tf.reshape(rows_BL, tf.shape(token_ids))
        self.columns_N = self._places_N % self.length
        self._heads: dict = {}

    def pack(self, values_BL):
        """(B, L) to (N,)."""
        return tf.gather(tf.reshape(values_BL, [-1]), self._places_N)

    def unpack(self, rows_NX):
        """(N, X) to (B, L, X); what stands at padding has no meaning."""
        return tf.gather(rows_NX, self._rows_BL)

    def first(self, rows_NX):
        """(N, X) to (B, X): the first position of each text."""
        return tf.gather(rows_NX, self._rows_BL[:, 0])

    def softmax(self, scores_NH):
        """Scores of tokens, shape (N, H), to their weights in texts, (B, H, L)."""
        scores_BHL = tf.transpose(self.unpack(scores_NH), (0, 2, 1))
        return tf.nn.softmax(scores_BHL + self.mask_B11L[:, 0])

    def split_heads(self, rows_NX, parts: int) -> list:
        """(N, P x H x D) to as many parts, each of shape (B, H, L, D)."""
        heads = parts * self.num_heads
        if parts not in self._heads:
            numbers = tf.reshape(tf.range(heads), (parts, 1, self.num_heads, 1))
            self._heads[parts] = numbers + heads * self._rows_BL[:, None]
        rows_AD = tf.reshape(rows_NX, (-1, rows_NX.shape[1] // heads))
        return tf.unstack(tf.gather(rows_AD, self._heads[parts]))

    def join_heads(self, values_BHLD):
        """(B, H, L, D) to (N, H x D)."""
        if "join" not in self._heads:
            first_N = self._places_N // self.length * self.num_heads
            rows_NH = first_N[:, None] + tf.range(self.num_heads)
            self._heads["join"] = rows_NH * self.length + self.columns_N[:, None]
        size = values_BHLD.shape[3]
        rows_NHD = tf.gather(tf.reshape(values_BHLD, (-1, size)), self._heads["join"])
        return tf.reshape(rows_NHD, (-1, self.num_heads * size))

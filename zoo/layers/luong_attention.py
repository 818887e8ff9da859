"""Multiplicative attention and its kin (Luong et al., 2015)."""
# https://arxiv.org/abs/1508.04025. Departures from the paper:
# - "concat" holds W_a in two halves, one for the query and one for the keys, so that
#   the keys' half is multiplied once a sentence; the product is the same;
# - "location" knows `max_keys` positions and gives none beyond them any weight, where
#   the paper says that long sentences lose their ends;
# - "cosine" (Graves et al., 2014, section 3.3.1, content-based addressing) learns one
#   sharpness for all queries; there the controller emits one a step.

import keras
from keras import layers, ops

from zoo.layers.scored_attention import ScoredAttention
from zoo.ops.attention import additive_scores, cosine_scores, dot_scores

# Shape letters: B batch, Q query length, K key length, U units, D value size.

SCORES = (
    "dot",
    "scaled_dot",
    "general",
    "scaled_general",
    "concat",
    "location",
    "cosine",
)
PROJECTED = ("general", "scaled_general", "concat")
SAME_SIZE = ("dot", "scaled_dot", "cosine")
START_GAIN = {"scaled_general": 1.0, "cosine": 10.0}


@keras.saving.register_keras_serializable(package="zoo")
class LuongAttention(ScoredAttention):
    """Attention by one of the scores of Luong et al. (2015) through one of its windows.

    For a query h and a key s (section 3.1):

    - "dot": h . s, for queries and values of one size;
    - "scaled_dot": h . s / sqrt(size) (Vaswani et al., 2017, equation 1);
    - "general": h . W s, the cheapest for queries and values of different sizes;
    - "scaled_general": g (h . W s) with a learnt number g that starts at 1, the
      "scaled Luong" attention;
    - "concat": v . tanh(W [h; s]), the additive score;
    - "location": row s of W h, which does not look at the keys (equation 8);
    - "cosine": b h . s / (|h| |s|) with a learnt sharpness b that starts at 10.

    Args:
        score: one of those names.
        units: size of the hidden layer of "concat"; the query's size when `None`.
        max_keys: how many positions "location" can give weight to.
        **kwargs: `window` and `window_width`, for `ScoredAttention`; `name`, `dtype`
            and the like, for `keras.layers.Layer`.

    Call arguments:
        query: shape (batch, queries, query_size).
        values: shape (batch, keys, value_size).
        key_mask: booleans, shape (batch, keys), True = may be attended to.
        keys: what `project_keys(values)` returned, or `None`.
        query_positions: see `ScoredAttention`.

    Returns:
        The context, shape (batch, queries, value_size), and the attention weights,
        shape (batch, queries, keys).

    Raises:
        ValueError: an unknown `score`, `units` or `max_keys` that are not positive, or
            sizes that a score cannot compare.

    Example:
        >>> attention = LuongAttention("general", window="local_p", window_width=10)
        >>> context, weights = attention(query, values, key_mask=key_mask)
    """

    def __init__(
        self,
        score: str = "general",
        units: int | None = None,
        max_keys: int = 128,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if score not in SCORES:
            raise ValueError(
                f"score must be one of {', '.join(SCORES)}. Received: score={score!r}."
            )
        if max_keys < 1 or (units is not None and units < 1):
            raise ValueError(
                "units and max_keys must be positive integers. "
                f"Received: units={units}, max_keys={max_keys}."
            )
        self.score = score
        self.units = units
        self.max_keys = max_keys

    def build_scores(self, query_shape, values_shape):
        query_size, value_size = query_shape[-1], values_shape[-1]
        if self.score in SAME_SIZE and query_size != value_size:
            raise ValueError(
                f"score={self.score!r} compares queries and values of one size. "
                f"Received: query size {query_size}, value size {value_size}. Use "
                "score='general', or project one of them first."
            )
        if self.score == "concat":
            self.query_dense = self._dense(self.units or query_size, "query")
            self.query_dense.build(query_shape)
            self.score_vector = self.add_weight(
                shape=(self.units or query_size,),
                initializer="glorot_uniform",
                name="score_vector",
            )
        if self.score == "location":
            self.location_dense = self._dense(self.max_keys, "location")
            self.location_dense.build(query_shape)
        if self.score in PROJECTED:
            units = (self.units or query_size) if self.score == "concat" else query_size
            self.key_dense = self._dense(units, "key")
            self.key_dense.build(values_shape)
        if self.score in START_GAIN:
            self.score_gain = self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(START_GAIN[self.score]),
                name="score_gain",
            )

    def _dense(self, units, name):
        return layers.Dense(units, use_bias=False, dtype=self.dtype_policy, name=name)

    def project_keys(self, values):
        """Projects values once for many calls; the layer must be built.

        Returns:
            (batch, keys, query_size), for "concat" (batch, keys, units); for scores
            that compare with the values themselves, the values.
        """
        if self.score not in PROJECTED:
            return values
        if not self.built:
            raise ValueError(
                f"The keys of score={self.score!r} are projected to the query's size, "
                "which the layer learns when it is built. Call the layer once, or its "
                "build(query_shape, values_shape), before project_keys."
            )
        return self.key_dense(values)

    def scores(self, query, keys):
        if self.score == "concat":
            return additive_scores(self.query_dense(query), keys, self.score_vector)
        if self.score == "location":
            return self._location_scores(query, ops.shape(keys)[1])
        if self.score == "cosine":
            return self.score_gain * cosine_scores(query, keys)
        if self.score == "scaled_dot":
            query = query * query.shape[-1] ** -0.5
        scores_BQK = dot_scores(query, keys)
        if self.score == "scaled_general":
            return self.score_gain * scores_BQK
        return scores_BQK

    def _location_scores(self, query, num_keys):
        # The last position stands in for those beyond it, which `reach` hides.
        positions_K = ops.minimum(ops.arange(num_keys), self.max_keys - 1)
        return ops.take(self.location_dense(query), positions_K, axis=-1)

    def reach(self, num_keys):
        if self.score == "location":
            return ops.arange(num_keys) < self.max_keys
        return None

    def get_config(self):
        config = super().get_config()
        config.update(score=self.score, units=self.units, max_keys=self.max_keys)
        return config

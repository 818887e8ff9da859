"""Multi-head attention (Vaswani et al., 2017, https://arxiv.org/abs/1706.03762)."""
# Departures from the paper (section 3.2.2):
# - the products have biases, as in every public checkpoint; `use_bias=False` for none.
# - dropout on the weights is not in the paper but in the authors' code.
# - key and value heads may be fewer than query heads (Ainslie et al., 2023).

import keras
from keras import layers, ops

from zoo.layers.position_scheme import PositionScheme
from zoo.ops.banded_attention import banded_attention
from zoo.ops.blockwise_attention import blockwise_attention
from zoo.ops.dot_product_attention import dot_product_attention
from zoo.ops.relative import distances

# Shape letters: B batch, H query heads, G key and value heads, Q query length,
# K key length, L either length, D head size, U = H D units, R relative distances.

PATHS = ("auto", "full", "blockwise", "banded")
# From this many scores a head on (64 MB in float32) memory matters more than the tenth
# of the time that the blockwise path may cost.
BLOCKWISE_FROM = 4096 * 4096
# From this many window widths on, the banded path is the faster one.
BANDED_FROM = 8


@keras.saving.register_keras_serializable(package="zoo")
class MultiHeadAttention(layers.Layer):
    """Scaled dot-product attention in several heads, for self- and cross-attention.

    Use it in Transformers. Nothing is remembered between calls: for decoding step by
    step, `project` and `extend` make the cache that `call` attends to.

    With `causal=True` the queries are the last of the keys: query number q of Q stands
    at position K - Q + q of K keys. Otherwise the first query stands at position 0.

    Args:
        num_heads: number of query heads.
        units: size of all query heads together; a head has `units // num_heads`.
        num_key_value_heads: number of key and value heads, by default `num_heads`.
            Fewer give grouped-query attention, 1 multi-query attention.
        output_size: size of the output, by default that of the query.
        dropout: rate at which weights are dropped while training.
        use_bias: whether the four products have biases.
        causal: a query sees no later position than its own.
        window_width: a query at p sees only the keys at p - window_width to
            p + window_width; `None` for any distance.
        positions: a `PositionScheme`, such as `RotaryPositions`, or `None`.
        path: how the same numbers are computed: "full" holds all weights of all heads
            at once, "auto" chooses (see `path_for`).
        **kwargs: `name`, `dtype` and the like, for `keras.layers.Layer`.

    Call arguments:
        query: shape (batch, queries, query_size).
        values: shape (batch, keys, value_size), by default the query.
        keys: what is compared with the queries where that is not the values
            themselves, shape (batch, keys, key_size).
        key_mask: booleans, shape (batch, keys), True = may be attended to.
        attention_mask: booleans, shape (batch, queries, keys).
        cache: what `project` or `extend` returned, in place of values and keys.
        return_weights: also return the weights.
        training: whether weights are dropped.

    Returns:
        The output, shape (batch, queries, output_size). With `return_weights` a pair of
        it and the weights as they were applied (after dropout), shape
        (batch, num_heads, queries, keys). A query that may see no key gets weights of
        zero, and the bias of the output product as its output.

    Raises:
        ValueError: sizes do not divide, or options do not go together.

    Example:
        >>> attention = MultiHeadAttention(num_heads=8, units=512, causal=True)
        >>> output = attention(tokens)
        >>> cache = attention.project(tokens[:, :1])  # ... and later, one by one:
        >>> cache = attention.extend(cache, tokens[:, 1:2])
        >>> output = attention(tokens[:, 1:2], cache=cache)
    """

    def __init__(
        self,
        num_heads: int,
        units: int,
        num_key_value_heads: int | None = None,
        output_size: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        causal: bool = False,
        window_width: int | None = None,
        positions: PositionScheme | None = None,
        path: str = "auto",
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check_sizes(num_heads, units, num_key_value_heads)
        _check_options(window_width, positions, path)
        self.num_heads = num_heads
        self.units = units
        self.num_key_value_heads = num_key_value_heads or num_heads
        self.output_size = output_size
        self.dropout = dropout
        self.use_bias = use_bias
        self.causal = causal
        self.window_width = window_width
        self.positions = positions
        # Keras keeps `Layer.path` for the address of the layer.
        self.asked_path = path
        self.head_size = units // num_heads
        key_units = self.num_key_value_heads * self.head_size
        self.query_dense = self._dense(units, "query")
        self.key_dense = self._dense(key_units, "key")
        self.value_dense = self._dense(key_units, "value")
        self.output_dense = None
        if output_size is not None:
            self.output_dense = self._dense(output_size, "output")
        self.weight_dropout = layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def _dense(self, size, name):
        return layers.Dense(
            size, use_bias=self.use_bias, dtype=self.dtype_policy, name=name
        )

    def build(self, query_shape, values_shape=None, keys_shape=None):
        values_shape = values_shape or query_shape
        self.query_dense.build(query_shape)
        # `project` may have been called before the layer itself.
        if not self.key_dense.built:
            self.key_dense.build(keys_shape or values_shape)
        if not self.value_dense.built:
            self.value_dense.build(values_shape)
        if self.output_dense is None:
            self.output_dense = self._dense(query_shape[-1], "output")
        self.output_dense.build((None, None, self.units))
        if self.positions is not None and not self.positions.built:
            self.positions.build((None, self.num_heads, None, self.head_size))

    def project(self, values, keys=None) -> dict:
        """Projects values and keys once for many calls.

        Args:
            values: shape (batch, keys, value_size).
            keys: shape (batch, keys, key_size), by default the values.

        Returns:
            A cache: "keys" and "values", each of shape
            (batch, num_key_value_heads, keys, head_size).
        """
        return self._project(values, keys)

    def extend(self, cache: dict, values, keys=None) -> dict:
        """Returns a longer cache: what is given comes after what it holds."""
        more = self._project(values, keys, start=ops.shape(cache["keys"])[2])
        return {
            name: ops.concatenate([cache[name], more[name]], axis=2) for name in more
        }

    def _project(self, values, keys=None, start=0):
        keys_BKU = self.key_dense(values if keys is None else keys)
        keys_BGKD = self._turned(self._split(keys_BKU), start)
        return {"keys": keys_BGKD, "values": self._split(self.value_dense(values))}

    def path_for(
        self,
        num_queries: int | None,
        num_keys: int | None,
        return_weights: bool = False,
        training: bool = False,
    ) -> str:
        """Tells how a call would be computed, from sizes that are known beforehand.

        Args:
            num_queries: number of queries, `None` where it is not known.
            num_keys: number of keys, `None` where it is not known.
            return_weights: whether the weights are asked for.
            training: whether weights are dropped.
        """
        path = self.asked_path
        holds_all = self._reason_to_hold_all_weights(return_weights, training)
        if path in ("blockwise", "banded") and holds_all:
            raise ValueError(
                f'path="{path}" never holds all weights, but {holds_all}. '
                'Use path="auto" or path="full".'
            )
        if path == "banded" and num_queries != num_keys:
            raise ValueError(
                'path="banded" is for self-attention: as many queries as keys. Use '
                'path="auto" for cross-attention and decoding with a cache. '
                f"Received: {num_queries} queries, {num_keys} keys."
            )
        if path != "auto" or holds_all or None in (num_queries, num_keys):
            return "full" if path == "auto" else path
        narrow = self.window_width is not None and (
            num_keys >= BANDED_FROM * max(self.window_width, 1)
        )
        if narrow and num_queries == num_keys:
            return "banded"
        return "blockwise" if num_queries * num_keys >= BLOCKWISE_FROM else "full"

    def _reason_to_hold_all_weights(self, return_weights, training):
        if return_weights:
            return "return_weights=True asks for them"
        if training and self.dropout:
            return f"dropout={self.dropout} drops some of them while training"
        if self.positions is not None and self.positions.needs_all_weights:
            return f"positions={type(self.positions).__name__}() works on them"
        return None

    def call(
        self,
        query,
        values=None,
        keys=None,
        key_mask=None,
        attention_mask=None,
        cache=None,
        return_weights=False,
        training=False,
    ):
        if cache is None:
            cache = self._project(query if values is None else values, keys)
        keys_BGKD, values_BGKD = cache["keys"], cache["values"]
        num_queries, num_keys = ops.shape(query)[1], ops.shape(keys_BGKD)[2]
        offset = num_keys - num_queries if self.causal else 0
        query_BHQD = self._turned(self._split(self.query_dense(query)), offset)
        path = self.path_for(
            query.shape[1], keys_BGKD.shape[2], return_weights, training
        )
        bias_HR, keys_RD, values_RD = self._relative(
            distances(num_queries, num_keys, offset)
        )
        heads = (query_BHQD, keys_BGKD, values_BGKD)
        options = {
            "bias_HR": bias_HR,
            "causal": self.causal,
            "window_width": self.window_width,
            "key_mask": key_mask,
            "attention_mask": attention_mask,
        }
        weights_BHQK = None
        if path == "banded":
            context_BHQD = banded_attention(*heads, **options)
        elif path == "blockwise":
            context_BHQD = blockwise_attention(*heads, **options, offset=offset)
        else:
            context_BHQD, weights_BHQK = dot_product_attention(
                *heads,
                **options,
                offset=offset,
                relative_keys_RD=keys_RD,
                relative_values_RD=values_RD,
                drop=self._drop if training else None,
            )
        context_BQHD = ops.transpose(context_BHQD, (0, 2, 1, 3))
        batch = ops.shape(query)[0]
        output = self.output_dense(
            ops.reshape(context_BQHD, (batch, num_queries, self.units))
        )
        return (output, weights_BHQK) if return_weights else output

    def _split(self, heads_BLU):
        """Splits the last axis into heads: shape (batch, heads, length, head_size)."""
        batch, length, units = ops.shape(heads_BLU)
        heads = units // self.head_size
        heads_BLHD = ops.reshape(heads_BLU, (batch, length, heads, self.head_size))
        return ops.transpose(heads_BLHD, (0, 2, 1, 3))

    def _turned(self, heads_BHLD, start):
        if self.positions is None:
            return heads_BHLD
        return self.positions.turn(heads_BHLD, start)

    def _relative(self, distances_R):
        """What the position scheme adds to the scores, the keys and the values."""
        if self.positions is None:
            return None, None, None
        return (
            self.positions.relative_bias(distances_R),
            self.positions.relative_keys(distances_R),
            self.positions.relative_values(distances_R),
        )

    def _drop(self, weights):
        return self.weight_dropout(weights, training=True)

    def compute_output_spec(
        self,
        query,
        values=None,
        keys=None,
        key_mask=None,
        attention_mask=None,
        cache=None,
        return_weights=False,
        training=False,
    ):
        batch, num_queries, query_size = query.shape
        output = keras.KerasTensor(
            (batch, num_queries, self.output_size or query_size),
            dtype=self.compute_dtype,
        )
        if not return_weights:
            return output
        if cache is not None:
            num_keys = cache["keys"].shape[2]
        else:
            num_keys = (query if values is None else values).shape[1]
        weights = keras.KerasTensor(
            (batch, self.num_heads, num_queries, num_keys), dtype=self.compute_dtype
        )
        return output, weights

    def get_build_config(self):
        # Keras would note the shapes of one call, and a call with a cache has no keys.
        sizes = {
            "query_shape": self.query_dense,
            "values_shape": self.value_dense,
            "keys_shape": self.key_dense,
        }
        return {
            name: (None, None, dense.kernel.shape[0]) for name, dense in sizes.items()
        }

    def build_from_config(self, config):
        self.build(**config)

    def get_config(self):
        config = super().get_config()
        config.update(
            num_heads=self.num_heads,
            units=self.units,
            num_key_value_heads=self.num_key_value_heads,
            output_size=self.output_size,
            dropout=self.dropout,
            use_bias=self.use_bias,
            causal=self.causal,
            window_width=self.window_width,
            positions=keras.saving.serialize_keras_object(self.positions),
            path=self.asked_path,
        )
        return config

    @classmethod
    def from_config(cls, config):
        positions = keras.saving.deserialize_keras_object(config["positions"])
        return cls(**{**config, "positions": positions})


def _check_sizes(num_heads, units, num_key_value_heads):
    if num_heads < 1 or units < 1 or units % num_heads:
        raise ValueError(
            "units must be a positive multiple of num_heads, so that every head has "
            f"the same size. Received: units={units}, num_heads={num_heads}."
        )
    if num_key_value_heads is None:
        return
    if num_key_value_heads < 1 or num_heads % num_key_value_heads:
        raise ValueError(
            "num_key_value_heads must divide num_heads: each serves the same number "
            f"of query heads. Received: num_key_value_heads={num_key_value_heads}, "
            f"num_heads={num_heads}."
        )


def _check_options(window_width, positions, path):
    if window_width is not None and window_width < 0:
        raise ValueError(
            "window_width must be 0 or more, or None for no window. "
            f"Received: window_width={window_width}."
        )
    if positions is not None and not isinstance(positions, PositionScheme):
        raise ValueError(
            "positions must be a PositionScheme, such as RotaryPositions(), or None. "
            f"Received: positions={positions!r}."
        )
    if path not in PATHS:
        raise ValueError(f"path must be one of {PATHS}. Received: path={path!r}.")
    if path == "banded" and window_width is None:
        raise ValueError(
            'path="banded" is for a window: give window_width, or use path="auto". '
            "Received: window_width=None."
        )

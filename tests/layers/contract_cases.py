"""What `test_contract.py` asks of each layer: cases, written down and not found out.

Axes are letters, and every letter of a case is a different number, nearly all of them
primes, so that no two axes can be swapped unseen. "BLl" is a square: `l` is as long as
`L`, and says that these are the keys of self-attention.
"""

import dataclasses
from collections.abc import Callable, Mapping

import keras
from keras import ops

from zoo.layers import (
    SSRU,
    ALiBiPositions,
    AlignmentWindow,
    AnchorDecoderBlock,
    AttentionCell,
    AttentionPooling,
    BahdanauAttention,
    BucketedPositions,
    ConditionalAttention,
    ConvNorm,
    DecoderBlock,
    EncoderBlock,
    FeedForward,
    FrozenBatchNorm,
    HardAttention,
    LuongAttention,
    LuongCell,
    MultiHeadAttention,
    PositionEmbedding,
    PositionScheme,
    QueryPooling,
    RelativePositions,
    RotaryPositions,
    SinePositions,
    SinePositions2D,
    SpatiallyModulatedAttention,
    SSRUDecoderBlock,
)
from zoo.layers.alignment_window import WINDOWS
from zoo.layers.luong_attention import SAME_SIZE, SCORES
from zoo.layers.multi_head_attention import PATHS

SIZES = {
    "1": 1,
    # Batch, queries, keys, length of self-attention.
    **{"B": 2, "Q": 3, "K": 5, "L": 11},
    # Sizes of a query, a value, a key, a word, a cell's state, what a cell returns.
    **{"G": 7, "D": 13, "C": 17, "E": 23, "H": 19, "A": 29},
    # Heads; even sizes and one divisible by 4, for pairs of sine and cosine; a map.
    **{"N": 4, "S": 14, "F": 20, "Y": 3, "X": 5},
}
# Lengths that graphs are not told beforehand.
LENGTHS = "QKLYX"
HEAD_SIZE = 6
DROPOUT = 0.3


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer, what it is asked, and which properties its answers have.

    Args:
        name: of the test.
        make: makes the layer, given `dtype`.
        inputs: axes by name, with a type where it is not float: "BK bool".
        outputs: axes by name, with a type where it is not the layer's own.
        ask: gives the outputs, in order; by default calls the layer with the inputs.
        build: what the layer is built with, where a call does not do.
        drops: it has dropout, and takes `training`.
        returns_weights: it takes `return_weights`, and returns only its first output
            without.
        weights: outputs that are attention weights, keys last, each with the inputs
            that mask those keys.
        zeros: outputs that are zero in a row whose every key is masked.
        extended: letters of the keys that further masked ones may follow, each group
            at once.
        causal: letters along which what comes later changes nothing earlier; the first
            is that of the outputs.
        ignored: inputs of which only the shape counts.
        known: letters of lengths that even a graph must know.
        slopes: outputs that gradients are taken of; by default all of floats.
        follows: makes the layer whose gradients this one has, if not its own.
        learns: anything has a gradient.
        exact: float64 is float64 all the way.
        sizes: other sizes than the usual.
        scale: of random weights; large ones make narrow Gaussians, and these multiply
            what half precision rounds.
    """

    name: str
    make: Callable
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    ask: Callable | None = None
    build: tuple | None = None
    drops: bool = False
    returns_weights: bool = False
    weights: Mapping[str, str] = dataclasses.field(default_factory=dict)
    zeros: tuple[str, ...] = ()
    extended: tuple[str, ...] = ()
    causal: str = ""
    ignored: tuple[str, ...] = ()
    known: str = ""
    slopes: tuple[str, ...] | None = None
    follows: Callable | None = None
    learns: bool = True
    exact: bool = True
    sizes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    scale: float = 0.5

    def run(self, layer, inputs, training=None, return_weights=True) -> dict:
        """Asks the layer; outputs by name."""
        options = {}
        if self.drops and training is not None:
            options["training"] = training
        if self.returns_weights:
            options["return_weights"] = return_weights
        ask = self.ask or (lambda layer, **asked: layer(**asked))
        answer = keras.tree.flatten(ask(layer, **inputs, **options))
        names = list(self.outputs)
        if not return_weights and self.returns_weights:
            names = names[:1]
        return dict(zip(names, answer, strict=True))

    def built(self, inputs, dtype, make=None):
        layer = (make or self.make)(dtype=dtype)
        if self.build is not None:
            layer.build(*self.build)
        self.run(layer, inputs)
        return layer

    def axes(self, name) -> str:
        return {**self.inputs, **self.outputs}[name].split(" ")[0]

    def dtype(self, name, floats) -> str:
        _, _, dtype = {**self.inputs, **self.outputs}[name].partition(" ")
        if dtype == "share":
            return "float32"
        return dtype or floats

    def size(self, letter) -> int:
        sizes = SIZES | dict(self.sizes)
        return sizes[letter] if letter in sizes else sizes[letter.upper()]

    def shape(self, name, unknown="") -> tuple:
        return tuple(
            None if letter in unknown else self.size(letter)
            for letter in self.axes(name)
        )

    @property
    def unknown(self) -> str:
        """Letters whose sizes a graph is not told."""
        lengths = "B" + LENGTHS + LENGTHS.lower()
        return "".join(x for x in lengths if x.upper() not in self.known)

    def make_inputs(self, rng, dtype="float32", **sizes) -> dict:
        case = dataclasses.replace(self, sizes={**self.sizes, **sizes})
        return {name: case._make_input(name, rng, dtype) for name in self.inputs}

    def make_slopes(self, rng) -> dict:
        """Random numbers to multiply the outputs with."""
        return {
            name: rng.normal(size=self.shape(name))
            for name in self.slopes or self.outputs
            if self.dtype(name, "float") != "bool"
        }

    def _make_input(self, name, rng, floats):
        shape, dtype = self.shape(name), self.dtype(name, floats)
        if self.inputs[name].endswith(" share"):
            # Places and sizes relative to an image.
            return rng.uniform(0.1, 0.9, size=shape).astype(dtype)
        if dtype == "bool":
            mask = rng.random(shape) < 0.7
            # The first key is visible and the third is not: a mask with a hole.
            mask[..., 0] = True
            mask[..., 2:3] = False
            return mask
        if dtype == "int32":
            return rng.integers(0, 7, size=shape).astype("int32")
        return rng.normal(size=shape).astype(dtype)

    def __str__(self):
        return self.name


SCORED = {
    "inputs": {"query": "BQG", "values": "BKD", "key_mask": "BK bool"},
    "outputs": {"context": "BQD", "weights": "BQK"},
    "weights": {"weights": "key_mask"},
    "zeros": ("context", "weights"),
    "extended": ("K",),
    # No query knows of another.
    "causal": "Q",
}
ONE_SIZE = SCORED | {"inputs": SCORED["inputs"] | {"query": "BQD"}}


def _scored(name, make, **fields):
    return Case(name, make, **{**SCORED, **fields})


def luong_cases():
    for score in SCORES:
        for window in WINDOWS:

            def make(score=score, window=window, **options):
                return LuongAttention(
                    score,
                    # For "concat" alone, and for "location" alone.
                    units=19 if score == "concat" else None,
                    max_keys=4,
                    window=window,
                    window_width=2,
                    **options,
                )

            shared = ONE_SIZE if score in SAME_SIZE else SCORED
            yield Case(f"luong {score} {window}", make, **shared)


def bahdanau_cases():
    for normalize in (False, True):
        for window in WINDOWS:

            def make(normalize=normalize, window=window, **options):
                return BahdanauAttention(
                    19, normalize=normalize, window=window, window_width=2, **options
                )

            kind = "normed bahdanau" if normalize else "bahdanau"
            yield _scored(f"{kind} {window}", make)


def other_scored_cases():
    yield _scored(
        "bahdanau without a mask",
        lambda **options: BahdanauAttention(19, **options),
        inputs={"query": "BQG", "values": "BKD"},
        weights={},
        zeros=(),
        extended=(),
    )
    yield _scored(
        "luong local_m with positions",
        lambda **options: LuongAttention(window="local_m", window_width=3, **options),
        inputs=SCORED["inputs"] | {"query_positions": "BQ int32"},
    )
    yield _scored(
        "luong local_p without a mask",
        lambda **options: LuongAttention(window="local_p", window_width=3, **options),
        inputs={"query": "BQG", "values": "BKD"},
        weights={},
        zeros=(),
        extended=(),
    )
    for window in WINDOWS:

        def make(window=window, kind=HardAttention, **options):
            return kind("general", window=window, window_width=2, **options)

        yield _scored(
            f"hard {window}",
            make,
            slopes=("weights",),
            # Straight through: forwards a choice, backwards the soft weights.
            follows=lambda make=make, **options: make(kind=LuongAttention, **options),
        )


def window_cases():
    def ask(layer, query, key_mask, **options):
        num_keys = ops.shape(key_mask)[1]
        answer = layer(query, num_keys=num_keys, key_mask=key_mask, **options)
        return [part for part in answer if part is not None]

    for window in WINDOWS:
        mask = "B1K bool" if window == "global" else "BQK bool"
        factor = {"factor": "BQK float32"} if window == "local_p" else {}
        yield Case(
            f"window {window}",
            lambda window=window, **options: AlignmentWindow(window, 2, **options),
            {"query": "BQG", "key_mask": "BK bool"},
            {"mask": mask, **factor},
            ask=ask,
            weights={"mask": "key_mask"},
            zeros=("mask",),
            extended=("K",),
            causal="" if window == "global" else "Q",
            ignored=() if window == "local_p" else ("query",),
            learns=window == "local_p",
        )


CELLS = {
    "gru": (keras.layers.GRUCell, 1),
    "lstm": (keras.layers.LSTMCell, 2),
}


def decode(layer, words, values, key_mask=None, **states):
    """All steps of a decoder over given words: each output along the steps."""
    memory = layer.memory(values, key_mask)
    state = layer.start(list(states.values()))
    steps = []
    for t in range(words.shape[1]):
        *outputs, state = layer(words[:, t], state, memory)
        steps.append(outputs)
    return [ops.stack(output, axis=1) for output in zip(*steps, strict=True)]


def _recurrent_case(name, kind, make, layers=1, masked=True, **fields):
    """A case of a cell; `make` is given the recurrent cell and the options."""
    cell_class, count = CELLS[kind]

    def make_all(**options):
        cells = [
            # Keras's own start, an orthogonal matrix, is not made in bfloat16.
            cell_class(
                19,
                recurrent_initializer="glorot_uniform",
                name=f"cell_{index}",
                **options,
            )
            for index in range(layers)
        ]
        stack = keras.layers.StackedRNNCells(cells, name="cell", **options)
        return make(cells[0] if layers == 1 else stack, options)

    mask = {"key_mask": "BK bool"} if masked else {}
    states = {f"state_{index}": "BH" for index in range(count * layers)}
    defaults = {
        "inputs": {"words": "BTE", "values": "BKD", **mask, **states},
        "outputs": {"output": "BTH", "context": "BTD", "weights": "BTK"},
        "ask": decode,
        "build": ((None, 23), {"values": (None, None, 13)}),
        "weights": {"weights": "key_mask"} if masked else {},
        "zeros": ("context", "weights") if masked else (),
        "extended": ("K",) if masked else (),
        "causal": "T",
        # Every step makes a graph longer: two do.
        "sizes": {"B": 3, "T": 2},
    }
    return Case(name, make_all, **{**defaults, **fields})


def cell_cases():
    for kind in CELLS:
        windows = {"gru": ((1, "global"), (2, "local_m")), "lstm": ((2, "local_p"),)}
        for layers, window in windows[kind]:

            def make(cell, options, window=window):
                attention = BahdanauAttention(
                    11, window=window, window_width=1, **options
                )
                return AttentionCell(cell, attention, **options)

            yield _recurrent_case(
                f"attention cell {layers} {kind} {window}", kind, make, layers
            )

        def make_luong(cell, options, window="global", fed=False):
            attention = LuongAttention(window=window, window_width=1, **options)
            return LuongCell(cell, attention, 29, fed, **options)

        variants = {
            "gru": ((1, "local_m", True), (2, "local_p", True)),
            "lstm": ((1, "global", False), (2, "local_m", True)),
        }
        for layers, window, fed in variants[kind]:

            def make(cell, options, window=window, fed=fed, make_luong=make_luong):
                return make_luong(cell, options, window, fed)

            yield _recurrent_case(
                f"luong cell {layers} {kind} {window}{' fed' if fed else ''}",
                kind,
                make,
                layers,
                outputs={"output": "BTA", "context": "BTD", "weights": "BTK"},
            )
        yield _recurrent_case(
            f"attention cell {kind} without attention",
            kind,
            lambda cell, options: AttentionCell(cell, **options),
            masked=False,
            # The context is the first value, and the weights say nothing.
            slopes=("output",),
        )


SELF = {
    "inputs": {"query": "BLG", "key_mask": "Bl bool"},
    "outputs": {"output": "BLG", "weights": "BNLl"},
    "returns_weights": True,
    "drops": True,
    "exact": False,
    "weights": {"weights": "key_mask"},
    "zeros": ("weights",),
    "extended": ("Ll",),
}
CROSS = {
    "inputs": {
        "query": "BQG",
        "values": "BKD",
        "keys": "BKC",
        "key_mask": "BK bool",
        "attention_mask": "BQK bool",
    },
    "outputs": {"output": "BQA", "weights": "BNQK"},
    "returns_weights": True,
    "drops": True,
    "exact": False,
    "weights": {"weights": "key_mask attention_mask"},
    "zeros": ("weights",),
    "extended": ("K",),
    "causal": "Q",
}
# The queries are the last of the keys.
LAST = {
    "inputs": {"query": "BQG", "values": "BKD"},
    "outputs": {"output": "BQG", "weights": "BNQK"},
    "returns_weights": True,
    "drops": True,
    "exact": False,
    "causal": "QK",
}
NO_WEIGHTS = {"returns_weights": False, "drops": False, "weights": {}}


def _heads(**chosen):
    """Makes multi-head attention; a position scheme is given by its class."""

    def make(**options):
        scheme = chosen.get("positions")
        positions = None if scheme is None else scheme(**options)
        numbers = {"num_heads": 4, "units": 4 * HEAD_SIZE, "dropout": DROPOUT}
        return MultiHeadAttention(
            **{**numbers, **chosen, "positions": positions}, **options
        )

    return make


def attend_to_cache(layer, query, values, return_weights, **options):
    """In two parts, as a decoder comes to know its keys."""
    cache = layer.project(values[:, :2])
    cache = layer.extend(cache, values[:, 2:])
    return layer(query, cache=cache, return_weights=return_weights, **options)


def head_cases():
    yield Case("heads self", _heads(), **SELF)
    yield Case("heads self causal", _heads(causal=True), **SELF, causal="L")
    yield Case("heads self window", _heads(window_width=2), **SELF)
    yield Case(
        "heads self causal window",
        _heads(window_width=2, causal=True),
        **SELF,
        causal="L",
    )
    yield Case("heads cross", _heads(output_size=29), **CROSS)
    yield Case(
        "heads cross without biases",
        _heads(output_size=29, use_bias=False, num_key_value_heads=1),
        **CROSS | {"zeros": ("output", "weights")},
    )
    yield Case("heads cross causal", _heads(causal=True), **LAST)
    yield Case(
        "heads cross grouped causal window",
        _heads(causal=True, window_width=2, num_key_value_heads=2),
        **LAST,
    )
    yield Case("heads grouped", _heads(num_key_value_heads=2), **SELF)
    schemes = {
        "no scheme": PositionScheme,
        "rotary": RotaryPositions,
        "alibi": ALiBiPositions,
        "bucketed": lambda **o: BucketedPositions(8, 10, **o),
        "relative": lambda **o: RelativePositions(3, **o),
    }
    for name, scheme in schemes.items():
        yield Case(f"heads {name} self", _heads(positions=scheme), **SELF)
    schemes |= {
        "rotary": lambda **o: RotaryPositions(100.0, "halves", **o),
        "bucketed": lambda **o: BucketedPositions(8, 10, False, **o),
    }
    for name, scheme in schemes.items():
        yield Case(
            f"heads {name} cached",
            _heads(positions=scheme, causal=True, num_key_value_heads=2),
            **LAST,
            ask=attend_to_cache,
            build=HEADS,
        )


HEADS = ((None, None, 7), (None, None, 13))


def path_cases():
    """Other ways to the same numbers: they have no weights to return, nor to drop."""
    own = SELF | NO_WEIGHTS
    own |= {"outputs": {"output": "BLG"}, "zeros": ("output",)}
    options = {"use_bias": False, "dropout": 0.0}
    if "blockwise" in PATHS:
        options["path"] = "blockwise"
        yield Case("blockwise self", _heads(**options), **own)
        yield Case(
            "blockwise self causal alibi in many blocks",
            _heads(causal=True, positions=ALiBiPositions, **options),
            **own,
            causal="L",
            sizes={"L": 139},
        )
        yield Case(
            "blockwise cross grouped",
            _heads(output_size=29, num_key_value_heads=2, **options),
            **CROSS | NO_WEIGHTS | {"outputs": {"output": "BQA"}, "zeros": ("output",)},
        )
        yield Case(
            "blockwise cached bucketed",
            _heads(
                causal=True,
                positions=lambda **o: BucketedPositions(8, 10, **o),
                **options,
            ),
            **LAST | NO_WEIGHTS | {"outputs": {"output": "BQG"}},
            ask=lambda layer, query, values: layer(query, cache=layer.project(values)),
            build=HEADS,
        )
    if "banded" in PATHS:
        options["path"] = "banded"
        yield Case("banded", _heads(window_width=2, **options), **own)
        yield Case(
            "banded causal rotary",
            _heads(window_width=3, causal=True, positions=RotaryPositions, **options),
            **own,
            causal="L",
        )
        yield Case(
            "banded alibi grouped",
            _heads(
                window_width=1,
                positions=ALiBiPositions,
                num_key_value_heads=2,
                **options,
            ),
            **own,
        )


def decode_block(layer, inputs, memory, memory_mask, positions):
    """All steps of a decoder block over given words."""
    cache = layer.start(memory)
    steps = []
    for t in range(inputs.shape[1]):
        output, weights, cache = layer.advance(
            inputs[:, t : t + 1],
            cache,
            memory_mask=memory_mask,
            positions=positions[:, t : t + 1],
        )
        steps.append((output, weights))
    outputs, weights = zip(*steps, strict=True)
    return ops.concatenate(outputs, axis=1), ops.concatenate(weights, axis=2)


def block_cases():
    def parts(names, options, causal=False):
        made = [
            MultiHeadAttention(
                4,
                4 * HEAD_SIZE,
                dropout=DROPOUT,
                causal=causal and index == 0,
                name=name,
                **options,
            )
            for index, name in enumerate(names)
        ]
        # An activation without a corner, for differences of some size.
        made.append(
            FeedForward(17, None, "gelu", DROPOUT, name="feed_forward", **options)
        )
        return made

    decoding = {
        "inputs": {
            "inputs": "BLG",
            "memory": "BKD",
            "key_mask": "Bl bool",
            "memory_mask": "BK bool",
            "positions": "BLG",
            "memory_positions": "BKD",
        },
        "outputs": {
            "output": "BLG",
            "self_weights": "BNLl",
            "memory_weights": "BNLK",
        },
        "returns_weights": True,
        "drops": True,
        "exact": False,
        "weights": {"self_weights": "key_mask", "memory_weights": "memory_mask"},
        "zeros": ("self_weights", "memory_weights"),
        "extended": ("K", "Ll"),
    }
    names = ("self_attention", "cross_attention")
    for norm in ("pre", "post"):

        def encoder(norm=norm, causal=False, **options):
            made = parts(("attention",), options, causal)
            return EncoderBlock(*made, norm=norm, dropout=DROPOUT, **options)

        def decoder(norm=norm, causal=True, **options):
            made = parts(names, options, causal)
            return DecoderBlock(*made, norm=norm, dropout=DROPOUT, **options)

        inputs = {"inputs": "BLG", "key_mask": "Bl bool", "positions": "BLG"}
        yield Case(f"encoder block {norm}", encoder, **SELF | {"inputs": inputs})
        yield Case(f"decoder block {norm}", decoder, **decoding, causal="L")
        if norm == "post":
            # As in DETR.
            yield Case(
                "decoder block seeing all",
                lambda decoder=decoder, **options: decoder(causal=False, **options),
                **decoding,
            )
            continue
        yield Case(
            "encoder block causal",
            lambda encoder=encoder, **options: encoder(causal=True, **options),
            **SELF | {"inputs": {"inputs": "BLG"}, "weights": {}, "zeros": ()},
            causal="L",
        )
        yield Case(
            "decoder block step by step",
            decoder,
            {
                "inputs": "BLG",
                "memory": "BKD",
                "memory_mask": "BK bool",
                "positions": "BLG",
            },
            {"output": "BLG", "memory_weights": "BNLK"},
            ask=decode_block,
            build=((None, None, 7), (None, None, 13)),
            weights={"memory_weights": "memory_mask"},
            zeros=("memory_weights",),
            extended=("K",),
            causal="L",
            known="L",
            exact=False,
            sizes={"L": 3},
        )


def recur(layer, inputs):
    """All steps of a recurrence."""
    state = layer.initial_state(inputs)
    steps = []
    for t in range(inputs.shape[1]):
        output, state = layer.step(inputs[:, t], state)
        steps.append(output)
    return ops.stack(steps, axis=1)


def decode_recurrent_block(layer, inputs, memory, memory_mask):
    """All steps of a recurrent decoder block over given words."""
    cache = layer.start(memory)
    steps = []
    for t in range(inputs.shape[1]):
        output, weights, cache = layer.advance(
            inputs[:, t : t + 1], cache, memory_mask=memory_mask
        )
        steps.append((output, weights))
    outputs, weights = zip(*steps, strict=True)
    return ops.concatenate(outputs, axis=1), ops.concatenate(weights, axis=2)


def recurrent_cases():
    own = {"inputs": {"inputs": "BLG"}, "outputs": {"output": "BLG"}, "causal": "L"}
    yield Case("ssru", lambda **options: SSRU(**options), **own)
    yield Case(
        "ssru step by step",
        lambda **options: SSRU(**options),
        **own,
        ask=recur,
        build=((None, None, 7),),
        known="L",
    )

    def block(norm, **options):
        return SSRUDecoderBlock(
            SSRU(name="recurrence", **options),
            MultiHeadAttention(
                4, 4 * HEAD_SIZE, dropout=DROPOUT, name="cross_attention", **options
            ),
            FeedForward(17, None, "gelu", DROPOUT, name="feed_forward", **options),
            norm=norm,
            dropout=DROPOUT,
            **options,
        )

    decoding = {
        "inputs": {"inputs": "BLG", "memory": "BKD", "memory_mask": "BK bool"},
        "outputs": {"output": "BLG", "memory_weights": "BNLK"},
        "exact": False,
        "weights": {"memory_weights": "memory_mask"},
        "zeros": ("memory_weights",),
        "extended": ("K",),
        "causal": "L",
    }
    for norm in ("pre", "post"):
        yield Case(
            f"ssru decoder block {norm}",
            lambda norm=norm, **options: block(norm, **options),
            **decoding,
            returns_weights=True,
            drops=True,
        )
    yield Case(
        "ssru decoder block step by step",
        lambda **options: block("post", **options),
        **decoding,
        ask=decode_recurrent_block,
        build=((None, None, 7), (None, None, 13)),
        known="L",
        sizes={"L": 3},
    )


def detection_cases():
    """Queries that stand at anchors."""
    yield Case(
        "conditional attention",
        lambda **options: ConditionalAttention(
            4, 4 * HEAD_SIZE, dropout=DROPOUT, **options
        ),
        {
            "query": "BQG",
            "values": "BKD",
            "query_positions": "BQC",
            "key_positions": "BKE",
            "key_mask": "BK bool",
        },
        {"output": "BQU", "weights": "BNQK"},
        returns_weights=True,
        drops=True,
        exact=False,
        weights={"weights": "key_mask"},
        zeros=("weights",),
        extended=("K",),
        causal="Q",
        sizes={"U": 4 * HEAD_SIZE},
    )
    yield Case(
        "spatially modulated attention",
        lambda **options: SpatiallyModulatedAttention(6, 6 * HEAD_SIZE, **options),
        {
            "query": "BQG",
            "values": "BKD",
            "boxes": "BQR share",
            "places": "BKP share",
            "key_mask": "BK bool",
        },
        {"output": "BQU", "weights": "BNQK"},
        returns_weights=True,
        exact=False,
        weights={"weights": "key_mask"},
        zeros=("weights",),
        extended=("K",),
        causal="Q",
        sizes={"B": 8, "N": 6, "U": 6 * HEAD_SIZE, "R": 4, "P": 2},
        scale=0.2,
    )
    for attention in ("modulated", "conditional"):
        yield Case(
            f"anchor decoder block {attention}",
            lambda attention=attention, **options: AnchorDecoderBlock(
                6,
                6 * HEAD_SIZE,
                17,
                dropout=DROPOUT,
                attention=attention,
                **options,
            ),
            {
                "inputs": "BLU",
                "memory": "BKD",
                "positions": "BLU",
                "boxes": "BLR share",
                "places": "BKP share",
                "memory_mask": "BK bool",
                "attention_mask": "BLl bool",
            },
            {"output": "BLU", "weights": "BNLK"},
            returns_weights=True,
            drops=True,
            exact=False,
            weights={"weights": "memory_mask"},
            zeros=("weights",),
            extended=("K",),
            sizes={"B": 3, "N": 6, "U": 6 * HEAD_SIZE, "R": 4, "P": 2},
            scale=0.2,
        )


def pooling_cases():
    shared = {
        "inputs": {"values": "BKD", "key_mask": "BK bool"},
        "outputs": {"output": "BD", "weights": "BK"},
        "weights": {"weights": "key_mask"},
        "extended": ("K",),
    }
    for start in ("random", "mean"):
        yield Case(
            f"attention pooling {start}",
            lambda start=start, **options: AttentionPooling(19, start, **options),
            **shared,
            zeros=("output", "weights"),
        )
    # The bias of the output product is what is left of a row without a visible key.
    yield Case(
        "query pooling",
        lambda **options: QueryPooling(4, 4 * HEAD_SIZE, dropout=DROPOUT, **options),
        **shared,
        zeros=("weights",),
        drops=True,
        exact=False,
    )


def position_cases():
    shape_only = {"ignored": ("inputs",)}
    yield Case(
        "position embedding",
        lambda **options: PositionEmbedding(16, 13, **options),
        {"inputs": "BLG"},
        {"positions": "1LD"},
        **shape_only,
    )
    yield Case(
        "position embedding of ids from the second",
        lambda **options: PositionEmbedding(16, 13, **options),
        {"inputs": "BL int32"},
        {"positions": "1LD"},
        ask=lambda layer, inputs: layer(inputs, start=1),
        # Within another layer, a length that is not known stands for a long one.
        known="L",
    )
    for layout in ("interleaved", "halves", "tensor2tensor"):
        yield Case(
            f"sine positions {layout}",
            lambda layout=layout, **o: SinePositions(100.0, layout, **o),
            {"inputs": "BLS"},
            {"positions": "1LS"},
            learns=False,
            **shape_only,
        )
    yield Case(
        "sine positions 2d",
        lambda **o: SinePositions2D(20, 100.0, 5.0, 1e-5, **o),
        {"inputs": "BYX bool"},
        {"positions": "BYXF"},
        learns=False,
    )


def feed_forward_cases():
    yield Case(
        "feed forward",
        lambda **o: FeedForward(17, dropout=DROPOUT, **o),
        {"inputs": "BLG"},
        {"output": "BLG"},
        drops=True,
        # No position knows of another.
        causal="L",
    )
    yield Case(
        "feed forward gelu to another size",
        lambda **o: FeedForward(17, 13, "gelu", DROPOUT, **o),
        {"inputs": "BG"},
        {"output": "BD"},
        drops=True,
    )


def convolution_cases():
    # Every weight is random: this much more keeps variances positive.
    epsilon = 3.0
    yield Case(
        "frozen batch norm",
        lambda **o: FrozenBatchNorm(epsilon, **o),
        {"inputs": "BLG"},
        {"output": "BLG"},
        causal="L",
    )
    masked = {"inputs": "BYXG", "cell_mask": "BYX bool"}
    yield Case(
        "convolution dilated",
        lambda **o: ConvNorm(13, 3, dilation=2, epsilon=epsilon, **o),
        masked,
        {"output": "BYXD"},
        extended=("Y", "X", "YX"),
    )
    yield Case(
        "convolution depthwise padded after",
        lambda **o: ConvNorm(
            7, 2, 2, 1, True, "gelu", padding=(0, 1), epsilon=epsilon, **o
        ),
        masked,
        {"output": "BUVG"},
        known="YX",
        sizes={"Y": 9, "X": 22, "U": 5, "V": 11},
    )


@keras.saving.register_keras_serializable(package="zoo_tests")
class Asked(keras.layers.Layer):
    """Asks the layer of a case, so that a model can hold what is not one call."""

    def __init__(self, layer, case, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer
        self.case = case

    def build(self, inputs_shape):
        pass

    def call(self, inputs):
        case = next(case for case in CASES if case.name == self.case)
        return case.run(self.layer, inputs)

    def get_config(self):
        layer = keras.saving.serialize_keras_object(self.layer)
        return super().get_config() | {"layer": layer, "case": self.case}

    @classmethod
    def from_config(cls, config):
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


@keras.saving.register_keras_serializable(package="zoo_tests")
class Shelf(keras.Model):
    """Holds the layers of all cases, one a case, to be saved in one file."""

    def __init__(self, layers, **kwargs):
        super().__init__(**kwargs)
        self.shelf = list(layers)
        self.built = True

    def call(self, inputs):
        """Answers of every case, given inputs by the number of the case and name."""
        answers = {}
        for index, (case, layer) in enumerate(zip(CASES, self.shelf, strict=True)):
            own = {name: inputs[f"{index} {name}"] for name in case.inputs}
            for name, answer in case.run(layer, own).items():
                answers[f"{index} {name}"] = answer
        return answers

    def get_config(self):
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.shelf]
        return {"layers": layers, "name": self.name}

    @classmethod
    def from_config(cls, config):
        layers = map(keras.saving.deserialize_keras_object, config.pop("layers"))
        return cls(layers, **config)


CASES = [
    *luong_cases(),
    *bahdanau_cases(),
    *other_scored_cases(),
    *window_cases(),
    *cell_cases(),
    *head_cases(),
    *path_cases(),
    *block_cases(),
    *recurrent_cases(),
    *detection_cases(),
    *pooling_cases(),
    *position_cases(),
    *feed_forward_cases(),
    *convolution_cases(),
]

"""Translation by a recurrent encoder and decoder with attention.

    zoo train translation_rnn --train train.tsv.gz --valid valid.tsv.gz --out run \\
        --set steps=9000 --set round_steps=500 --set batch_tokens=8192 \\
        --set monitor=perplexity --repeat hsk_sentences=3 --repeat tatoeba_fetch=2
    zoo evaluate run/preset --data test.tsv.gz

Those are the numbers of the preset `translation_rnn/en-zh`: 60,262 pairs, 9,000 steps,
about four minutes on one H100 under JAX, half of them compiling; 34.82 BLEU on its test
split, 35.94 with attention=general and input_feeding=true, 27.20 with attention=none.
On a CPU a step of that size takes seconds: use smaller batches and a day.

The configurations of the two papers, with this package's departures from them (listed
at the top of `zoo/models/rnn_seq2seq.py`):

    zoo train translation_rnn --set size=bahdanau2015 …
    zoo train translation_rnn --set size=luong2015 …
"""

from dataclasses import dataclass
from typing import Literal

from zoo.recipe import Part, Recipe, TrainingPlan
from zoo.registry import recipe

Attention = Literal[
    "none",
    "bahdanau",
    "normed_bahdanau",
    "dot",
    "scaled_dot",
    "general",
    "scaled_general",
    "concat",
    "location",
    "cosine",
    "hard",
]
Window = Literal["global", "local_m", "local_p"]


@dataclass(frozen=True)
class Size:
    """The numbers of a size, and what it takes where an option is left open."""

    embedding_size: int
    units: int
    vocabulary_size: int  # a side
    dropout: float
    attention: Attention = "bahdanau"
    window: Window = "global"
    input_feeding: bool = False
    cell: Literal["gru", "lstm"] = "gru"
    num_layers: int = 1
    bidirectional: bool = True


SIZES = {
    "tiny": Size(32, 48, 32, 0.1),
    "mini": Size(128, 192, 4_000, 0.2),
    "small": Size(256, 384, 6_000, 0.3),
    "bahdanau2015": Size(620, 1_000, 30_000, 0.0),
    "luong2015": Size(
        1_000,
        1_000,
        50_000,
        0.2,
        attention="general",
        window="local_p",
        input_feeding=True,
        cell="lstm",
        num_layers=4,
        bidirectional=False,
    ),
}


@recipe(task="translation", paper="https://arxiv.org/abs/1409.0473")
def translation_rnn(
    size: Literal["tiny", "mini", "small", "bahdanau2015", "luong2015"] = "small",
    attention: Attention | None = None,
    window: Window | None = None,
    window_width: int = 10,
    input_feeding: bool | None = None,
    cell: Literal["gru", "lstm"] | None = None,
    num_layers: int | None = None,
) -> Recipe:
    """RNN encoder and attention decoder (Bahdanau et al., 2015; Luong et al., 2015).

    Options left open are those of the size: Bahdanau's attention on one layer of GRU,
    except in "luong2015".

    Args:
        size: "tiny" learns a made-up language in seconds on one core; "mini" is for
            sweeps; "small" is the size of the presets; "bahdanau2015" is RNNsearch as
            published, and "luong2015" the best single model of that paper: four layers
            of LSTM, the general score, a predicted window, input feeding.
        attention: "none" is the encoder-decoder with one vector of fixed length;
            "bahdanau" and "normed_bahdanau" attend before the step; the scores of
            Luong et al. and "hard" attend after it.
        window: which source words may be seen: all, or those near the same or near a
            predicted position.
        window_width: how far a local window reaches to either side, in pieces.
        input_feeding: tell the next step where this one looked; for the scores of
            Luong et al. and "hard".
        cell: the recurrent unit.
        num_layers: recurrent layers of the encoder and of the decoder.

    Raises:
        ValueError: options that do not go together.
    """
    chosen = SIZES[size]
    options = {
        "attention": attention,
        "window": window,
        "input_feeding": input_feeding,
        "cell": cell,
        "num_layers": num_layers,
    }
    own = {name: getattr(chosen, name) for name in options}
    if attention is not None and attention != chosen.attention:
        # What a paper paired with its own attention may not fit another.
        own |= {"window": "global", "input_feeding": False}
    options = {
        name: own[name] if value is None else value for name, value in options.items()
    }
    options["window_width"] = window_width
    _check(**options)
    plan = TrainingPlan()
    if size == "tiny":
        plan = TrainingPlan(
            steps=250,
            round_steps=125,
            batch_tokens=256,
            learning_rate=5e-3,
            warmup_steps=50,
            label_smoothing=0.0,
        )
    return Recipe(
        name="translation_rnn",
        options={"size": size, **options},
        task=Part(
            "zoo.tasks.translation:TranslationTask",
            {"vocabulary_size": chosen.vocabulary_size},
        ),
        model=Part(
            "zoo.models.rnn_seq2seq:RNNSeq2Seq",
            {
                **options,
                "bidirectional": chosen.bidirectional,
                "embedding_size": chosen.embedding_size,
                "units": chosen.units,
                "dropout": chosen.dropout,
            },
        ),
        training=plan,
    )


def _check(attention, window, input_feeding, window_width, num_layers, **rest):
    """Tells before any data is read what the model would refuse."""
    if attention == "none" and window != "global":
        raise ValueError(
            "Without attention there is nothing to see through a window. Received: "
            f"attention=none, window={window}. Leave window out."
        )
    if input_feeding and attention in ("none", "bahdanau", "normed_bahdanau"):
        raise ValueError(
            "input_feeding belongs to the decoder of Luong et al. Received: "
            f"attention={attention}. Leave it out, or choose another attention."
        )
    if window_width < 1 or num_layers < 1:
        raise ValueError(
            "window_width and num_layers must be at least 1. Received: "
            f"window_width={window_width}, num_layers={num_layers}."
        )

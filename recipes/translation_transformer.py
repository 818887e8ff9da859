"""Translation by a Transformer (Vaswani et al., 2017).

    zoo train translation_transformer --train train.tsv --valid valid.tsv --out run
    zoo evaluate run/preset --data test.tsv

The presets were trained so on one H100 under JAX; `…` stands for

    --train train.tsv.gz --valid valid.tsv.gz --out run --set subword_samples=4 \\
        --set batch_tokens=16384 --set learning_rate=1e-3 --set warmup_steps=2000 \\
        --set round_steps=1000 --set monitor=perplexity

`translation_transformer/en-zh`, 60,262 pairs, 41.37 BLEU on its test split:

    zoo train translation_transformer … --set steps=16000 --set average_last=8 \\
        --repeat hsk_sentences=3 --repeat tatoeba_fetch=2

`translation_transformer/zh-en`, 39.53 BLEU:

    zoo train translation_transformer … --set steps=16000 --set average_last=5 \\
        --repeat hsk_sentences=3 --repeat tatoeba_fetch=2 --columns 1,3,2

`translation_transformer/en-de`, 179,643 pairs, 48.02 BLEU:

    zoo train translation_transformer … --set steps=15000 --set average_last=3 \\
        --set vocabulary=shared --set vocabulary_size=8000 --set dropout=0.2

`translation_transformer/de-en`, 52.75 BLEU:

    zoo train translation_transformer … --set steps=14000 --set average_last=3 \\
        --set vocabulary=shared --set vocabulary_size=8000 --set dropout=0.2 \\
        --columns 1,3,2

A step took 12 ms, a training three to four minutes, and compiling two more. How many
rounds are averaged was chosen on the validation perplexity afterwards. Drawn
segmentations differ between builds of sentencepiece, so a repetition ends near these
numbers, not on them. A recurrent model (`translation_rnn`, attention=general,
input_feeding=true) that saw as many tokens as en-de reaches 44.80 there; on en-zh the
best recurrent preset has 35.94.
"""

from dataclasses import dataclass
from typing import Literal

from zoo.recipe import Part, Recipe, TrainingPlan
from zoo.registry import recipe


@dataclass(frozen=True)
class Size:
    """The numbers of a size."""

    units: int
    hidden_size: int
    num_heads: int
    num_layers: int
    vocabulary_size: int  # a side, or of both together when shared
    dropout: float
    inner_dropout: float = 0.0  # of attention weights and inside feed-forward networks


SIZES = {
    "tiny": Size(48, 96, 4, 2, 32, 0.0),
    "small": Size(256, 1_024, 4, 3, 6_000, 0.3, 0.1),
    "base": Size(512, 2_048, 8, 6, 32_000, 0.1),
    "big": Size(1_024, 4_096, 16, 6, 32_000, 0.3),
}


@recipe(task="translation", paper="https://arxiv.org/abs/1706.03762")
def translation_transformer(
    size: Literal["tiny", "small", "base", "big"] = "small",
    norm: Literal["pre", "post"] = "pre",
    vocabulary: Literal["shared", "separate"] = "separate",
    vocabulary_size: int | None = None,
    units: int | None = None,
    hidden_size: int | None = None,
    num_heads: int | None = None,
    num_layers: int | None = None,
    num_decoder_layers: int | None = None,
    decoder_hidden_size: int | None = None,
    activation: Literal["relu", "swish", "gelu"] = "relu",
    position_layout: Literal["interleaved", "halves", "tensor2tensor"] = "interleaved",
    embedding_scale: float | None = None,
    tie_output: bool = True,
    dropout: float | None = None,
    subword_samples: int = 1,
) -> Recipe:
    """Transformer encoder and decoder (Vaswani et al., 2017).

    Args:
        size: "tiny" learns a made-up language in seconds on one core; "small" is the
            size of the presets; "base" and "big" are the paper's.
        norm: where each part is normalised: "post" is the paper's, "pre" trains
            without a tuned warm-up.
        vocabulary: "shared" learns one vocabulary and one embedding for both
            languages, as the paper does: for languages of one script.
        vocabulary_size: pieces a side, or of both together when shared; the size's own
            if left out.
        units: size of embeddings and blocks; this and the next three are the size's
            own if left out.
        hidden_size: inside the feed-forward networks.
        num_heads: of every attention.
        num_layers: blocks of the encoder and of the decoder.
        num_decoder_layers: blocks of the decoder, where it has another number.
        decoder_hidden_size: `hidden_size` of the decoder, where it has another one.
        activation: of the feed-forward networks; "swish" and "gelu" are those of some
            checkpoints of Marian's.
        position_layout: where sines and cosines of positions stand: "interleaved" is
            the paper's, "halves" that of Marian's checkpoints on Hugging Face's hub.
        embedding_scale: what embeddings are multiplied by; the root of `units`, as in
            the paper, if left out.
        tie_output: the output is the target's embedding, as in the paper.
        dropout: the size's own if left out.
        subword_samples: segmentations of each training pair; all but the first are
            drawn at random (Kudo, 2018, https://arxiv.org/abs/1804.10959), which
            teaches a small set more.

    Raises:
        ValueError: a value out of range.
    """
    chosen = SIZES[size]
    vocabulary_size = vocabulary_size or chosen.vocabulary_size
    own = {
        "units": units or chosen.units,
        "hidden_size": hidden_size or chosen.hidden_size,
        "num_heads": num_heads or chosen.num_heads,
        "num_layers": num_layers or chosen.num_layers,
    }
    checkpoint = {
        "num_decoder_layers": num_decoder_layers,
        "decoder_hidden_size": decoder_hidden_size,
        "activation": activation,
        "position_layout": position_layout,
        "embedding_scale": embedding_scale,
        "tie_output": tie_output,
    }
    dropout = chosen.dropout if dropout is None else dropout
    counts = own | {
        "vocabulary_size": vocabulary_size,
        "subword_samples": subword_samples,
    }
    if min(counts.values()) < 1 or not 0 <= dropout < 1:
        received = ", ".join(f"{name}={value}" for name, value in counts.items())
        raise ValueError(
            f"{', '.join(counts)} must be at least 1, and dropout at least 0 and below "
            f"1. Received: {received}, dropout={dropout}."
        )
    # The paper's: 7e-4 at the end of 4,000 steps of warm-up is its equation 3 for base.
    plan = TrainingPlan(steps=20_000, learning_rate=7e-4, warmup_steps=4_000)
    if size == "tiny":
        plan = TrainingPlan(
            steps=250,
            round_steps=125,
            batch_tokens=256,
            learning_rate=3e-3,
            warmup_steps=50,
            label_smoothing=0.0,
        )
    return Recipe(
        name="translation_transformer",
        options={
            "size": size,
            "norm": norm,
            "vocabulary": vocabulary,
            "vocabulary_size": vocabulary_size,
            **own,
            **checkpoint,
            "dropout": dropout,
            "subword_samples": subword_samples,
        },
        task=Part(
            "zoo.tasks.translation:TranslationTask",
            {
                "vocabulary_size": vocabulary_size,
                "shared": vocabulary == "shared",
                "subword_samples": subword_samples,
            },
        ),
        model=Part(
            "zoo.models.transformer:Transformer",
            {
                **own,
                **checkpoint,
                "norm": norm,
                "share_embeddings": vocabulary == "shared",
                "dropout": dropout,
                "attention_dropout": chosen.inner_dropout,
                "hidden_dropout": chosen.inner_dropout,
            },
        ),
        training=plan,
    )

"""Translation by a Transformer's encoder and a recurrent decoder (Kim et al., 2019).

    zoo train translation_ssru --train train.tsv --valid valid.tsv --out run
    zoo evaluate run/preset --data test.tsv

"small" and "base" have the sizes of Marian's students, "tiny11" and "base", which
Firefox translates with. Bring one of those to fine-tune it: its folder holds
model.*.bin and vocab.*.spm.

    zoo convert DIR --out converted
    zoo finetune converted --train train.tsv --valid valid.tsv --out run

Students are small because they are taught by a larger model's translations of much
monolingual text (Kim and Rush, 2016, https://arxiv.org/abs/1606.07947), not by the
references: trained on the same few pairs, `translation_transformer` is the better one,
and this one the faster to decode.
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
    num_decoder_layers: int
    vocabulary_size: int  # a side, or of both together when shared
    dropout: float


SIZES = {
    "tiny": Size(48, 96, 4, 2, 2, 32, 0.0),
    "small": Size(256, 1_536, 8, 6, 2, 32_000, 0.1),
    "base": Size(512, 2_048, 8, 6, 2, 32_000, 0.1),
}


@recipe(task="translation", paper="https://aclanthology.org/D19-5632")
def translation_ssru(
    size: Literal["tiny", "small", "base"] = "small",
    vocabulary: Literal["shared", "separate"] = "separate",
    vocabulary_size: int | None = None,
    units: int | None = None,
    hidden_size: int | None = None,
    num_heads: int | None = None,
    num_layers: int | None = None,
    num_decoder_layers: int | None = None,
    activation: str = "relu",
    alignment_head: int | None = None,
    dropout: float | None = None,
    subword_samples: int = 1,
) -> Recipe:
    """Transformer encoder with a recurrent SSRU decoder, made to be fast.

    Args:
        size: "tiny" learns a made-up language in seconds on one core; "small" and
            "base" are those of Marian's students.
        vocabulary: "shared" is one vocabulary and one embedding for both languages, as
            most of Marian's students have: for languages of one script.
        vocabulary_size: pieces a side, or of both together when shared; the size's own
            if left out.
        units: size of embeddings and blocks; the size's own if left out.
        hidden_size: inside the feed-forward networks; the size's own if left out.
        num_heads: of every attention; the size's own if left out.
        num_layers: blocks of the encoder; the size's own if left out.
        num_decoder_layers: blocks of the decoder; the size's own if left out.
        activation: of the feed-forward networks.
        alignment_head: the head of the last decoder block that alignment shows; if left
            out, the mean of all. Marian's students were taught to align with head 0.
        dropout: the size's own if left out.
        subword_samples: segmentations of each training pair; all but the first are
            drawn at random (Kudo, 2018, https://arxiv.org/abs/1804.10959).

    Raises:
        ValueError: a value out of range.
    """
    chosen = SIZES[size]
    numbers = {
        "units": units or chosen.units,
        "hidden_size": hidden_size or chosen.hidden_size,
        "num_heads": num_heads or chosen.num_heads,
        "num_layers": num_layers or chosen.num_layers,
        "num_decoder_layers": num_decoder_layers or chosen.num_decoder_layers,
    }
    vocabulary_size = vocabulary_size or chosen.vocabulary_size
    dropout = chosen.dropout if dropout is None else dropout
    if min(vocabulary_size, subword_samples) < 1 or not 0 <= dropout < 1:
        raise ValueError(
            "vocabulary_size and subword_samples must be at least 1, and dropout at "
            f"least 0 and below 1. Received: vocabulary_size={vocabulary_size}, "
            f"subword_samples={subword_samples}, dropout={dropout}."
        )
    plan = TrainingPlan(steps=20_000, learning_rate=1e-3, warmup_steps=4_000)
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
        name="translation_ssru",
        options={
            "size": size,
            "vocabulary": vocabulary,
            "vocabulary_size": vocabulary_size,
            **numbers,
            "activation": activation,
            "alignment_head": alignment_head,
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
            "zoo.models.ssru_transformer:SSRUTransformer",
            {
                **numbers,
                "activation": activation,
                "share_embeddings": vocabulary == "shared",
                "dropout": dropout,
                "alignment_head": alignment_head,
            },
        ),
        training=plan,
    )

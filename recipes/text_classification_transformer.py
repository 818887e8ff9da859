"""Text classification by a Transformer's encoder trained from scratch.

zoo train text_classification_transformer --train train.csv --valid valid.csv --out run
zoo evaluate run/preset --data test.csv
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
    vocabulary_size: int
    dropout: float


SIZES = {
    "tiny": Size(32, 64, 2, 1, 200, 0.0),
    "small": Size(128, 512, 4, 2, 8_000, 0.3),
    "base": Size(256, 1_024, 4, 4, 16_000, 0.3),
}


@recipe(task="text_classification", paper="https://arxiv.org/abs/1706.03762")
def text_classification_transformer(
    size: Literal["tiny", "small", "base"] = "small",
    norm: Literal["pre", "post"] = "pre",
    kind: Literal["single", "multi", "regression"] = "single",
    vocabulary_size: int | None = None,
    num_layers: int | None = None,
    dropout: float | None = None,
    max_pieces: int = 128,
    class_weights: Literal["none", "balanced"] = "none",
    max_labels: int = 1_000,
) -> Recipe:
    """Transformer encoder and a learnt query that pools (Vaswani et al., 2017).

    Args:
        size: "tiny" learns a made-up set in seconds on one core; "small" has 1.5
            million weights, "base" 7 million.
        norm: where each part is normalised: "post" is the paper's, "pre" trains
            without a tuned warm-up.
        kind: one label of many a text ("single"), any number of labels ("multi"), or a
            number ("regression").
        vocabulary_size: subword pieces; the size's own if left out.
        num_layers: blocks; the size's own if left out.
        dropout: the size's own if left out.
        max_pieces: longest text that is read; what is longer is cut.
        class_weights: "balanced" lets rare classes count as much as frequent ones.
        max_labels: more labels than these look like a wrong column and are refused.

    Raises:
        ValueError: a value out of range.
    """
    chosen = SIZES[size]
    vocabulary_size = vocabulary_size or chosen.vocabulary_size
    num_layers = num_layers or chosen.num_layers
    dropout = chosen.dropout if dropout is None else dropout
    if min(vocabulary_size, num_layers) < 1 or max_pieces < 8 or not 0 <= dropout < 1:
        raise ValueError(
            "vocabulary_size and num_layers must be at least 1, max_pieces at least 8, "
            "and dropout at least 0 and below 1. Received: "
            f"vocabulary_size={vocabulary_size}, num_layers={num_layers}, "
            f"max_pieces={max_pieces}, dropout={dropout}."
        )
    plan = TrainingPlan(
        steps=4_000,
        round_steps=200,
        batch_tokens=4_096,
        learning_rate=5e-4,
        schedule="cosine",
        warmup_steps=400,
        label_smoothing=0.05,
        weight_decay=0.01,
    )
    if size == "tiny":
        plan = TrainingPlan(
            steps=75,
            round_steps=75,
            batch_tokens=1_024,
            learning_rate=5e-3,
            schedule="cosine",
            warmup_steps=20,
            label_smoothing=0.0,
        )
    return Recipe(
        name="text_classification_transformer",
        options={
            "size": size,
            "norm": norm,
            "kind": kind,
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "dropout": dropout,
            "max_pieces": max_pieces,
            "class_weights": class_weights,
            "max_labels": max_labels,
        },
        task=Part(
            "zoo.tasks.text_classification:TextClassificationTask",
            {
                "vocabulary_size": vocabulary_size,
                "kind": kind,
                "max_pieces": max_pieces,
                "class_weights": class_weights,
                "max_labels": max_labels,
            },
        ),
        model=Part(
            "zoo.models.transformer_classifier:TransformerClassifier",
            {
                "units": chosen.units,
                "hidden_size": chosen.hidden_size,
                "num_heads": chosen.num_heads,
                "num_layers": num_layers,
                "norm": norm,
                "dropout": dropout,
            },
        ),
        training=plan,
    )

"""Text classification by a recurrent network with attention pooling.

zoo train text_classification_rnn --train train.csv --valid valid.csv --out run
zoo evaluate run/preset --data test.csv
"""

from dataclasses import dataclass
from typing import Literal

from zoo.recipe import Part, Recipe, TrainingPlan
from zoo.registry import recipe


@dataclass(frozen=True)
class Size:
    """The numbers of a size."""

    embedding_size: int
    units: int
    attention_units: int
    vocabulary_size: int
    embedding_dropout: float
    dropout: float


SIZES = {
    "tiny": Size(24, 24, 16, 200, 0.0, 0.0),
    "small": Size(128, 96, 64, 8_000, 0.3, 0.5),
    "base": Size(300, 256, 128, 16_000, 0.3, 0.5),
}


@recipe(task="text_classification", paper="https://aclanthology.org/N16-1174")
def text_classification_rnn(
    size: Literal["tiny", "small", "base"] = "small",
    cell: Literal["gru", "lstm"] = "gru",
    kind: Literal["single", "multi", "regression"] = "single",
    vocabulary_size: int | None = None,
    num_layers: int = 1,
    dropout: float | None = None,
    max_pieces: int = 128,
    class_weights: Literal["none", "balanced"] = "none",
    max_labels: int = 1_000,
) -> Recipe:
    """Bidirectional recurrent network with attention pooling (Yang et al., 2016).

    Args:
        size: "tiny" learns a made-up set in seconds on one core; "small" has 1.2
            million weights, "base" 6 million.
        cell: of the recurrent layers.
        kind: one label of many a text ("single"), any number of labels ("multi"), or a
            number ("regression").
        vocabulary_size: subword pieces; the size's own if left out.
        num_layers: recurrent layers.
        dropout: between layers and before the head; the size's own if left out.
        max_pieces: longest text that is read; what is longer is cut.
        class_weights: "balanced" lets rare classes count as much as frequent ones.
        max_labels: more labels than these look like a wrong column and are refused.

    Raises:
        ValueError: a value out of range.
    """
    chosen = SIZES[size]
    vocabulary_size = vocabulary_size or chosen.vocabulary_size
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
        learning_rate=1e-3,
        schedule="cosine",
        warmup_steps=200,
        label_smoothing=0.05,
        weight_decay=0.01,
    )
    if size == "tiny":
        plan = TrainingPlan(
            steps=75,
            round_steps=75,
            batch_tokens=1_024,
            learning_rate=1e-2,
            schedule="cosine",
            warmup_steps=20,
            label_smoothing=0.0,
        )
    return Recipe(
        name="text_classification_rnn",
        options={
            "size": size,
            "cell": cell,
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
            "zoo.models.rnn_classifier:RNNClassifier",
            {
                "cell": cell,
                "embedding_size": chosen.embedding_size,
                "units": chosen.units,
                "attention_units": chosen.attention_units,
                "num_layers": num_layers,
                "embedding_dropout": chosen.embedding_dropout,
                "dropout": dropout,
            },
        ),
        training=plan,
    )

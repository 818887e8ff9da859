"""Classification of long documents by hierarchical attention (Yang et al., 2016).

zoo train text_classification_hierarchical --train train.csv --valid valid.csv --out run
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
    "small": Size(128, 64, 64, 16_000, 0.3, 0.3),
    "paper": Size(200, 50, 100, 30_000, 0.0, 0.0),
}


@recipe(task="text_classification", paper="https://aclanthology.org/N16-1174")
def text_classification_hierarchical(
    size: Literal["tiny", "small", "paper"] = "small",
    cell: Literal["gru", "lstm"] = "gru",
    kind: Literal["single", "multi", "regression"] = "single",
    vocabulary_size: int | None = None,
    dropout: float | None = None,
    words: int = 32,
    sentences: int = 64,
    class_weights: Literal["none", "balanced"] = "none",
    max_labels: int = 1_000,
) -> Recipe:
    """Attention to words, then to sentences, for long documents (Yang et al., 2016).

    Args:
        size: "tiny" learns a made-up set in seconds on one core; "paper" has the
            paper's sizes.
        cell: of the recurrent layers; the paper's is "gru".
        kind: one label of many a text ("single"), any number of labels ("multi"), or a
            number ("regression").
        vocabulary_size: subword pieces; the size's own if left out.
        dropout: on sentences and before the head; the size's own if left out.
        words: most pieces of a sentence; a longer one goes on as the next.
        sentences: most sentences of a document; what is longer is cut.
        class_weights: "balanced" lets rare classes count as much as frequent ones.
        max_labels: more labels than these look like a wrong column and are refused.

    Raises:
        ValueError: a value out of range.
    """
    chosen = SIZES[size]
    vocabulary_size = vocabulary_size or chosen.vocabulary_size
    dropout = chosen.dropout if dropout is None else dropout
    if min(vocabulary_size, words, sentences) < 1 or sentences > 64:
        raise ValueError(
            "vocabulary_size and words must be at least 1, and sentences from 1 to 64. "
            f"Received: vocabulary_size={vocabulary_size}, words={words}, "
            f"sentences={sentences}."
        )
    if not 0 <= dropout < 1:
        raise ValueError(
            f"dropout must be at least 0 and below 1. Received: dropout={dropout}."
        )
    plan = TrainingPlan(
        steps=4_000,
        round_steps=200,
        batch_tokens=8_192,
        learning_rate=1e-3,
        schedule="cosine",
        warmup_steps=200,
        label_smoothing=0.05,
        weight_decay=0.01,
    )
    if size == "tiny":
        words, sentences = min(words, 8), min(sentences, 8)
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
        name="text_classification_hierarchical",
        options={
            "size": size,
            "cell": cell,
            "kind": kind,
            "vocabulary_size": vocabulary_size,
            "dropout": dropout,
            "words": words,
            "sentences": sentences,
            "class_weights": class_weights,
            "max_labels": max_labels,
        },
        task=Part(
            "zoo.tasks.document_classification:DocumentClassificationTask",
            {
                "vocabulary_size": vocabulary_size,
                "kind": kind,
                "max_pieces": words * sentences,
                "words": words,
                "sentences": sentences,
                "class_weights": class_weights,
                "max_labels": max_labels,
            },
        ),
        model=Part(
            "zoo.models.hierarchical_classifier:HierarchicalClassifier",
            {
                "cell": cell,
                "embedding_size": chosen.embedding_size,
                "units": chosen.units,
                "attention_units": chosen.attention_units,
                "embedding_dropout": chosen.embedding_dropout,
                "dropout": dropout,
            },
        ),
        training=plan,
    )

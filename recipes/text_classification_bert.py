"""Text classification by an encoder of the BERT family, pretrained or from scratch.

A pretrained encoder is fine-tuned on labelled texts of your own:

    zoo finetune text_classification_bert/minilm --train train.csv --out run
    zoo evaluate run/preset --data test.csv

Another one comes from a folder in the layout of Hugging Face's hub:

    zoo convert bert-base-chinese --out my-bert
    zoo finetune my-bert --train train.csv --out run

From scratch, which needs far more text than most have:

    zoo train text_classification_bert --train train.csv --valid valid.csv --out run
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
    "minilm": Size(384, 1_536, 12, 6, 30_522, 0.1),
    "base": Size(768, 3_072, 12, 12, 30_522, 0.1),
    "large": Size(1_024, 4_096, 16, 24, 30_522, 0.1),
}


@recipe(task="text_classification", paper="https://arxiv.org/abs/1810.04805")
def text_classification_bert(
    size: Literal["tiny", "minilm", "base", "large"] = "minilm",
    kind: Literal["single", "multi", "regression"] = "single",
    pooling: Literal["attention", "mean", "first"] = "attention",
    pooler: Literal["none", "tanh", "relu"] = "none",
    vocabulary_size: int | None = None,
    units: int | None = None,
    hidden_size: int | None = None,
    num_heads: int | None = None,
    num_layers: int | None = None,
    num_token_types: int = 2,
    max_length: int = 512,
    activation: Literal["gelu", "gelu_tanh", "relu"] = "gelu",
    epsilon: float = 1e-12,
    dropout: float | None = None,
    max_pieces: int = 128,
    class_weights: Literal["none", "balanced"] = "none",
    max_labels: int = 1_000,
) -> Recipe:
    """Encoder of the BERT family, pretrained, and a head (Devlin et al., 2019).

    Args:
        size: "tiny" learns a made-up set in seconds on one core; "minilm" is that of
            the presets; "base" and "large" are the paper's.
        kind: one label of many a text ("single"), any number of labels ("multi"), or a
            number ("regression").
        pooling: what the head reads: the states weighed by "attention", which starts
            at their mean; their "mean"; or the "first" state, that of [CLS].
        pooler: a dense layer before the head, as BERT ("tanh") and DistilBERT ("relu")
            have; they go with pooling="first".
        vocabulary_size: pieces, when the vocabulary is learnt; the size's own if left
            out.
        units: size of states; this and the next three are the size's own if left out.
        hidden_size: inside the feed-forward networks.
        num_heads: of every attention.
        num_layers: blocks.
        num_token_types: 2 as in BERT, 0 as in DistilBERT.
        max_length: positions there are.
        activation: of the feed-forward networks: "gelu", the exact one, "gelu_tanh",
            its approximation in BERT's first code, or "relu".
        epsilon: of the normalisations.
        dropout: the size's own if left out.
        max_pieces: longest text that is read, special tokens included; what is longer
            is cut.
        class_weights: "balanced" lets rare classes count as much as frequent ones.
        max_labels: more labels than these look like a wrong column and are refused.

    Raises:
        ValueError: a value out of range.
    """
    chosen = SIZES[size]
    own = {
        "units": units or chosen.units,
        "hidden_size": hidden_size or chosen.hidden_size,
        "num_heads": num_heads or chosen.num_heads,
        "num_layers": num_layers or chosen.num_layers,
    }
    vocabulary_size = vocabulary_size or chosen.vocabulary_size
    dropout = chosen.dropout if dropout is None else dropout
    if not 8 <= max_pieces <= max_length or not 0 <= dropout < 1:
        raise ValueError(
            "max_pieces must be from 8 to max_length, and dropout at least 0 and below "
            f"1. Received: max_pieces={max_pieces}, max_length={max_length}, "
            f"dropout={dropout}."
        )
    plan = TrainingPlan(
        steps=20_000,
        batch_tokens=4_096,
        learning_rate=3e-4,
        schedule="cosine",
        warmup_steps=1_000,
        label_smoothing=0.0,
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
        name="text_classification_bert",
        options={
            "size": size,
            "kind": kind,
            "pooling": pooling,
            "pooler": pooler,
            "vocabulary_size": vocabulary_size,
            **own,
            "num_token_types": num_token_types,
            "max_length": max_length,
            "activation": activation,
            "epsilon": epsilon,
            "dropout": dropout,
            "max_pieces": max_pieces,
            "class_weights": class_weights,
            "max_labels": max_labels,
        },
        task=Part(
            "zoo.tasks.wordpiece_classification:WordPieceClassificationTask",
            {
                "vocabulary_size": vocabulary_size,
                "kind": kind,
                "max_pieces": max_pieces,
                "class_weights": class_weights,
                "max_labels": max_labels,
            },
        ),
        model=Part(
            "zoo.models.bert_classifier:BertClassifier",
            {
                **own,
                "max_length": max_length,
                "num_token_types": num_token_types,
                "pooling": pooling,
                "pooler": pooler,
                "activation": activation,
                "epsilon": epsilon,
                "dropout": dropout,
                "attention_dropout": dropout,
            },
        ),
        training=plan,
    )

"""Translation by a recurrent encoder and decoder with attention."""

from typing import Literal

from zoo.recipe import Part, Recipe, TrainingPlan
from zoo.registry import recipe

# Size of embeddings, units, vocabulary a side, dropout.
SIZES = {
    "tiny": (32, 48, 32, 0.0),
    "small": (256, 384, 6_000, 0.3),
    "paper": (620, 1_000, 30_000, 0.2),
}


@recipe(task="translation", paper="https://arxiv.org/abs/1409.0473")
def translation_rnn(
    size: Literal["tiny", "small", "paper"] = "small",
    attention: Literal["bahdanau", "normed_bahdanau", "none"] = "bahdanau",
    cell: Literal["gru", "lstm"] = "gru",
) -> Recipe:
    """Bidirectional RNN encoder, attention decoder (Bahdanau et al., 2015).

    Args:
        size: "tiny" learns a made-up language in seconds on one core; "small" is the
            size of the presets; "paper" is RNNsearch as published.
        attention: "none" is the encoder-decoder with one vector of fixed length.
        cell: the recurrent unit.
    """
    embedding_size, units, vocabulary_size, dropout = SIZES[size]
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
        options={"size": size, "attention": attention, "cell": cell},
        task=Part(
            "zoo.tasks.translation:TranslationTask",
            {"vocabulary_size": vocabulary_size},
        ),
        model=Part(
            "zoo.models.rnn_seq2seq:RNNSeq2Seq",
            {
                "attention": attention,
                "cell": cell,
                "embedding_size": embedding_size,
                "units": units,
                "dropout": dropout,
            },
        ),
        training=plan,
    )

"""Translation by a recurrent encoder and decoder with attention.

    zoo train translation_rnn --train train.tsv.gz --valid valid.tsv.gz --out run \\
        --set steps=9000 --set round_steps=500 --set batch_tokens=8192 \\
        --set monitor=perplexity --repeat hsk_sentences=3 --repeat tatoeba_fetch=2
    zoo evaluate run/preset --data test.tsv.gz

Those are the numbers of the preset `translation_rnn/en-zh`: 60,262 pairs, 9,000 steps,
about four minutes on one H100 under JAX, half of them compiling; 31.02 BLEU on its test
split, and 23.76 with attention=none. On a CPU a step of that size takes seconds: use
smaller batches and a day.
"""

from typing import Literal

from zoo.recipe import Part, Recipe, TrainingPlan
from zoo.registry import recipe

# Size of embeddings, units, vocabulary a side, dropout.
SIZES = {
    "tiny": (32, 48, 32, 0.1),
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

"""Small SentencePiece models of every kind that is changed."""

import io

import numpy as np

_WORDS = (
    *("the", "then", "these", "cat", "cats", "catalogue", "dog", "dogged", "old"),
    *("older", "oldest", "ran", "ranking", "rain", "raining", "naïve", "née"),
    *("知识", "知道", "识别"),
)


def texts(count, seed=0, most=9):
    random = np.random.default_rng(seed)
    return [
        " ".join(random.choice(_WORDS, size=random.integers(1, most)))
        for _ in range(count)
    ]


def learnt(kind, size=90, **options) -> bytes:
    """The serialised model, with the special ids of this project."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts(300)),
        model_writer=model,
        vocab_size=size,
        model_type=kind,
        character_coverage=1.0,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
        **{"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3} | options,
    )
    return model.getvalue()


KINDS = {
    "unigram": ("unigram", 90, {}),
    "bpe": ("bpe", 90, {}),
    "unigram with bytes": ("unigram", 340, {"byte_fallback": True}),
    "bpe with bytes": ("bpe", 340, {"byte_fallback": True}),
    "unigram with a user's": ("unigram", 90, {"user_defined_symbols": ["<x>", "og"]}),
    "bpe with a user's": ("bpe", 90, {"user_defined_symbols": ["<x>", "og"]}),
}

"""The task of translation: parallel text, two vocabularies, BLEU, alignment."""
# TensorFlow is imported where it is used: a training from prepared arrays runs on a
# machine that has none.

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.parallel_text import (
    ParallelText,
    read_parallel_text,
    write_parallel_text,
)
from zoo.data.token_pairs import Ragged, TokenPairBatches, TokenPairs
from zoo.data.vocabulary import Vocabulary

_BATCH = 64
# Inputs whose answers an export records: short, longer, and empty.
_SAMPLE = ["Knowledge is power.", "Where is the nearest station?", ""]


@dataclass(frozen=True)
class Translation:
    """One translated text.

    Attributes:
        text: the translation.
        score: log probability over length penalty, at most 0.
        truncated: the source was longer than the model reads.
    """

    text: str
    score: float
    truncated: bool


@dataclass(frozen=True)
class Alignment:
    """A translation and what it looked at.

    Attributes:
        translation: the translation.
        source_pieces: subword pieces of the source, the end token last.
        target_pieces: subword pieces of the translation, the end token last.
        weights: (target pieces, source pieces); each row sums to 1.
    """

    translation: Translation
    source_pieces: list[str]
    target_pieces: list[str]
    weights: np.ndarray

    def plot(self, path, **options):
        """Draws the heatmap; see `zoo.plots.plot_alignment`."""
        from zoo.plots import plot_alignment

        return plot_alignment(
            self.source_pieces, self.target_pieces, self.weights, path, **options
        )


class TranslationTask:
    """Raw parallel text to batches, and a model's output to text.

    Args:
        source_vocabulary: of the source language.
        target_vocabulary: of the target language.
    """

    name = "translation"
    encoded_type = TokenPairs

    def __init__(self, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary):
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = target_vocabulary

    @classmethod
    def learn(cls, data: ParallelText, vocabulary_size: int) -> "TranslationTask":
        """Learns both vocabularies from training pairs.

        Args:
            data: the training set, and no other.
            vocabulary_size: pieces a language, at most.
        """
        return cls(
            Vocabulary.learn(data.sources, vocabulary_size),
            Vocabulary.learn(data.targets, vocabulary_size),
        )

    @classmethod
    def load(cls, folder) -> "TranslationTask":
        folder = Path(folder)
        return cls(
            Vocabulary.load(folder / "source.model"),
            Vocabulary.load(folder / "target.model"),
        )

    def save(self, folder) -> None:
        folder = Path(folder)
        (folder / "source.model").write_bytes(self.source_vocabulary.proto)
        (folder / "target.model").write_bytes(self.target_vocabulary.proto)

    @staticmethod
    def made_up(count: int, seed: int = 0) -> ParallelText:
        """A made-up language pair: each word has one translation, in reverse order."""
        random = np.random.default_rng(seed)
        words = ["sun", "moon", "rain", "wind", "tree", "leaf", "root", "seed"]
        translated = dict(zip(words, "日月雨风木叶根种", strict=True))
        text = ParallelText()
        for _ in range(count):
            chosen = random.choice(words, size=random.integers(1, 5))
            text.sources.append(" ".join(chosen))
            text.references.append(["".join(translated[w] for w in chosen[::-1])])
            text.origins.append("")
        return text

    @staticmethod
    def read(path, target_path=None, columns=None) -> ParallelText:
        """Reads parallel text; see `zoo.data.parallel_text.read_parallel_text`."""
        return read_parallel_text(path, target_path, columns)

    @staticmethod
    def write(data: ParallelText, path) -> None:
        """Keeps data in one file, for `read_back`."""
        write_parallel_text(data, path)

    @staticmethod
    def read_back(path) -> ParallelText:
        """Reads what `write` wrote."""
        return read_parallel_text(path, columns=(1, 2, 3))

    def model_options(self) -> dict:
        return {
            "source_vocabulary_size": self.source_vocabulary.size,
            "target_vocabulary_size": self.target_vocabulary.size,
        }

    @functools.cached_property
    def codecs(self):
        """The source and the target `TextCodec`."""
        from zoo.data.text_codec import TextCodec

        return TextCodec(self.source_vocabulary), TextCodec(self.target_vocabulary)

    def encode(self, data: ParallelText) -> TokenPairs:
        """Tokenizes with the graph's own operations."""
        return TokenPairs(
            self.with_codecs(lambda codecs: _encode_all(codecs[0], data.sources)),
            self.with_codecs(lambda codecs: _encode_all(codecs[1], data.targets)),
        )

    def with_codecs(self, run):
        """Calls `run` with the codecs; with new ones if TensorFlow lost theirs.

        `tf.random.set_seed`, and so `keras.utils.set_random_seed`, clears TensorFlow's
        cache of eager kernels, which own the tokenizers.
        """
        import tensorflow as tf

        try:
            return run(self.codecs)
        except tf.errors.NotFoundError:
            del self.codecs
            return run(self.codecs)

    def batches(self, encoded: TokenPairs, batch_tokens: int, seed: int | None):
        return TokenPairBatches(encoded, batch_tokens, seed)

    def runner(self, model) -> "TranslationRunner":
        return TranslationRunner(self, model)

    def describe(self) -> dict:
        """What a deployment wants to know of the vocabularies."""
        return {
            side: {"pieces": vocabulary.size, "sha256": vocabulary.sha256}
            for side, vocabulary in (
                ("source_vocabulary", self.source_vocabulary),
                ("target_vocabulary", self.target_vocabulary),
            )
        }


class TranslationRunner:
    """Translates with a trained model.

    Args:
        task: the vocabularies.
        model: a sequence model with `encode`, `initial_state` and `step`.
    """

    def __init__(self, task: TranslationTask, model):
        self.task = task
        self.model = model
        self._functions: dict = {}

    @property
    def has_alignment(self) -> bool:
        return getattr(self.model, "attention", None) != "none"

    def predict(self, texts: list[str], **options) -> list[Translation]:
        """Translates texts, in any number.

        Args:
            texts: source texts.
            **options: fields of `zoo.decoding.SearchOptions`, such as `beam_size`.

        Raises:
            TypeError: not a list of strings.
        """
        _check_texts(texts)
        run = self._runner_of("translate", options)
        results: list = [None] * len(texts)
        # Sentences of like length together: less padding.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            found = run([texts[index] for index in chosen])
            for row, index in enumerate(chosen):
                results[index] = _translation(found, row)
        return results

    def attention(self, text: str, **options) -> Alignment:
        """Translates one text and returns what each target piece looked at.

        Raises:
            ValueError: the model has no attention.
        """
        _check_texts([text])
        if not self.has_alignment:
            raise ValueError(
                "This model has no attention: one vector of fixed length stands for "
                "the whole source. Load a preset with attention to see an alignment."
            )
        found = self._runner_of("align", options)([text])
        sources, targets = (
            int(found[f"{side}_lengths"][0]) for side in ("source", "target")
        )
        return Alignment(
            _translation(found, 0),
            [piece.decode() for piece in found["source_pieces"][0, :sources].numpy()],
            [piece.decode() for piece in found["target_pieces"][0, :targets].numpy()],
            found["alignment"][0, :targets, :sources].numpy(),
        )

    def evaluate(self, data: ParallelText, tokenizer=None, **options) -> dict:
        """BLEU and chrF, over all sentences and by source length in pieces.

        Args:
            data: pairs; further references count.
            tokenizer: sacreBLEU's, chosen by script when `None`.
            **options: fields of `zoo.decoding.SearchOptions`.
        """
        from zoo.metrics.translation import score_by_length, score_translations

        texts = [found.text for found in self.predict(data.sources, **options)]
        lengths = self.task.encode(data).sources.lengths - 1
        return score_translations(texts, data.references, tokenizer) | {
            "by_length": score_by_length(texts, data.references, lengths, tokenizer)
        }

    def score(self, data: ParallelText) -> float:
        """BLEU by greedy search, to decide while training."""
        from zoo.metrics.translation import score_translations

        texts = [found.text for found in self.predict(data.sources, beam_size=1)]
        return score_translations(texts, data.references)["bleu"]

    def exported(self):
        """Signatures of names that stay: see README, "Serve it"."""
        _need_tensorflow()
        from zoo.export import Exportable
        from zoo.tasks.translation_graph import TranslationGraph

        def make(codecs):
            graph = TranslationGraph(self.model, *codecs)
            methods = {"serving_default": "translate"}
            if self.has_alignment:
                methods["with_alignment"] = "align"
            return Exportable(
                module=graph,
                signatures={
                    name: _text_function(getattr(graph, method))
                    for name, method in methods.items()
                },
                samples={name: {"texts": _SAMPLE} for name in methods},
                details={"task": self.task.name} | self.task.describe(),
            )

        return self.task.with_codecs(make)

    def _runner_of(self, method: str, options: dict):
        """A compiled method of the graph with these search options."""
        _need_tensorflow()
        import tensorflow as tf

        from zoo.decoding import SearchOptions

        chosen = SearchOptions(**options)

        def run(texts, codecs):
            key = (method, chosen, codecs)
            if key not in self._functions:
                self._functions[key] = _compiled(self.model, codecs, method, chosen)
            return self._functions[key](tf.constant(texts, tf.string))

        return lambda texts: self.task.with_codecs(lambda codecs: run(texts, codecs))


def _compiled(model, codecs, method: str, options):
    from zoo.tasks.translation_graph import TranslationGraph

    return _text_function(getattr(TranslationGraph(model, *codecs), method), options)


def _text_function(method, options=None):
    """A compiled function of `texts`, for a Python call and for a signature alike."""
    import tensorflow as tf

    from zoo.decoding import SearchOptions

    options = options or SearchOptions()
    return tf.function(
        lambda texts: method(texts, options),
        input_signature=[tf.TensorSpec([None], tf.string, name="texts")],
        autograph=False,
    )


def _encode_all(codec, texts: list[str]) -> Ragged:
    import tensorflow as tf

    rows = []
    for start in range(0, len(texts), 4096):
        ids, _ = codec.encode(tf.constant(texts[start : start + 4096]))
        rows += ids.to_list()
    return Ragged.from_rows(rows)


def _translation(found, row: int) -> Translation:
    return Translation(
        found["translations"][row].numpy().decode(),
        float(found["scores"][row]),
        bool(found["truncated"][row]),
    )


def _check_texts(texts):
    if not isinstance(texts, list | tuple) or not all(
        isinstance(text, str) for text in texts
    ):
        raise TypeError(
            "Expected a list of strings. Received: "
            f"{type(texts).__name__} {str(texts)[:80]!r}."
        )


def _need_tensorflow():
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "Translating and exporting run on TensorFlow, but Keras runs on "
            f"{keras.backend.backend()}. Start Python with KERAS_BACKEND=tensorflow."
        )

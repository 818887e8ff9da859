"""Translating with a trained model: results, scores, alignment, signatures."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from zoo.data.parallel_text import ParallelText
from zoo.decoding import SearchOptions
from zoo.export import Exportable
from zoo.metrics.translation import score_by_length, score_translations
from zoo.plots import plot_alignment
from zoo.tasks.translation_graph import TranslationGraph
from zoo.values import convert_fields

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
        return plot_alignment(
            self.source_pieces, self.target_pieces, self.weights, path, **options
        )


class TranslationRunner:
    """Translates with a trained model.

    Args:
        task: the vocabularies.
        model: a sequence model with `encode`, `initial_state` and `step`.
    """

    def __init__(self, task, model):
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
        texts = [found.text for found in self.predict(data.sources, **options)]
        lengths = self.task.source_lengths(data.sources)
        return score_translations(texts, data.references, tokenizer) | {
            "by_length": score_by_length(texts, data.references, lengths, tokenizer)
        }

    def score(self, data: ParallelText) -> float:
        """BLEU by greedy search, to decide while training."""
        texts = [found.text for found in self.predict(data.sources, beam_size=1)]
        return score_translations(texts, data.references)["bleu"]

    def exported(self):
        """Signatures of names that stay: see README, "Serve it"."""
        _need_tensorflow()

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
        chosen = SearchOptions(**convert_fields(SearchOptions, options))

        def run(texts, codecs):
            key = (method, chosen, codecs)
            if key not in self._functions:
                self._functions[key] = _compiled(self.model, codecs, method, chosen)
            return self._functions[key](tf.constant(texts, tf.string))

        return lambda texts: self.task.with_codecs(lambda codecs: run(texts, codecs))


def _compiled(model, codecs, method: str, options):
    return _text_function(getattr(TranslationGraph(model, *codecs), method), options)


def _text_function(method, options=None):
    """A compiled function of `texts`, for a Python call and for a signature alike."""
    options = options or SearchOptions()
    return tf.function(
        lambda texts: method(texts, options),
        input_signature=[tf.TensorSpec([None], tf.string, name="texts")],
        autograph=False,
    )


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
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"A text cannot be written as UTF-8 ({error.reason}): {text[:80]!r}."
            ) from None


def _need_tensorflow():
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "Translating and exporting run on TensorFlow, but Keras runs on "
            f"{keras.backend.backend()}. Start Python with KERAS_BACKEND=tensorflow."
        )

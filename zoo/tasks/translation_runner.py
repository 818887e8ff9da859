"""Translating with a trained model: results, scores, alignment, signatures."""

import dataclasses

import numpy as np
import tensorflow as tf

from zoo.answers import Alignment, Translation
from zoo.data.parallel_text import ParallelText
from zoo.data.vocabulary import UNKNOWN_ID
from zoo.decoding import DecodingOptions, ModelStepper
from zoo.export import Exportable
from zoo.inference import INT8_ENVIRONMENT, exported_stepper
from zoo.metrics.translation import score_by_length, score_translations
from zoo.tasks.meanings import TRANSLATION
from zoo.tasks.texts import (
    batches_of,
    check_texts,
    need_tensorflow,
    text_function,
)
from zoo.tasks.translation_graph import TranslationGraph
from zoo.values import convert, convert_fields

# So many texts are enough to see how large numbers get.
_WATCHED = 64
# Inputs whose answers an export records: short, longer, and empty.
_SAMPLE = ["Knowledge is power.", "Where is the nearest station?", ""]


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

    def predict(self, texts: list[str], prefixes=None, **options) -> list[Translation]:
        """Translates texts, in any number.

        Args:
            texts: source texts.
            prefixes: what each translation must start with, or `None`.
            **options: fields of `zoo.decoding.DecodingOptions`, such as `beam_size`;
                `suppress`, target pieces that are never written; `replace_unknown`,
                whether the source's text is copied where a piece is unknown.

        Raises:
            TypeError: not a list of strings.
            ValueError: another number of prefixes than texts, or an unknown piece.
        """
        check_texts(texts)
        inputs = {"texts": list(texts)}
        if prefixes is not None:
            check_texts(prefixes)
            _check_as_many(texts, prefixes, "prefixes")
            inputs["prefixes"] = list(prefixes)
        run = self._runner_of("n_best", options, list(inputs))
        results: list = [None] * len(texts)
        for chosen in batches_of(texts):
            found = run(*([values[n] for n in chosen] for values in inputs.values()))
            found = {key: value.numpy() for key, value in found.items()}
            for row, index in enumerate(chosen):
                results[index] = _translation(found, row)
        return results

    def attention(self, text: str, hypothesis: int = 0, **options) -> Alignment:
        """Translates one text and returns what each target piece looked at.

        Args:
            text: the source.
            hypothesis: which translation, from 0, the best.
            **options: as in `predict`.

        Raises:
            ValueError: the model has no attention, or there is no such hypothesis.
        """
        check_texts([text])
        if not self.has_alignment:
            raise ValueError(
                "This model has no attention: one vector of fixed length stands for "
                "the whole source. Load a preset with attention to see an alignment."
            )
        run = self._runner_of("n_best", options, ["texts"])
        found = {key: value.numpy() for key, value in run([text]).items()}
        best = _translation(found, 0)
        translations = (best, *best.alternatives)
        if not 0 <= hypothesis < len(translations):
            raise ValueError(
                "hypothesis counts from 0 and must be below num_hypotheses. Received: "
                f"hypothesis={hypothesis}; {len(translations)} found."
            )
        sources = found["source_lengths"][0]
        targets = found["target_lengths"][0, hypothesis]
        return Alignment(
            translations[hypothesis],
            _decoded(found["source_pieces"][0, :sources]),
            _decoded(found["target_pieces"][0, hypothesis, :targets]),
            found["alignment"][0, hypothesis, :targets, :sources],
        )

    def log_probabilities(self, texts: list[str], translations: list[str]):
        """Log probability of each given translation, summed over its pieces.

        Args:
            texts: source texts.
            translations: one of each.

        Returns:
            A list of floats, at most 0.

        Raises:
            ValueError: another number of translations than texts.
        """
        check_texts(texts)
        check_texts(translations)
        _check_as_many(texts, translations, "translations")
        options = {"beam_size": 1, "length_penalty": 0.0}
        run = self._runner_of("score", options, ["texts", "translations"])
        results = np.zeros(len(texts), "float32")
        for chosen in batches_of(texts):
            pairs = ([side[n] for n in chosen] for side in (texts, translations))
            results[chosen] = run(*pairs)["log_probabilities"].numpy()
        return results.tolist()

    def evaluate(self, data: ParallelText, tokenizer=None, **options) -> dict:
        """BLEU and chrF, over all sentences and by source length in pieces.

        Args:
            data: pairs; further references count.
            tokenizer: sacreBLEU's, chosen by script when `None`.
            **options: fields of `zoo.decoding.DecodingOptions`.
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

    def exported(self, weights: str = "float32", watch=(), **options):
        """Signatures of names that stay: see README, "Serve it".

        Args:
            weights: "float32", or "int8" for a Transformer.
            watch: typical source texts, whose numbers give the ranges of int8.
            **options: as in `predict`.

        Raises:
            ValueError: int8 without texts, or of a model that has none.
        """
        need_tensorflow("Translating and exporting")
        chosen, extra = self._options(options)

        def make(codecs):
            longest = max(codec.max_pieces for codec in codecs)

            def run_typical(stepper):
                graph = TranslationGraph(stepper, *codecs, DecodingOptions(beam_size=1))
                graph.watched(tf.constant(list(watch)[:_WATCHED]))

            stepper, variables = exported_stepper(
                self.model, longest, weights, run_typical if watch else None
            )
            graph = TranslationGraph(
                stepper, *codecs, chosen, variables=variables, **extra
            )
            names = {"serving_default": "translate", "n_best": "n_best"}
            if self.has_alignment:
                names["with_alignment"] = "align"
            signatures = {
                name: text_function(getattr(graph, method), ["texts"])
                for name, method in names.items()
            }
            samples = {name: {"texts": _SAMPLE} for name in names}
            signatures["score"] = text_function(graph.score, ["texts", "translations"])
            samples["score"] = {"texts": _SAMPLE, "translations": _SAMPLE}
            details = {
                "task": self.task.name,
                "weights": weights,
                "decoding": dataclasses.asdict(chosen) | extra,
            }
            return Exportable(
                graph,
                signatures,
                samples,
                details | self.task.describe(),
                INT8_ENVIRONMENT if weights == "int8" else {},
                meanings=TRANSLATION,
            )

        return self.task.with_codecs(make)

    def _options(self, options: dict):
        """Decoding options and those of the graph, from a user's by name."""
        options = self.task.decoding | options
        replace = convert(
            "replace_unknown", options.pop("replace_unknown", False), bool
        )
        pieces = convert("suppress", options.pop("suppress", ()), tuple[str, ...])
        known = self.task.target_vocabulary.processor
        ids = [known.piece_to_id(piece) for piece in pieces]
        if unknown := [
            piece for piece, n in zip(pieces, ids, strict=True) if n == UNKNOWN_ID
        ]:
            raise ValueError(
                f"suppress takes pieces of the target vocabulary, which {unknown[0]!r} "
                "is not. See what pieces a text has with attention(text)."
            )
        chosen = convert_fields(DecodingOptions, options)
        chosen["suppressed"] = (*chosen.get("suppressed", ()), *ids)
        if replace:
            chosen["allow_unknown"] = True
        chosen = DecodingOptions(**chosen)
        if not self.has_alignment and (replace or chosen.coverage_penalty):
            raise ValueError(
                "replace_unknown and coverage_penalty go by the attention weights, and "
                "this model has no attention. Leave them out."
            )
        return chosen, {"replace_unknown": replace}

    def _runner_of(self, method: str, options: dict, inputs: list[str]):
        """A compiled method of the graph with these options."""
        need_tensorflow("Translating and exporting")
        chosen, extra = self._options(options)

        def run(texts, codecs):
            key = (method, chosen, *extra.values(), codecs, *inputs)
            if key not in self._functions:
                # The weights may still change: no constants.
                graph = TranslationGraph(
                    ModelStepper(self.model), *codecs, chosen, **extra
                )
                self._functions[key] = text_function(getattr(graph, method), inputs)
            return self._functions[key](*(tf.constant(t, tf.string) for t in texts))

        return lambda *texts: self.task.with_codecs(lambda codecs: run(texts, codecs))


def _translation(found, row: int) -> Translation:
    """The best translation of a row, with its alternatives, where they were found."""
    # If the options leave no translation at all, an empty one stands for it.
    count = max(1, np.count_nonzero(found["target_lengths"][row]))
    all_found = [
        Translation(text.decode(), float(score), bool(found["truncated"][row]))
        for text, score in zip(
            found["translations"][row][:count],
            found["scores"][row][:count],
            strict=True,
        )
    ]
    return dataclasses.replace(all_found[0], alternatives=tuple(all_found[1:]))


def _decoded(pieces) -> list[str]:
    return [piece.decode() for piece in pieces]


def _check_as_many(texts, others, name):
    if len(texts) != len(others):
        raise ValueError(
            f"Each text needs one of {name}. Received: {len(texts)} texts, "
            f"{len(others)} {name}."
        )

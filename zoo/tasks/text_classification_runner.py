"""Classifying with a trained model: labels, scores, attention, signatures."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from zoo.data.labelled_text import LabelledText
from zoo.highlights import Highlight, split_words
from zoo.tasks.text_classification_export import exportable
from zoo.tasks.text_classification_scores import THRESHOLD, scores_of
from zoo.tasks.texts import (
    batches_of,
    check_texts,
    need_tensorflow,
    text_function,
)
from zoo.values import convert


@dataclass(frozen=True)
class Classification:
    """What one text is.

    Attributes:
        label: the most probable label; of several that may hold together, a tuple of
            those with a probability of at least 0.5; of a regression, the number.
        score: the label's probability; of several the lowest of those chosen, or the
            highest of all if none is; of a regression, the number.
        scores: probability by label, the most probable first; none of a regression.
        truncated: the text was longer than the model reads.
    """

    label: str | tuple[str, ...] | float
    score: float
    scores: dict[str, float]
    truncated: bool

    @property
    def plain(self):
        return self.label


class TextClassificationRunner:
    """Classifies with a trained model.

    Args:
        task: the vocabulary and the labels.
        model: a `zoo.models.TextClassifier`.
    """

    def __init__(self, task, model):
        self.task = task
        self.model = model
        self._graphs: dict = {}
        self._functions: dict = {}

    def predict(self, inputs: list, top_k: int | None = None) -> list[Classification]:
        """Classifies texts, in any number.

        Args:
            inputs: texts, or pairs of texts if the model was trained on pairs.
            top_k: how many labels `scores` holds; all if `None`.

        Raises:
            TypeError: not a list of strings, or of pairs.
            ValueError: an encoder without labels.
        """
        self._need_labels()
        top_k = _checked_top_k(top_k)
        return [
            self._result(found, top_k) for found in self._answers("classify", inputs)
        ]

    def embed(self, inputs: list) -> np.ndarray:
        """The vectors that stand for texts, of length 1, shape (texts, size)."""
        found = self._answers("embed", inputs)
        if not found:
            # Of no texts, too, the vectors have a size.
            return self.embed([("", "") if self.task.has_pairs else ""])[:0]
        return np.array([answer["embeddings"] for answer in found])

    def attention(self, text, without: bool = False, label: str | None = None):
        """Classifies one text and returns what the model looked at.

        Args:
            text: a text, or a pair of texts.
            without: also classify the text without each of its words, one at a time:
                what the label loses by it, unlike attention, is what decided.
            label: whose probability `without` tells; the predicted one by default.

        Returns:
            A `zoo.highlights.Highlight`; `terminal()` and `save(path)` show it.

        Raises:
            ValueError: there is no such label, or an encoder without labels.
        """
        self._need_labels()
        if label is not None:
            self.task.labels.row_of(label)
        (found,) = self._answers("attend", [text])
        result = self._result(found, None)
        whole = text if isinstance(text, str) else "\n".join(text)
        label = label or next(iter(result.scores), None)
        drops = self._drops(text, whole, label, result) if without else None
        return Highlight.from_pieces(
            whole,
            *(found[key] for key in ("starts", "ends", "attention")),
            title=_title(result),
            without=drops,
            sentences=_sentences(whole, found),
        )

    def evaluate(self, data: LabelledText) -> dict:
        """Scores, by label too, and where the model goes wrong.

        Args:
            data: labelled texts.

        Returns:
            What `zoo.metrics.classification` gives for the kind of labels; `ece` is
            with the temperature, `ece_uncalibrated` without; `reliability`,
            `confusions` and `mistakes`, the most confident first.
        """
        self._need_labels()
        labels = self.task.labels
        targets = labels.encode(data)
        inputs = data.texts
        if data.pairs:
            inputs = list(zip(data.texts, data.pairs, strict=True))
        found = self._answers("outputs", inputs)
        outputs = np.array([answer["outputs"] for answer in found])
        return scores_of(outputs, targets, data.texts, labels, self.task.temperature)

    def score(self, data: LabelledText) -> float:
        """The deciding score."""
        return next(iter(self.evaluate(data).values()))

    def exported(self, weights: str = "float32", watch=(), **options):
        """Signatures of names that stay: see README, "Serve it".

        Args:
            weights: "float32".
            watch: without use here.
            **options: `top_k`, how many labels are named; at most 10 by default.

        Raises:
            ValueError: int8, which these models do not have, or an unknown option.
        """
        need_tensorflow("Classifying and exporting")
        top_k = _checked_top_k(options.pop("top_k", None))
        if options or weights != "float32":
            raise ValueError(
                "A text classifier exports in float32, with the option top_k. "
                f"Received: weights={weights!r}, {options or 'no options'}."
            )
        return self.task.with_codec(
            lambda codec: exportable(self.task, self.model, codec, top_k)
        )

    def _answers(self, method: str, inputs: list) -> list[dict]:
        """What a method of the graph answers to each input, in their order."""
        need_tensorflow("Classifying and exporting")
        columns = self._columns(inputs)

        def run(codec, chosen):
            own = codec, self.task.temperature
            if own not in self._graphs:
                # One for all methods: it traces the model once.
                about = self.task.labels, self.task.temperature
                self._graphs[own] = self.task.make_graph(self.model, codec, *about)
            key = method, *own
            if key not in self._functions:
                answer = getattr(self._graphs[own], method)
                self._functions[key] = text_function(answer, list(columns))
            tensors = (
                tf.constant([values[n] for n in chosen], tf.string)
                for values in columns.values()
            )
            return self._functions[key](*tensors)

        answers: list = [None] * len(columns["texts"])
        for chosen in batches_of(columns["texts"]):
            found = self.task.with_codec(lambda codec, c=chosen: run(codec, c))
            found = {key: value.numpy() for key, value in found.items()}
            for row, index in enumerate(chosen):
                answers[index] = {key: value[row] for key, value in found.items()}
        return answers

    def _columns(self, inputs) -> dict[str, list[str]]:
        if not self.task.has_pairs:
            check_texts(inputs)
            return {"texts": list(inputs)}
        if not isinstance(inputs, list) or not all(
            isinstance(pair, list | tuple) and len(pair) == 2 for pair in inputs
        ):
            raise TypeError(
                "Expected a list of pairs of texts. Received: "
                f"{type(inputs).__name__} {str(inputs)[:80]!r}."
            )
        columns = [[pair[n] for pair in inputs] for n in range(2)]
        for texts in columns:
            check_texts(texts)
        return {"texts": columns[0], "text_pairs": columns[1]}

    def _result(self, found: dict, top_k: int | None) -> Classification:
        truncated = bool(found["truncated"])
        if "values" in found:
            value = float(found["values"])
            return Classification(value, value, {}, truncated)
        names = [name.decode() for name in found["labels"]]
        scores = dict(zip(names, map(float, found["scores"]), strict=True))
        label, score = names[0], scores[names[0]]
        if self.task.labels.kind == "multi":
            label = tuple(name for name in names if scores[name] >= THRESHOLD)
            score = min((scores[name] for name in label), default=score)
        first = dict(list(scores.items())[:top_k])
        return Classification(label, score, first, truncated)

    def _drops(self, text, whole, label, result) -> np.ndarray:
        """How far the label's probability falls without each word."""
        spans = split_words(whole)
        shorter = [_without(text, start, end) for start, end in spans]

        def value(found):
            return found.scores[label] if label else found.score

        return np.array(
            [value(result) - value(found) for found in self.predict(shorter)]
        )

    def _need_labels(self):
        if self.task.labels is None:
            raise ValueError(
                "This preset is an encoder: it knows no labels yet. Fine-tune it on "
                "labelled texts (zoo finetune PRESET --train FILE --out DIR), or take "
                "its vectors with embed(texts)."
            )


def _without(text, start: int, end: int):
    """A text, or pair of texts, without the characters of a word."""
    if isinstance(text, str):
        return text[:start] + text[end:]
    first, second = text
    if start <= len(first):
        return first[:start] + first[end:], second
    place = len(first) + 1
    return first, second[: start - place] + second[end - place :]


def _sentences(text: str, found: dict):
    """Sentences in characters, with their weights, where the model weighs them."""
    if "sentence_attention" not in found:
        return None
    content = text.encode()
    rows = zip(
        *(
            found[key]
            for key in ("sentence_starts", "sentence_ends", "sentence_attention")
        ),
        strict=True,
    )
    return [
        (len(content[:start].decode()), len(content[:end].decode()), float(weight))
        for start, end, weight in rows
        if end > start
    ]


def _title(result: Classification) -> str:
    if isinstance(result.label, float):
        return f"{result.label:.4g}"
    names = [result.label] if isinstance(result.label, str) else result.label
    names = names or list(result.scores)[:1]
    return ", ".join(f"{name} {result.scores[name]:.2f}" for name in names)


def _checked_top_k(top_k) -> int | None:
    top_k = convert("top_k", top_k, int | None)
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1. Received: top_k={top_k}.")
    return top_k

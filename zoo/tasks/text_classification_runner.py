"""Classifying with a trained model: labels, scores, attention, signatures."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from zoo.data.labelled_text import LabelledText
from zoo.export import CLASSIFY, REGRESS, Exportable
from zoo.highlights import Highlight, split_words
from zoo.inference import exported_reader
from zoo.metrics.calibration import expected_calibration_error, reliability
from zoo.metrics.classification import (
    confident_mistakes,
    confident_wrong_decisions,
    confusions,
    largest_errors,
    score_multi,
    score_regression,
    score_single,
)
from zoo.tasks.texts import batches_of, check_texts, need_tensorflow
from zoo.values import convert

# Labels that an export names, if there are more and nothing else is asked for.
_TOP_K = 10
# From this probability on, a label of several is taken to hold.
_THRESHOLD = 0.5
# Inputs whose answers an export records.
_SAMPLE = [
    "A wonderful film.",
    "What is my balance? I do not know.",
    "很好，下次再来。",
]


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
        results: list = [None] * len(inputs)
        for chosen, found in self._answers("classify", inputs):
            for row, index in enumerate(chosen):
                results[index] = self._result(found, row, top_k)
        return results

    def embed(self, inputs: list) -> np.ndarray:
        """The vectors that stand for texts, of length 1, shape (texts, size)."""
        vectors: list = [None] * len(inputs)
        for chosen, found in self._answers("embed", inputs):
            for row, index in enumerate(chosen):
                vectors[index] = found["embeddings"][row]
        return np.array(vectors, "float32").reshape(len(inputs), -1)

    def attention(self, text, without: bool = False, label: str | None = None):
        """Classifies one text and returns what the model looked at.

        Args:
            text: a text, or a pair of texts.
            without: also classify the text without each of its words, one at a time:
                what the label loses by it, unlike attention, is what decided.
            label: whose probability `without` tells; the predicted one by default.

        Returns:
            A `zoo.highlights.Highlight`; `terminal()` and `save(path)` show it.
        """
        self._need_labels()
        ((_, found),) = self._answers("attend", [text])
        result = self._result(found, 0, None)
        whole = text if isinstance(text, str) else "\n".join(text)
        label = label or self._label_to_explain(result)
        drops = self._drops(text, whole, label, result) if without else None
        highlight = Highlight.from_pieces(
            whole,
            *(found[key][0] for key in ("starts", "ends", "attention")),
            title=_title(result),
            without=drops,
            sentences=_sentences(whole, found),
        )
        return highlight

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
        outputs = self._outputs(data)
        if labels.kind == "regression":
            found, true = labels.unscaled(outputs[:, 0]), labels.unscaled(targets)
            mistakes = largest_errors(found, true, data.texts)
            return score_regression(found, true) | {"mistakes": mistakes}
        calibrated = self._probabilities(outputs)
        plain = self._probabilities(outputs, temperature=1.0)
        if labels.kind == "multi":
            scores = score_multi(calibrated, targets, labels.names, _THRESHOLD)
            wrong = confident_wrong_decisions(
                calibrated, targets, labels.names, data.texts
            )
            rest = {"confusions": [], "mistakes": wrong}
        else:
            scores = score_single(calibrated, targets, labels.names)
            rest = {
                "confusions": confusions(calibrated, targets, labels.names),
                "mistakes": confident_mistakes(
                    calibrated, targets, labels.names, data.texts
                ),
            }
        before, after = (
            _confidence(values, targets, labels.kind) for values in (plain, calibrated)
        )
        return scores | {
            "ece_uncalibrated": expected_calibration_error(*before),
            "temperature": self.task.temperature,
            "reliability": reliability(*after),
            "reliability_uncalibrated": reliability(*before),
            **rest,
        }

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
        return self.task.with_codec(lambda codec: self._exportable(codec, top_k))

    def _exportable(self, codec, top_k) -> Exportable:
        reader, variables = exported_reader(self.model)
        graph = self._graph(codec, reader, top_k or _TOP_K, variables=variables)
        inputs = {"texts": _SAMPLE}
        if self.task.has_pairs:
            inputs["text_pairs"] = _SAMPLE[::-1]
        methods = {"embed": "embed"}
        if self.task.labels is not None:
            methods = {
                "serving_default": "classify",
                "with_attention": "attend",
                **methods,
            }
        else:
            methods = {"serving_default": "embed", **methods}
        signatures = {
            name: _text_function(getattr(graph, method), list(inputs))
            for name, method in methods.items()
        }
        samples = dict.fromkeys(methods, inputs)
        forms = {}
        if self.task.labels is not None:
            is_number = self.task.labels.kind == "regression"
            name = "regress" if is_number else "classify"
            forms = {name: REGRESS if is_number else CLASSIFY}
            signatures[name] = _text_function(graph.examples, ["inputs"])
            samples[name] = {"inputs": _examples(inputs)}
        details = {"task": self.task.name, "top_k": getattr(graph, "top_k", None)}
        names = self.task.labels.names if self.task.labels is not None else ()
        return Exportable(
            graph,
            signatures,
            samples,
            details | self.task.describe(),
            forms=forms,
            files={"labels.txt": "".join(f"{name}\n" for name in names)},
        )

    def _graph(self, codec, reader, top_k=None, variables=()):
        return self.task.make_graph(
            reader,
            codec,
            self.task.labels,
            self.task.temperature,
            top_k,
            variables=variables,
        )

    def _answers(self, method: str, inputs: list):
        """Indices of some inputs and what a method answers to them, batch by batch."""
        need_tensorflow("Classifying and exporting")
        columns = self._columns(inputs)

        def run(codec, chosen):
            key = method, codec, self.task.temperature
            if key not in self._functions:
                graph = self._graph(codec, self.model)
                self._functions[key] = _text_function(
                    getattr(graph, method), list(columns)
                )
            tensors = (
                tf.constant([values[n] for n in chosen], tf.string)
                for values in columns.values()
            )
            return self._functions[key](*tensors)

        for chosen in batches_of(columns["texts"]):
            found = self.task.with_codec(lambda codec, c=chosen: run(codec, c))
            yield chosen, {key: value.numpy() for key, value in found.items()}

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

    def _result(self, found: dict, row: int, top_k: int | None) -> Classification:
        truncated = bool(found["truncated"][row])
        if "values" in found:
            value = float(found["values"][row])
            return Classification(value, value, {}, truncated)
        names = [name.decode() for name in found["labels"][row]]
        scores = dict(zip(names, map(float, found["scores"][row]), strict=True))
        label, score = names[0], scores[names[0]]
        if self.task.labels.kind == "multi":
            label = tuple(name for name in names if scores[name] >= _THRESHOLD)
            score = min((scores[name] for name in label), default=score)
        first = dict(list(scores.items())[:top_k])
        return Classification(label, score, first, truncated)

    def _outputs(self, data: LabelledText) -> np.ndarray:
        """What the model gives before any softmax, shape (texts, outputs)."""
        inputs = data.texts
        if data.pairs:
            inputs = list(zip(data.texts, data.pairs, strict=True))
        vectors: list = [None] * len(inputs)
        for chosen, found in self._answers("outputs", inputs):
            for row, index in enumerate(chosen):
                vectors[index] = found["outputs"][row]
        return np.array(vectors)

    def _probabilities(self, outputs, temperature=None):
        from zoo.metrics.calibration import sigmoid, softmax

        squash = softmax if self.task.labels.kind == "single" else sigmoid
        return squash(outputs / (temperature or self.task.temperature))

    def _label_to_explain(self, result) -> str | None:
        return next(iter(result.scores), None)

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
            found[key][0]
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


def _confidence(probabilities, targets, kind) -> tuple:
    """Confidence in each prediction, and whether it was right."""
    if kind == "single":
        right = probabilities.argmax(axis=1) == targets
        return probabilities.max(axis=1), right
    is_right = (probabilities >= _THRESHOLD) == (targets > 0)
    return np.maximum(probabilities, 1 - probabilities).ravel(), is_right.ravel()


def _checked_top_k(top_k) -> int | None:
    top_k = convert("top_k", top_k, int | None)
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1. Received: top_k={top_k}.")
    return top_k


def _examples(inputs: dict[str, list[str]]) -> list[bytes]:
    """Texts as serialised `tf.train.Example`s."""
    names = ("text", "text_pair")[: len(inputs)]
    rows = zip(*inputs.values(), strict=True)
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    name: tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[value.encode()])
                    )
                    for name, value in zip(names, row, strict=True)
                }
            )
        ).SerializeToString()
        for row in rows
    ]


def _text_function(method, inputs: list[str]):
    """A compiled function of strings, for a Python call and for a signature alike."""
    specs = [tf.TensorSpec([None], tf.string, name=name) for name in inputs]
    # Not the method itself: a signature must not have its optional arguments.
    if inputs == ["texts", "text_pairs"]:
        run = lambda texts, text_pairs: method(texts, text_pairs)  # noqa: E731
    elif inputs == ["inputs"]:
        run = lambda inputs: method(inputs)  # noqa: E731
    else:
        run = lambda texts: method(texts)  # noqa: E731
    return tf.function(run, input_signature=specs, autograph=False)

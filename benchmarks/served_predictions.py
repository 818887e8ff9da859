"""What a preset predicts in Python, to be compared with what its export answers."""

import base64
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zoo.answers import DetectionAttention, pixels_of
from zoo.answers.detections import detections_of
from zoo.highlights import Highlight

# Two scripts, an empty text, and one that is longer than models read.
TEXTS = [
    "Where is the nearest station?",
    "我想喝一杯茶。",
    "Was für ein schöner Abend! We had a wonderful time.",
    "",
    "word " * 3000,
]
# An export names so many labels, if there are more.
TOP_K = 10


@dataclass(frozen=True)
class Prediction:
    """A request to a signature, and what Python predicts for its inputs.

    Attributes:
        signature: its name.
        inputs: by name, as JSON.
        expected: values by name, as nested lists.
        read: an answer's outputs to values of the same names.
    """

    signature: str
    inputs: dict
    expected: dict
    read: Callable[[dict], dict] = lambda answer: answer

    def found(self, answer: dict) -> dict:
        values = self.read(answer)
        return {name: values[name] for name in self.expected}


def predictions_of(trained, images=()) -> list[Prediction]:
    """Predictions for a preset's signatures.

    Args:
        trained: a `Pretrained`.
        images: files' bytes, for a detector.
    """
    task = trained.task
    if task.name == "translation":
        return list(_translations(trained))
    if task.name == "detection":
        return list(_detections(trained, images))
    return list(_classifications(trained, task.labels))


def _translations(trained):
    inputs = {"texts": TEXTS}
    found = trained.predict(TEXTS)
    best = {
        "translations": [one.text for one in found],
        "scores": [one.score for one in found],
        "truncated": [one.truncated for one in found],
    }
    yield Prediction("serving_default", inputs, best)
    many = {name: [[one] for one in best[name]] for name in ("translations", "scores")}
    yield Prediction("n_best", inputs, many)
    given = {"log_probabilities": trained.log_probabilities(TEXTS, TEXTS[::-1])}
    yield Prediction("score", inputs | {"translations": TEXTS[::-1]}, given)
    if getattr(trained.model, "attention", None) != "none":
        for text in TEXTS[:2]:
            own = trained.attention(text)
            expected = {
                "source_pieces": list(own.source_pieces),
                "target_pieces": list(own.target_pieces),
                "alignment": own.weights.tolist(),
            }
            one = {"texts": [text]}
            yield Prediction("with_alignment", one, expected, _alignment)


def _alignment(answer: dict) -> dict:
    sources, targets = answer["source_lengths"][0], answer["target_lengths"][0]
    rows = answer["alignment"][0][:targets]
    return {
        "source_pieces": answer["source_pieces"][0][:sources],
        "target_pieces": answer["target_pieces"][0][:targets],
        "alignment": [row[:sources] for row in rows],
    }


def _classifications(trained, labels):
    inputs = {"texts": TEXTS}
    yield Prediction("embed", inputs, {"embeddings": trained.embed(TEXTS).tolist()})
    if labels is None:
        vectors = {"embeddings": trained.embed(TEXTS).tolist()}
        yield Prediction("serving_default", inputs, vectors)
        return
    found = trained.predict(TEXTS)
    first = [list(one.scores.items())[:TOP_K] for one in found]
    names = [[name for name, _ in row] for row in first]
    scores = [[score for _, score in row] for row in first]
    expected = {
        "labels": names,
        "scores": scores,
        "probabilities": [[one.scores[name] for name in labels.names] for one in found],
        "truncated": [one.truncated for one in found],
    }
    yield Prediction("serving_default", inputs, expected)
    examples = {"inputs": [as_base64(_example(text)) for text in TEXTS]}
    yield Prediction("classify", examples, {"classes": names, "scores": scores})
    for text in TEXTS[:3]:
        expected = {"weights": trained.attention(text).weights.tolist()}

        def read(answer, text=text):
            places = (answer[key][0] for key in ("starts", "ends", "attention"))
            highlight = Highlight.from_pieces(text, *places, title="")
            return {"weights": highlight.weights.tolist()}

        yield Prediction("with_attention", {"texts": [text]}, expected, read)


def _example(text: str) -> bytes:
    import tensorflow as tf

    value = tf.train.BytesList(value=[text.encode()])
    feature = {"text": tf.train.Feature(bytes_list=value)}
    return tf.train.Example(
        features=tf.train.Features(feature=feature)
    ).SerializeToString()


def _detections(trained, images):
    """The last images may be damaged: then nothing is found in them."""
    inputs = {"image_bytes": [as_base64(file) for file in images]}
    expected = _columns([_found(trained, file) for file in images])
    yield Prediction("serving_default", inputs, expected, _objects)
    file = images[0]
    # A part of it: as JSON, a picture is large.
    pixels = pixels_of(file)[:240, :320].copy()
    expected = _columns([_found(trained, pixels)])
    yield Prediction("from_pixels", {"pixels": [pixels.tolist()]}, expected, _objects)
    own = trained.attention(file)
    expected = _maps(own)

    def read(answer):
        row = {name: values[0] for name, values in answer.items()}
        return _maps(DetectionAttention.of(row, file, "the image"))

    one = {"image_bytes": [as_base64(file)]}
    yield Prediction("with_attention", one, expected, read)


def _found(trained, image):
    try:
        return trained.predict([image])[0]
    except ValueError:
        return None


def _columns(found) -> dict:
    """Objects of each image, `None` of one that cannot be read."""
    return {
        "readable": [one is not None for one in found],
        "boxes": [[] if one is None else one.boxes.tolist() for one in found],
        "scores": [[] if one is None else one.scores.tolist() for one in found],
        "labels": [[] if one is None else list(one.labels) for one in found],
    }


def _objects(answer: dict) -> dict:
    found = []
    for values in zip(*answer.values(), strict=True):
        row = dict(zip(answer, values, strict=True))
        if row["status"] != "ok" and (row["count"] or np.any(row["scores"])):
            raise ValueError(f"Objects in an image that is {row['status']!r}.")
        readable = row["status"] == "ok"
        found.append(detections_of(row, "the image") if readable else None)
    return _columns(found)


def _maps(own: DetectionAttention) -> dict:
    return _columns([own.found]) | {
        "attention": own.attention.tolist(),
        "self_attention": own.self_attention.tolist(),
    }


def as_base64(content: bytes) -> dict:
    return {"b64": base64.b64encode(content).decode()}

"""What servers of each task answer, for clients to read."""

import io

import numpy as np
from PIL import Image


def floats(values):
    return np.array(values, "float32")


def alignment(signature, inputs):
    """What a server pads as if the batch had had longer texts."""
    assert (signature, inputs) == ("with_alignment", {"texts": ["the cat"]})
    weights = np.zeros((1, 4, 5), "float32")
    weights[0, :3, :3] = [[0.75, 0.25, 0], [0.125, 0.75, 0.125], [0, 0.25, 0.75]]
    return {
        "translations": ["猫"],
        "scores": floats([-0.25]),
        "truncated": [False],
        "source_pieces": [["▁the", "▁cat", "</s>", "", ""]],
        "target_pieces": [["▁", "猫", "</s>", ""]],
        "source_lengths": [3],
        "target_lengths": [3],
        "alignment": weights,
    }


def labels(signature, inputs):
    texts = inputs["texts"]
    seconds = inputs.get("text_pairs", [""] * len(texts))
    return {
        "labels": [
            [f"{text}{second}", "other"]
            for text, second in zip(texts, seconds, strict=True)
        ],
        "scores": floats([[0.75, 0.25]] * len(texts)),
        "probabilities": floats([[0.25, 0.75, 0.0]] * len(texts)),
        "truncated": [False] * len(texts),
    }


def attention(signature, inputs):
    """The middle of three words has most, a special piece the rest."""
    assert signature == "with_attention"
    return {
        **labels(signature, inputs),
        "labels": [["positive", "other"]],
        "pieces": [["[CLS]", "sehr", "schön", "neu", ""]],
        "starts": [[0, 0, 5, 12, 0]],
        "ends": [[0, 4, 11, 15, 0]],
        "attention": floats([[0.5, 0.125, 0.25, 0.125, 0.0]]),
    }


def picture(height=40, width=60):
    pixels = np.full((height, width, 3), 128, "uint8")
    pixels[:, : width // 2] = 220
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def objects(signature, inputs):
    """Two objects in each image; images are told by their last byte."""
    count = len(inputs["image_bytes"])
    boxes = np.zeros((count, 3, 4), "float32")
    boxes[:, 0], boxes[:, 1] = [5, 10, 25, 30.5], [30, 5, 55, 35]
    found = {
        "boxes": boxes,
        "scores": floats([[0.75, 0.5, 0]] * count),
        "labels": [["cat", "dog", ""]] * count,
        "count": [2] * count,
        "sizes": [[40, 60]] * count,
        "status": ["ok"] * count,
    }
    if signature == "with_attention":
        maps = np.zeros((1, 3, 6, 9), "float32")
        maps[:, 0, 2, 1], maps[:, 1, 1, 5] = 1, 1
        own = np.zeros((1, 3, 4, 3, 4), "float32")
        own[:, 1, 2, 0, 1] = 1
        found |= {
            "attention": maps,
            "self_attention": own,
            "attention_cells": floats([[4.5, 7.25]]),
            "self_attention_cells": floats([[2.0, 3.0]]),
        }
    return found

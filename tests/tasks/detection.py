"""A detector that finds what it is told to, for tests of what stands around it."""

import numpy as np
from keras import ops

from zoo.data.object_classes import ObjectClasses
from zoo.models.detector import Detector
from zoo.tasks.detection import DetectionTask

CLASSES = ObjectClasses(("cat", "", "dog"), (3, 7, 17))


def made_task(**options) -> DetectionTask:
    options = {"num_queries": 4, "shortest": 32, "longest": 64} | options
    return DetectionTask(CLASSES, **options)


class ToldDetector(Detector):
    """Finds the same in every image; attention is what it is told, too.

    Args:
        boxes: as `zoo.ops.boxes` says, shape (queries, 4).
        logits: shape (queries, outputs).
        classification: see `Detector`.
    """

    def __init__(self, boxes, logits, classification="sigmoid"):
        super().__init__(len(CLASSES), classification, num_answers=1)
        self.told = np.array(boxes, "float32"), np.array(logits, "float32")
        self.num_queries = len(boxes)
        self.built = True

    def call(self, inputs, training=False):
        batch = ops.shape(inputs["pixels"])[0]
        boxes, logits = (
            ops.repeat(ops.convert_to_tensor(each)[None, None], batch, axis=0)
            for each in self.told
        )
        return {"boxes": boxes, "logits": logits}

    def attend(self, inputs):
        batch, height, width = ops.shape(inputs["mask"])
        fine = (height + 7) // 8, (width + 7) // 8
        coarse = (height + 15) // 16, (width + 15) // 16
        count = fine[0] * fine[1] + coarse[0] * coarse[1]
        queries = ops.arange(1, self.num_queries + 1, dtype="float32")
        weights = queries[None, None, :, None] * ops.ones((batch, 2, 1, count))
        places = coarse[0] * coarse[1]
        between = ops.ones((batch, 2, places, places))
        return self.call(inputs) | {
            "cross_attention": weights / ops.cast(count, "float32"),
            "self_attention": between / ops.cast(places, "float32"),
            "cells": ops.stack([ops.stack(fine), ops.stack(coarse)]),
            "strides": ops.convert_to_tensor((8, 16), "int32"),
        }

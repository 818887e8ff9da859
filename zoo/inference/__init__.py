"""Trained models laid out again for fast answers in a TensorFlow graph."""

from zoo.inference.folded_transformer import FoldedTransformer
from zoo.inference.linear import INT8_ENVIRONMENT, int8_works
from zoo.inference.readers import exported_reader
from zoo.inference.steppers import exported_stepper

__all__ = [
    "INT8_ENVIRONMENT",
    "FoldedTransformer",
    "exported_reader",
    "exported_stepper",
    "int8_works",
]

"""Decoding: greedy and beam search, sampling and scoring over any model, in a graph."""

from zoo.decoding.decode import decode, score
from zoo.decoding.options import DecodingOptions, Hypotheses
from zoo.decoding.steppers import ModelStepper, Stepper, gather_rows

__all__ = [
    "DecodingOptions",
    "Hypotheses",
    "ModelStepper",
    "Stepper",
    "decode",
    "gather_rows",
    "score",
]

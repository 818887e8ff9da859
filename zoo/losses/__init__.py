"""Losses, in keras.ops."""

from zoo.losses.label_loss import LabelLoss
from zoo.losses.sequence_crossentropy import SequenceCrossentropy

__all__ = ["LabelLoss", "SequenceCrossentropy"]

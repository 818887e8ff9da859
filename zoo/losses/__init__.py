"""Losses, in keras.ops."""

from zoo.losses.sequence_crossentropy import SequenceCrossentropy

__all__ = ["SequenceCrossentropy"]

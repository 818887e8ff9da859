"""Vocabularies of trained presets cut down to a corpus, or made larger for one."""

from zoo.surgery.presets import Operation, extend_vocabulary, trim_vocabulary

__all__ = ["Operation", "extend_vocabulary", "trim_vocabulary"]

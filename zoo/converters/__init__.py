"""Foreign checkpoints as presets: names and shapes, never code, never torch."""

from zoo.converters.convert import convert, find_checkpoint

__all__ = ["convert", "find_checkpoint"]

"""Foreign checkpoints as presets: names and shapes, never code, never torch."""

from zoo.converters.convert import convert

__all__ = ["convert"]

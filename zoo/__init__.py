"""Attention, from Bahdanau to DETR, as layers, recipes and exports that serve."""

from zoo.registry import get, names

__all__ = ["get", "names"]

"""Attention, from Bahdanau to DETR, as layers, recipes and exports that serve."""

import importlib

from zoo.registry import get, names

__all__ = [
    "Pretrained",
    "convert",
    "finetune",
    "get",
    "load",
    "names",
    "preset_names",
    "resume",
    "train",
]

_LAZY = {
    "Pretrained": "zoo.pretrained",
    "convert": "zoo.pretrained",
    "finetune": "zoo.pretrained",
    "load": "zoo.pretrained",
    "preset_names": "zoo.presets",
    "resume": "zoo.pretrained",
    "train": "zoo.pretrained",
}


def __getattr__(name: str):
    """Imports what needs Keras only when it is used: listing recipes stays quick."""
    if name not in _LAZY:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)

"""Presets for others: folders for Hugging Face's hub and for plain Keras."""

from zoo.sharing.folder import save_for_hub, save_for_keras
from zoo.sharing.push import files_to_push, push

__all__ = ["files_to_push", "push", "save_for_hub", "save_for_keras"]

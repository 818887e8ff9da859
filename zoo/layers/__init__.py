"""Keras layers, one public class a file."""

from zoo.layers.attention_cell import AttentionCell
from zoo.layers.bahdanau_attention import BahdanauAttention

__all__ = ["AttentionCell", "BahdanauAttention"]

"""Models: layers wired together, tensors in and tensors out."""

from zoo.models.rnn_seq2seq import RNNSeq2Seq
from zoo.models.transformer import Transformer

__all__ = ["RNNSeq2Seq", "Transformer"]

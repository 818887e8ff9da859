"""Models: layers wired together, tensors in and tensors out."""

from zoo.models.rnn_seq2seq import RNNSeq2Seq

__all__ = ["RNNSeq2Seq"]

"""Searching for the best output of a sequence model, inside a TensorFlow graph.

A model takes part through `encode`, `initial_state` and `step`; see
`zoo.models.rnn_seq2seq` for what they take and return.
"""

from zoo.decoding.search import Hypotheses, SearchOptions, search

__all__ = ["Hypotheses", "SearchOptions", "search"]

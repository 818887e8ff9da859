"""Texts with their words shaded by attention: for a terminal, a page or a picture.

Nothing here needs a display, TensorFlow or Keras: the weights of pieces come from a
task, from a file or from the JSON answer of a server.
"""

from zoo.highlights.highlight import Highlight, check_path
from zoo.highlights.words import split_words, word_weights

__all__ = ["Highlight", "check_path", "split_words", "word_weights"]

"""Labelled texts that tests split and look at."""

import random

from zoo.data.labelled_text import LabelledText


def numbered(counts):
    """That many examples of each label, mixed."""
    labels = [label for label, count in counts.items() for _ in range(count)]
    random.Random(5).shuffle(labels)
    return LabelledText([f"text {n}" for n in range(len(labels))], labels)

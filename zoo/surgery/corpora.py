"""What of a vocabulary a corpus uses."""

import heapq
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np

_LINES = ".txt"
_TEXTS_AT_ONCE = 1024


def texts_of(task, path) -> list[list[str]]:
    """The texts of a corpus, for each of a task's vocabularies.

    Args:
        task: of translation or of text classification.
        path: data as the task reads it, or a .txt of a text a line, which is of every
            language.

    Returns:
        One list a vocabulary: of a translation sources and targets.
    """
    sides = 2 if task.name == "translation" else 1
    if Path(path).suffix == _LINES:
        text = Path(path).read_text(encoding="utf-8-sig")
        lines = [line for line in text.splitlines() if line.strip()]
        if not lines:
            raise ValueError(f"{path} holds no text.")
        return [lines] * sides
    data = task.read(path)
    if sides == 1:
        return [[*data.texts, *data.pairs]]
    return [list(data.sources), [one for many in data.references for one in many]]


def encoded(codec, texts: list[str]) -> list[tuple[int, ...]]:
    """Ids of each text as its model reads it, without padding."""
    import tensorflow as tf

    found = []
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        ids, _ = codec.encode(tf.constant(texts[start : start + _TEXTS_AT_ONCE]))
        rows = ids.to_list()
        # Documents are lists of sentences.
        found += [
            tuple(
                id_
                for part in row
                for id_ in (part if isinstance(part, list) else [part])
            )
            for row in rows
        ]
    return found


def counted(rows: list[tuple[int, ...]], size: int) -> np.ndarray:
    """How often each id stands in rows."""
    flat = np.fromiter((id_ for row in rows for id_ in row), "int64")
    return np.bincount(flat, minlength=size)


def frequent_joins(rows, joins, most: int, fewest: int = 3) -> list[str]:
    """New pieces, each two neighbours' texts joined, the most frequent pairs first.

    What byte-pair encoding learns (Sennrich et al., 2016, algorithm 1), going on from
    the pieces that there are. A pair may have new pieces in it.

    Args:
        rows: each text's pieces.
        joins: function of two pieces to the joined one, or `None` where no piece may
            go across.
        most: how many.
        fewest: a pair that is seen less often is not worth a piece.
    """
    texts = [list(row) for row in rows]
    places: dict[tuple[str, str], Counter] = {}
    counts: Counter = Counter()
    heap: list[tuple[int, tuple[str, str]]] = []

    def count(number: int, sign: int) -> None:
        row = texts[number]
        for pair in pairwise(row):
            if joins(*pair) is not None:
                counts[pair] += sign
                places.setdefault(pair, Counter())[number] += sign
                heapq.heappush(heap, (-counts[pair], pair))

    for number in range(len(texts)):
        count(number, 1)
    known = {piece for row in texts for piece in row}
    found: list[str] = []
    while heap and len(found) < most:
        times, pair = heapq.heappop(heap)
        if -times != counts[pair]:
            continue
        if counts[pair] < fewest:
            break
        new = joins(*pair)
        for number in [n for n, times in places[pair].items() if times > 0]:
            count(number, -1)
            texts[number] = _joined(texts[number], pair, new)
            count(number, 1)
        counts[pair] = 0
        if new not in known:
            known.add(new)
            found.append(new)
    return found


def _joined(row: list[str], pair, new: str) -> list[str]:
    made, at = [], 0
    while at < len(row):
        if tuple(row[at : at + 2]) == pair:
            made.append(new)
            at += 2
        else:
            made.append(row[at])
            at += 1
    return made

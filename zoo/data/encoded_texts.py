"""Encoded texts with what is to be learnt of them, and batches of them."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.data.bucketed_batches import BucketedBatches
from zoo.data.ragged import Ragged

# Few, for a compiling backend compiles each.
BUCKETS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
SENTENCE_BUCKETS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class EncodedTexts:
    """Ids of texts, their targets, and how much each counts while training.

    Attributes:
        ids: a row a text; of documents, a row a sentence.
        targets: shape (texts,) or (texts, labels), as `LabelSet.encode` gives them.
        weights: shape (texts,), 1 where all count alike.
        sentence_ends: of documents, where in `ids` each ends, shape (texts,); else
            `None`.
    """

    ids: Ragged
    targets: np.ndarray
    weights: np.ndarray
    sentence_ends: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def save(self, path):
        arrays = {
            "values": self.ids.values,
            "ends": self.ids.ends,
            "targets": self.targets,
            "weights": self.weights,
        }
        if self.sentence_ends is not None:
            arrays["sentence_ends"] = self.sentence_ends
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path) -> "EncodedTexts":
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(
                    Ragged(arrays["values"], arrays["ends"]),
                    arrays["targets"],
                    arrays["weights"],
                    arrays.get("sentence_ends"),
                )
        except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
            raise ValueError(
                f"{path} is damaged ({error}). Prepare it again."
            ) from error

    def batches(self, batch_tokens: int, seed: int | None) -> BucketedBatches:
        """Batches of texts, or of documents."""
        if self.sentence_ends is None:
            return TextBatches(self, batch_tokens, seed)
        return DocumentBatches(self, batch_tokens, seed)


class TextBatches(BucketedBatches):
    """Batches of texts of like length: ids, targets and weights, 0 for empty rows.

    Args:
        texts: what to batch.
        batch_tokens: most positions in a batch, padding included.
        seed, buckets: see `BucketedBatches`.
    """

    def __init__(
        self,
        texts: EncodedTexts,
        batch_tokens: int,
        seed: int | None = 0,
        buckets: Sequence[int] = BUCKETS,
    ):
        self.texts = texts
        super().__init__(texts.ids.lengths, batch_tokens, seed, buckets)

    def make_batch(self, members, rows, width):
        ids = self.texts.ids.padded(members, rows, width)
        return {"token_ids": ids}, *_targets(self.texts, members, rows)


class DocumentBatches(BucketedBatches):
    """Batches of documents with about equally many sentences.

    All sentences are padded to the longest of all, so that a bucket has one shape.

    Args:
        documents: what to batch.
        batch_tokens: most positions in a batch, padding included.
        seed: see `BucketedBatches`.
        buckets: most sentences of a document, ascending.
    """

    def __init__(
        self,
        documents: EncodedTexts,
        batch_tokens: int,
        seed: int | None = 0,
        buckets: Sequence[int] = SENTENCE_BUCKETS,
    ):
        self.texts = documents
        # A document without a word has a sentence without one.
        self.words = max(1, int(documents.ids.lengths.max(initial=1)))
        counts = np.diff(documents.sentence_ends, prepend=0)
        super().__init__(counts, max(1, batch_tokens // self.words), seed, buckets)

    def make_batch(self, members, rows, width):
        ids = np.zeros((rows, width, self.words), np.int32)
        ends = self.texts.sentence_ends
        for row, member in enumerate(members):
            start = ends[member - 1] if member else 0
            numbers = np.arange(start, ends[member])
            ids[row] = self.texts.ids.padded(numbers, width, self.words)
        return {"token_ids": ids}, *_targets(self.texts, members, rows)


def _targets(texts: EncodedTexts, members, rows: int) -> tuple:
    """Targets and weights of a batch, filled up with rows that count nothing."""
    targets = np.zeros((rows, *texts.targets.shape[1:]), texts.targets.dtype)
    weights = np.zeros(rows, np.float32)
    targets[: len(members)] = texts.targets[members]
    weights[: len(members)] = texts.weights[members]
    return targets, weights

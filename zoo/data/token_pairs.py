"""Encoded sentence pairs, and batches of them counted in tokens."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.data.bucketed_batches import BucketedBatches
from zoo.data.ragged import Ragged
from zoo.data.vocabulary import PADDING_ID, START_ID

# Few, for a compiling backend compiles each: on an accelerator that takes longer than
# the padding it saves.
BUCKETS = (8, 12, 16, 24, 32, 48, 64, 96, 128)


@dataclass(frozen=True)
class TokenPairs:
    """Source and target ids of sentence pairs, each row ended by the end token."""

    sources: Ragged
    targets: Ragged

    def __len__(self) -> int:
        return len(self.sources)

    def save(self, path):
        np.savez_compressed(
            path,
            source_values=self.sources.values,
            source_ends=self.sources.ends,
            target_values=self.targets.values,
            target_ends=self.targets.ends,
        )

    @classmethod
    def join(cls, parts: "Sequence[TokenPairs]") -> "TokenPairs":
        """All pairs of several sets, in order."""
        return cls(
            Ragged.join([part.sources for part in parts]),
            Ragged.join([part.targets for part in parts]),
        )

    @classmethod
    def load(cls, path) -> "TokenPairs":
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(
                    Ragged(arrays["source_values"], arrays["source_ends"]),
                    Ragged(arrays["target_values"], arrays["target_ends"]),
                )
        except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
            raise ValueError(
                f"{path} is damaged ({error}). Prepare it again."
            ) from error


class TokenPairBatches(BucketedBatches):
    """Batches of pairs of like length: that of a pair is its longer side's.

    Args:
        pairs: what to batch.
        batch_tokens: most target positions in a batch, padding included.
        seed, buckets: see `BucketedBatches`.

    Raises:
        ValueError: no pair is short enough for the longest bucket.
    """

    def __init__(
        self,
        pairs: TokenPairs,
        batch_tokens: int,
        seed: int | None = 0,
        buckets: Sequence[int] = BUCKETS,
    ):
        self.pairs = pairs
        longest = np.maximum(pairs.sources.lengths, pairs.targets.lengths)
        super().__init__(longest, batch_tokens, seed, buckets)

    def make_batch(self, members, rows, width):
        sources = self.pairs.sources.padded(members, rows, width)
        targets = self.pairs.targets.padded(members, rows, width)
        # The decoder reads what stands before each target.
        inputs = np.roll(targets, 1, axis=1)
        inputs[:, 0] = START_ID
        inputs[targets == PADDING_ID] = PADDING_ID
        return {"source_ids": sources, "target_ids": inputs}, targets

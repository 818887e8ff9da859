"""Encoded sentence pairs, and batches of them counted in tokens."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zoo.data.vocabulary import PADDING_ID, START_ID

# Few, for a compiling backend compiles each: on an accelerator that takes longer than
# the padding it saves.
BUCKETS = (8, 12, 16, 24, 32, 48, 64, 96, 128)


@dataclass(frozen=True)
class Ragged:
    """Rows of ids of many lengths: `values` end to end, row n up to `ends[n]`."""

    values: np.ndarray
    ends: np.ndarray

    @classmethod
    def from_rows(cls, rows) -> "Ragged":
        rows = [np.asarray(row, np.int32) for row in rows]
        values = np.concatenate(rows) if rows else np.zeros(0, np.int32)
        return cls(values, np.cumsum([len(row) for row in rows], dtype=np.int64))

    @classmethod
    def join(cls, parts: "Sequence[Ragged]") -> "Ragged":
        """All rows of several, in order."""
        lengths = np.concatenate([part.lengths for part in parts])
        return cls(np.concatenate([part.values for part in parts]), np.cumsum(lengths))

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.ends, prepend=0)

    def padded(self, numbers, count: int, width: int) -> np.ndarray:
        """Some rows as an array of shape (count, width), padded below and right."""
        array = np.full((count, width), PADDING_ID, np.int32)
        lengths = self.lengths[numbers][:, np.newaxis]
        columns = np.arange(width)
        starts = self.ends[numbers][:, np.newaxis] - lengths
        real = columns < lengths
        array[: len(numbers)][real] = self.values[(starts + columns)[real]]
        return array

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.values[self.ends[index - 1] if index else 0 : self.ends[index]]


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


class TokenPairBatches:
    """Batches of pairs of like length, with about equally many tokens each.

    A pair belongs to the first bucket that holds its longer side; all batches of a
    bucket have one shape, so a compiling backend compiles once a bucket. The last
    batch of a bucket is filled with empty rows, which no loss counts. The order is a
    pure function of `seed` and the step, so training can go on from any step.

    Args:
        pairs: what to batch.
        batch_tokens: most target positions in a batch, padding included.
        seed: of the shuffling; `None` keeps file order within each bucket.
        buckets: longest sides, ascending; pairs beyond the last are left out.

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
        self.batch_tokens = batch_tokens
        self.seed = seed
        self.buckets = tuple(buckets)
        longest = np.maximum(pairs.sources.lengths, pairs.targets.lengths)
        self._bucket = np.searchsorted(self.buckets, longest)
        self.left_out = int(np.sum(self._bucket == len(self.buckets)))
        if self.left_out == len(pairs):
            raise ValueError(
                f"None of {len(pairs)} pairs has at most {self.buckets[-1]} pieces a "
                "side."
            )
        self.steps_per_epoch = len(self._plan(0))

    def stream(self, start_step: int = 0) -> Iterator[tuple[dict, np.ndarray]]:
        """Endless batches from a step on: epoch after epoch, each shuffled anew."""
        while True:
            epoch, offset = divmod(start_step, self.steps_per_epoch)
            for bucket, members in self._plan(epoch)[offset:]:
                yield self._batch(bucket, members)
                start_step += 1

    def once(self) -> Iterator[tuple[dict, np.ndarray]]:
        """Every pair once."""
        for bucket, members in self._plan(0):
            yield self._batch(bucket, members)

    def _plan(self, epoch: int) -> list[tuple[int, np.ndarray]]:
        """The batches of an epoch, as bucket and members."""
        random = (
            None if self.seed is None else np.random.default_rng([self.seed, epoch])
        )
        batches = []
        for bucket in range(len(self.buckets)):
            members = np.flatnonzero(self._bucket == bucket)
            if random is not None:
                random.shuffle(members)
            size = self._rows(bucket)
            batches += [
                (bucket, members[start : start + size])
                for start in range(0, len(members), size)
            ]
        if random is not None:
            random.shuffle(batches)
        return batches

    def _rows(self, bucket: int) -> int:
        """Rows of every batch of a bucket; no more than the bucket has pairs."""
        available = int(np.sum(self._bucket == bucket))
        return min(max(1, self.batch_tokens // self.buckets[bucket]), max(1, available))

    def _batch(self, bucket: int, members: np.ndarray):
        shape = self._rows(bucket), self.buckets[bucket]
        sources = self.pairs.sources.padded(members, *shape)
        targets = self.pairs.targets.padded(members, *shape)
        # The decoder reads what stands before each target.
        inputs = np.roll(targets, 1, axis=1)
        inputs[:, 0] = START_ID
        inputs[targets == PADDING_ID] = PADDING_ID
        return {"source_ids": sources, "target_ids": inputs}, targets

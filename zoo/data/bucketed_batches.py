"""Batches of examples of like length, counted in positions."""

from collections.abc import Iterator, Sequence

import numpy as np


class BucketedBatches:
    """Batches of examples of like length, with about equally many positions each.

    An example belongs to the first bucket that holds it; all batches of a bucket have
    one shape, so a compiling backend compiles once a bucket. The last batch of a
    bucket is filled with empty rows, which no loss counts. The order is a pure function
    of `seed` and the step, so training can go on from any step.

    A subclass makes a batch of its examples in `make_batch`.

    Args:
        lengths: of the examples, shape (examples,).
        batch_tokens: most positions in a batch, padding included.
        seed: of the shuffling; `None` keeps file order within each bucket.
        buckets: longest lengths, ascending; examples beyond the last are left out.

    Raises:
        ValueError: no example is short enough for the longest bucket.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_tokens: int,
        seed: int | None,
        buckets: Sequence[int],
    ):
        self.batch_tokens = batch_tokens
        self.seed = seed
        self.buckets = tuple(buckets)
        self._bucket = np.searchsorted(self.buckets, lengths)
        self.left_out = int(np.sum(self._bucket == len(self.buckets)))
        if self.left_out == len(lengths):
            raise ValueError(
                f"None of {len(lengths)} examples is at most {self.buckets[-1]} long."
            )
        self.steps_per_epoch = len(self._plan(0))

    def make_batch(self, members: np.ndarray, rows: int, width: int):
        """What `fit` takes: some examples in an array of that many rows and columns.

        Args:
            members: indices of examples, at most `rows`.
            rows: of the batch.
            width: the bucket's length.
        """
        raise NotImplementedError

    def stream(self, start_step: int = 0) -> Iterator[tuple]:
        """Endless batches from a step on: epoch after epoch, each shuffled anew."""
        while True:
            epoch, offset = divmod(start_step, self.steps_per_epoch)
            for bucket, members in self._plan(epoch)[offset:]:
                yield self._batch(bucket, members)
                start_step += 1

    def once(self) -> Iterator[tuple]:
        """Every example once."""
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
        """Rows of every batch of a bucket; no more than the bucket has examples."""
        available = int(np.sum(self._bucket == bucket))
        return min(max(1, self.batch_tokens // self.buckets[bucket]), max(1, available))

    def _batch(self, bucket: int, members: np.ndarray):
        return self.make_batch(members, self._rows(bucket), self.buckets[bucket])

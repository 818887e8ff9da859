"""Rows of many lengths as two arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zoo.data.vocabulary import PADDING_ID


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

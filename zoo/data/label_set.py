"""What labels mean: one of several, a set of them, or a number."""

import difflib
import hashlib
import math
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from zoo.data.labelled_text import LabelledText, is_one_line
from zoo.data.parallel_text import DataWarning
from zoo.data.raw_labels import (
    Kind,
    check_kind,
    is_number,
    names_of,
    numbers_of,
    shown_name,
)
from zoo.files import read_json, write_json, written_whole

_FORMAT = 1
_MOST_NAMES = 1000


class LabelDifference(NamedTuple):
    """Names of two label sets, each in the order of its set."""

    only_here: tuple[str, ...]
    only_there: tuple[str, ...]
    shared: tuple[str, ...]


@dataclass(frozen=True)
class LabelSet:
    """The labels of a classifier in the order of its outputs, or a scale of numbers.

    Args:
        kind: "single", one label an example; "multi", any number of them;
            "regression", a number.
        names: labels in the order of the model's outputs; none for numbers.
        mean: of the training values, for numbers.
        deviation: standard deviation of the training values, for numbers.

    Raises:
        ValueError: names that are empty, repeat, or are more than one line each; or
            a scale that is none.

    Example:

        labels = LabelSet.learn(read_labelled_text("reviews.csv"), "single")
        targets = labels.encode(read_labelled_text("valid.csv"))
    """

    kind: Kind
    names: tuple[str, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0

    def __post_init__(self):
        check_kind(self.kind)
        object.__setattr__(self, "names", tuple(self.names))
        if self.kind == "regression":
            scale = self.mean, self.deviation
            if self.names or not all(map(math.isfinite, scale)) or self.deviation <= 0:
                raise ValueError(
                    "Numbers have no names, a finite mean and a deviation above 0. "
                    f"Received: {len(self.names)} names, mean {self.mean}, "
                    f"deviation {self.deviation}."
                )
            return
        wrong = [n for n in self.names if not n or n != n.strip() or not is_one_line(n)]
        wrong += [n for n, count in Counter(self.names).items() if count > 1]
        if wrong or len(self.names) < (2 if self.kind == "single" else 1):
            raise ValueError(
                "Labels are at least two different names, or one where an example may "
                "have none; each is one line without white space around it. Received: "
                f"{len(self.names)} names{f', with {wrong[0]!r}' if wrong else ''}."
            )

    @classmethod
    def learn(
        cls, data: LabelledText, kind: Kind, max_labels: int = _MOST_NAMES
    ) -> "LabelSet":
        """Reads the labels off training data.

        Names that are all numbers stand in the order of their values, others in that
        of their code points. In sets of labels a string is split at "|".

        Raises:
            ValueError: fewer than two labels, more than `max_labels`, an example
                without the one label it needs, or values that are no finite numbers
                or all the same.
        """
        check_kind(kind)
        if kind == "regression":
            return cls(kind, (), *_scale(numbers_of(data), data.origin))
        rows = names_of(data, kind)
        counts = Counter(name for row in rows for name in row)
        _check_counts(counts, data, kind, max_labels)
        if rare := [name for name, count in counts.items() if count < 2]:
            shown = ", ".join(map(shown_name, rare[:5])) + (", …" if rare[5:] else "")
            warnings.warn(
                f"{len(rare)} of {len(counts)} labels have a single example: {shown}. "
                "A model can hardly learn them.",
                DataWarning,
                stacklevel=2,
            )
        return cls(kind, tuple(_ordered(counts)))

    @classmethod
    def load(cls, folder) -> "LabelSet":
        """Reads what `save` wrote.

        Raises:
            FileNotFoundError: one of the two files is missing.
            ValueError: one of them is damaged.
        """
        folder = Path(folder)
        about = read_json(folder / "labels.json")
        if not isinstance(about, dict) or about.get("format") != _FORMAT:
            raise ValueError(
                f"{folder / 'labels.json'} must be an object of format {_FORMAT}. "
                f"Received: {about!r:.200}."
            )
        try:
            text = (folder / "labels.txt").read_bytes().decode("utf-8-sig")
            if text and not text.endswith("\n"):
                raise ValueError("labels.txt ends in the middle of a line")
            names = text.replace("\r\n", "\n").split("\n")[:-1]
            scale = float(about["mean"]), float(about["deviation"])
            return cls(about["kind"], tuple(names), *scale)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"The labels in {folder} are damaged: {error}") from error

    def save(self, folder) -> None:
        """Writes `labels.txt`, a name a line, and `labels.json`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / "labels.txt") as beside:
            beside.write_bytes(self._content)
        about = {"format": _FORMAT, "kind": self.kind}
        about |= {"mean": self.mean, "deviation": self.deviation}
        write_json(folder / "labels.json", about)

    def __len__(self) -> int:
        """The number of outputs a model needs."""
        return 1 if self.kind == "regression" else len(self.names)

    @property
    def sha256(self) -> str:
        """Of `labels.txt`."""
        return hashlib.sha256(self._content).hexdigest()

    def describe(self) -> dict[str, Any]:
        """What a manifest says of the labels."""
        about = {"kind": self.kind, "labels": len(self.names), "sha256": self.sha256}
        if self.kind == "regression":
            return about | {"mean": self.mean, "deviation": self.deviation}
        few = len(self.names) <= _MOST_NAMES
        return about | ({"names": list(self.names)} if few else {})

    def row_of(self, name: str) -> int:
        """Which output is a label's.

        Raises:
            ValueError: there is no such label.
        """
        if name not in self.names:
            raise ValueError(
                f"No label {name!r}{_nearest(name, self.names)}. "
                f"There is: {_listed(self.names)}."
            )
        return self.names.index(name)

    def encode(self, data: LabelledText) -> np.ndarray:
        """The targets that a model learns.

        Returns:
            "single": int32 (examples,), the row of each label. "multi": float32
            (examples, labels), 1 for the labels of an example, else 0. "regression":
            float32 (examples,), in deviations from the mean.

        Raises:
            ValueError: labels that are not of this set, or not of its kind.
        """
        if self.kind == "regression":
            scaled = (np.array(numbers_of(data)) - self.mean) / self.deviation
            return scaled.astype(np.float32)
        rows = names_of(data, self.kind)
        self._check_known(rows, data)
        row_of = {name: row for row, name in enumerate(self.names)}
        if self.kind == "single":
            return np.array([row_of[name] for (name,) in rows], np.int32)
        targets = np.zeros((len(rows), len(self.names)), np.float32)
        for target, row in zip(targets, rows, strict=True):
            target[[row_of[name] for name in row]] = 1
        return targets

    def unscaled(self, values) -> np.ndarray:
        """Numbers as they were before `encode`; same shape."""
        return np.asarray(values) * self.deviation + self.mean

    def difference(self, other: "LabelSet") -> LabelDifference:
        here, there = set(self.names), set(other.names)
        return LabelDifference(
            only_here=tuple(name for name in self.names if name not in there),
            only_there=tuple(name for name in other.names if name not in here),
            shared=tuple(name for name in self.names if name in there),
        )

    @property
    def _content(self) -> bytes:
        return "".join(f"{name}\n" for name in self.names).encode("utf-8")

    def _check_known(self, rows, data):
        known = set(self.names)
        counts = Counter(name for row in rows for name in row)
        strange = [name for name in counts if name not in known]
        if not strange:
            return
        strange.sort(key=lambda name: (-counts[name], name))
        shown = "; ".join(
            f"{shown_name(name)} ({counts[name]}{_nearest(name, self.names)})"
            for name in strange[:10]
        )
        more = f"; and {len(strange) - 10} more" if len(strange) > 10 else ""
        unused = [name for name in self.names if name not in counts]
        places = [i for i, row in enumerate(rows) if not known.issuperset(row)]
        raise ValueError(
            f"{len(strange)} of the {len(counts)} labels in the data are not in the "
            f"label set (number of examples in brackets): {shown}{more}. They stand on "
            f"{data.places(places)}. The label set has {len(known)}: "
            f"{_listed(self.names)}; of these the data lacks "
            f"{_listed(unused) if unused else 'none'}. Correct the labels in the file; "
            "or, when fine-tuning, learn the labels of the data: --reset-head for a "
            "fresh output layer, --reuse-head for one that keeps what the model knows "
            "of labels in both."
        )


def _scale(values: list[float], origin: str) -> tuple[float, float]:
    if len(set(values)) < 2:
        raise ValueError(
            f"All {len(values)} values{f' of {origin}' if origin else ''} are the same"
            f"{f', {values[0]}' if values else ''}: there is nothing to learn."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = float(np.mean(values)), float(np.std(values))
    if not math.isfinite(mean + deviation) or deviation == 0:
        raise ValueError(
            f"Values from {min(values)} to {max(values)} are beyond what float64 can "
            "average: give them in another unit."
        )
    return mean, deviation


def _check_counts(counts, data, kind, max_labels):
    if len(counts) < (2 if kind == "single" else 1):
        found = (
            f"all have the label {shown_name(*counts)}" if counts else "have no label"
        )
        raise ValueError(
            f"There is nothing to tell apart: the {len(data)} examples"
            f"{f' of {data.origin}' if data.origin else ''} {found}. Is it the right "
            "column? Another one is named by --columns review,stars."
        )
    if len(counts) > max_labels:
        numbers = all(map(is_number, counts))
        scale = ' If they are values on a scale, use kind="regression".'
        raise ValueError(
            f"{len(counts)} different labels for {len(data)} examples look like a "
            "column of ids or of free text. If they are labels, allow them: "
            f"max_labels={len(counts)}.{scale if numbers else ''}"
        )


def _ordered(names: Iterable[str]) -> list[str]:
    names = sorted(names)
    return sorted(names, key=float) if all(map(is_number, names)) else names


def _nearest(name: str, names) -> str:
    lower = {known[:100].lower(): known for known in reversed(names)}
    near = difflib.get_close_matches(name[:100].lower(), list(lower), 1)
    return f", nearest is {shown_name(lower[near[0]])}" if near else ""


def _listed(names) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(map(shown_name, names[:10])) + more

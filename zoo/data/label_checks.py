"""Labelled data looked at before a model learns from it."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from zoo.data.label_splits import text_keys
from zoo.data.labelled_text import LabelledText
from zoo.data.parallel_text import DataWarning
from zoo.data.raw_labels import Kind, label_names

_QUANTILES = {"min": 0, "median": 0.5, "90 %": 0.9, "99 %": 0.99, "max": 1}


@dataclass(frozen=True)
class DataSummary:
    """What can be said of two splits without a model.

    Equal texts are those that agree but for white space and upper or lower case; of
    pairs both texts agree.

    Attributes:
        kind: what the labels are; numbers have no counts.
        train_examples: number of them.
        valid_examples: number of them.
        train_labels: examples of each label, the most frequent first.
        valid_labels: the same of the validation data.
        lengths: characters of the training texts: min, median, 90 %, 99 % and max.
        duplicates: training examples that repeat an earlier one, label and all.
        conflicts: places of training examples whose text has another label elsewhere.
        conflicting: number of such examples.
        leaks: places of validation examples whose text is trained on.
        leaking: number of such examples.
    """

    kind: Kind
    train_examples: int
    valid_examples: int
    train_labels: dict[str, int] = field(default_factory=dict)
    valid_labels: dict[str, int] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    conflicting: int = 0
    conflicts: str = ""
    leaking: int = 0
    leaks: str = ""

    @property
    def imbalance(self) -> float:
        """How many times more examples the most frequent label has than the rarest."""
        counts = self.train_labels.values()
        return max(counts) / min(counts) if counts else 1.0

    @property
    def only_in_train(self) -> list[str]:
        return [name for name in self.train_labels if name not in self.valid_labels]

    @property
    def only_in_valid(self) -> list[str]:
        return [name for name in self.valid_labels if name not in self.train_labels]

    def lines(self) -> list[str]:
        """The summary for people, a fact a line."""
        found = [
            f"{self.train_examples:,} examples to train on, "
            f"{self.valid_examples:,} to validate on"
        ]
        if self.train_labels:
            found.append(self._label_line())
        if self.lengths:
            sizes = {name: f"{size:,}" for name, size in self.lengths.items()}
            found.append(
                "characters a text: {min} to {max}, half at most {median}, "
                "90 % at most {90 %}, 99 % at most {99 %}".format_map(sizes)
            )
        for count, what in (
            (self.duplicates, "training examples repeat an earlier one"),
            (self.conflicting, "training examples have another label elsewhere"),
            (self.leaking, "validation texts are also trained on"),
        ):
            if count:
                found.append(f"{count:,} {what}")
        if self.valid_examples and self.only_in_train:
            found.append(f"only in training: {_listed(self.only_in_train)}")
        if self.only_in_valid:
            found.append(f"only in validation: {_listed(self.only_in_valid)}")
        return found

    def _label_line(self) -> str:
        items = [f"{name} {count:,}" for name, count in self.train_labels.items()]
        shown = items if len(items) <= 6 else [*items[:3], "…", *items[-2:]]
        ratio = f"{self.imbalance:.3g} times the rarest"
        return f"{len(items):,} labels: {', '.join(shown)}; most frequent {ratio}"


def summarise(
    train: LabelledText, valid: LabelledText | None = None, kind: Kind = "single"
) -> DataSummary:
    """Counts labels, lengths, repetitions, contradictions and leaks.

    Args:
        train: the training data.
        valid: the validation data, if there is some.
        kind: what the labels are, as `LabelSet` has it.
    """
    valid = LabelledText() if valid is None else valid
    keys, labels = text_keys(train), [_meaning(label, kind) for label in train.labels]
    label_sets: dict[str, set] = {}
    for key, label in zip(keys, labels, strict=True):
        label_sets.setdefault(key, set()).add(label)
    conflicts = [i for i, key in enumerate(keys) if len(label_sets[key]) > 1]
    leaks = [i for i, key in enumerate(text_keys(valid)) if key in label_sets]
    exact = zip(train.texts, train.pairs or train.texts, labels, strict=True)
    return DataSummary(
        kind=kind,
        train_examples=len(train),
        valid_examples=len(valid),
        train_labels=_count(train, kind),
        valid_labels=_count(valid, kind),
        lengths=_lengths(train),
        duplicates=len(train) - len(set(exact)),
        conflicting=len(conflicts),
        conflicts=train.places(conflicts) if conflicts else "",
        leaking=len(leaks),
        leaks=valid.places(leaks) if leaks else "",
    )


def warn_of_trouble(summary: DataSummary) -> None:
    """Warns of what makes scores too good, or labels impossible to learn or judge."""
    if summary.leaking:
        _warn(
            f"{summary.leaking} of {summary.valid_examples} validation texts are also "
            f"trained on ({summary.leaks}): scores on them say what was learnt by "
            "heart. Take them out of one."
        )
    # Two people seldom give the same number, so of numbers it is no sign of a mistake.
    if summary.conflicting and summary.kind != "regression":
        _warn(
            f"{summary.conflicting} of {summary.train_examples} training examples have "
            f"a text that stands with another label elsewhere ({summary.conflicts}): "
            "no model can learn both. Correct the labels or take the texts out."
        )
    if summary.valid_examples and (missing := summary.only_in_train):
        _warn(
            f"{len(missing)} of {len(summary.train_labels)} training labels have no "
            f"validation example, so no score tells of them: {_listed(missing)}."
        )


def _meaning(label, kind):
    """A label so that equal ones compare equal: the order of a set is no matter."""
    if kind == "regression" and isinstance(label, str):
        return label.strip()
    return frozenset(label_names(label, kind))


def _count(data: LabelledText, kind: Kind) -> dict[str, int]:
    if kind == "regression":
        return {}
    counts = Counter(name for label in data.labels for name in label_names(label, kind))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _lengths(data: LabelledText) -> dict[str, int]:
    if not data:
        return {}
    sizes = [
        len(text) + len(pair)
        for text, pair in zip(data.texts, data.pairs or [""] * len(data), strict=True)
    ]
    # Lengths that occur: the least that so many texts do not exceed.
    found = np.quantile(sizes, list(_QUANTILES.values()), method="inverted_cdf")
    return dict(zip(_QUANTILES, map(int, found), strict=True))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")


def _warn(message: str) -> None:
    warnings.warn(message, DataWarning, stacklevel=3)

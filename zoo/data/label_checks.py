"""Labelled data looked at before a model learns from it, and split."""

import hashlib
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from zoo.data.label_set import Kind, label_names
from zoo.data.labelled_text import LabelledText
from zoo.data.parallel_text import DataWarning

_QUANTILES = {"min": 0, "median": 0.5, "90 %": 0.9, "99 %": 0.99, "max": 1}
# Labels with fewer examples are held out only where nothing else can be.
_FEWEST = 5


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
    keys, labels = _keys(train), [_meaning(label, kind) for label in train.labels]
    label_sets: dict[str, set] = {}
    for key, label in zip(keys, labels, strict=True):
        label_sets.setdefault(key, set()).add(label)
    conflicts = [i for i, key in enumerate(keys) if len(label_sets[key]) > 1]
    leaks = [i for i, key in enumerate(_keys(valid)) if key in label_sets]
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


def hold_out_labelled(
    data: LabelledText, share: float = 0.1, most: int = 2_000, kind: Kind = "single"
) -> tuple[LabelledText, LabelledText]:
    """Splits examples into those to train on and those to validate on.

    Which are held out follows from a hash of the text: equal texts stay together,
    and the choice is the same tomorrow. Of every label the same share is held out,
    and at least one example where it has five or more, even if that makes more than
    `most`. No label is held out whole.

    Args:
        data: all examples.
        share: of examples to hold out.
        most: examples to hold out, at most.
        kind: what the labels are, as `LabelSet` has it.

    Returns:
        The rest and the held out, each in the order of the data.

    Raises:
        ValueError: so few examples that none can be held out.
    """
    if not 0 < share < 1 or most < 1:
        raise ValueError(
            "share lies between 0 and 1, and most is at least 1. "
            f"Received: share={share}, most={most}."
        )
    wanted = min(most, max(1, round(share * len(data))))
    strata = [_strata(label, kind) for label in data.labels]
    held = sorted(_choose(_groups(data), strata, wanted))
    if not held:
        raise ValueError(
            f"None of {len(data)} examples can be held out without losing a label or "
            "text to train on. Give more of each label, or a validation file: --valid."
        )
    known = set(held)
    rest = [index for index in range(len(data)) if index not in known]
    return data.chosen(rest), data.chosen(held)


def class_weights(targets, count: int) -> np.ndarray:
    """Weights that give every label the same sum: N / (K n_k).

    N examples, n_k of label k, K labels. A label without examples gets 0 and does not
    count in K, so that the mean weight of an example is 1.

    Args:
        targets: integers (examples,), the row of each label.
        count: number of labels.

    Returns:
        float32 (count,).

    Raises:
        ValueError: targets that are not rows of labels.
    """
    targets = np.asarray(targets)
    integers = targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer)
    if not integers or not targets.size or targets.min() < 0 or targets.max() >= count:
        raise ValueError(
            f"Class weights need integers (examples,) from 0 to {count - 1}, one label "
            f"an example. Received: shape {targets.shape}, {targets.dtype}"
            + (f", {targets.min()} to {targets.max()}." if targets.size else ".")
        )
    examples = np.bincount(targets, minlength=count)
    present = np.count_nonzero(examples)
    weights = targets.size / (present * np.maximum(examples, 1))
    return np.where(examples > 0, weights, 0).astype(np.float32)


def _keys(data: LabelledText) -> list[str]:
    """What equal texts have in common."""
    pairs = data.pairs or [""] * len(data)
    return [
        f"{_normalised(text)}\n{_normalised(pair)}"
        for text, pair in zip(data.texts, pairs, strict=True)
    ]


def _normalised(text: str) -> str:
    return " ".join(text.split()).casefold()


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


def _strata(label, kind) -> tuple[str, ...]:
    """The labels that an example is to be shared out by."""
    return ("",) if kind == "regression" else label_names(label, kind) or ("",)


def _groups(data: LabelledText) -> list[list[int]]:
    """Indices of equal texts, in an order that depends on the texts alone."""
    groups: dict[str, list[int]] = {}
    for index, key in enumerate(_keys(data)):
        groups.setdefault(key, []).append(index)
    return [groups[key] for key in sorted(groups, key=_hash)]


def _choose(groups, strata, wanted: int) -> set[int]:
    totals = Counter(name for names in strata for name in names)
    quotas = {
        name: max(1, round(count * wanted / len(strata))) if count >= _FEWEST else 0
        for name, count in totals.items()
    }
    held, taken = set(), Counter()

    def take_if(group, limits) -> None:
        sizes = Counter(name for index in group for name in strata[index])
        if all(taken[name] + size <= limits[name] for name, size in sizes.items()):
            held.update(group)
            taken.update(sizes)

    for group in groups:
        if len(held) + len(group) <= wanted:
            take_if(group, quotas)
    # Labels that only stand beside others, or in large groups, have none as yet.
    but_one = {name: count - 1 for name, count in totals.items()}
    for name in sorted(quotas, key=lambda name: (totals[name], name)):
        if not quotas[name] or taken[name]:
            continue
        with_name = [g for g in groups if any(name in strata[i] for i in g)]
        for group in sorted(with_name, key=len):
            if not taken[name]:
                take_if(group, but_one)
    # Nor has any label, where all are rare.
    for group in groups:
        if not any(quotas.values()) and len(held) < wanted:
            take_if(group, but_one)
    return held


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")


def _warn(message: str) -> None:
    warnings.warn(message, DataWarning, stacklevel=3)

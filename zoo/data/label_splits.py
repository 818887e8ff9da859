"""Labelled data split into what to train on and what to validate on."""

import hashlib
from collections import Counter

from zoo.data.holding_out import groups_of_equals, number_to_hold_out
from zoo.data.labelled_text import LabelledText
from zoo.data.raw_labels import Kind, label_names

# Labels with fewer examples are held out only where nothing else can be.
_FEWEST = 5


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
        ValueError: so few examples that none can be held out, or a share that is
            none.
    """
    wanted = number_to_hold_out(len(data), share, most)
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


def text_keys(data: LabelledText) -> list[str]:
    """What equal texts have in common.

    Equal are texts that agree but for white space and upper or lower case; of pairs
    both texts agree.
    """
    pairs = data.pairs or [""] * len(data)
    return [
        f"{_normalised(text)}\n{_normalised(pair)}"
        for text, pair in zip(data.texts, pairs, strict=True)
    ]


def _normalised(text: str) -> str:
    return " ".join(text.split()).casefold()


def _strata(label, kind) -> tuple[str, ...]:
    """The labels that an example is to be shared out by."""
    return ("",) if kind == "regression" else label_names(label, kind) or ("",)


def _groups(data: LabelledText) -> list[list[int]]:
    """Indices of equal texts, in an order that depends on the texts alone."""
    groups = groups_of_equals(text_keys(data))
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

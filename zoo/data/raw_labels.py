"""What the labels of a file say, before anything is known of the others."""

import math
import re
from typing import Literal, get_args

from zoo.data.labelled_text import LabelledText

Kind = Literal["single", "multi", "regression"]

_SEPARATOR = "|"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def check_kind(kind: str) -> None:
    """Refuses what is no kind of label.

    Raises:
        ValueError: another kind.
    """
    if kind not in get_args(Kind):
        raise ValueError(
            f"kind must be one of {', '.join(get_args(Kind))}. Received: kind={kind!r}."
        )


def label_names(label: str | list[str], kind: Kind) -> tuple[str, ...]:
    """The names in one raw label, in their order and each once.

    A set of labels is a list, or a string with "|" between them; in "single" and
    "regression" a string is one name. Empty names are none.
    """
    if isinstance(label, str):
        label = label.split(_SEPARATOR) if kind == "multi" else [label]
    return tuple(dict.fromkeys(filter(None, map(str.strip, label))))


def names_of(data: LabelledText, kind: Kind) -> list[tuple[str, ...]]:
    """The names in the label of each example.

    Raises:
        ValueError: in "single", an example without a label or with a list of them.
    """
    if kind == "single":
        _refuse_lists(data, kind)
        empty = [i for i, label in enumerate(data.labels) if not label.strip()]
        if empty:
            raise ValueError(
                f"{len(empty)} examples have no label: {data.places(empty)}. Give them "
                'one, or say that examples may have none: kind="multi".'
            )
    return [label_names(label, kind) for label in data.labels]


def numbers_of(data: LabelledText) -> list[float]:
    """The label of each example as a number.

    Raises:
        ValueError: a label that is no finite number, or a list.
    """
    _refuse_lists(data, "regression")
    wrong = [i for i, label in enumerate(data.labels) if not is_number(label)]
    if wrong:
        raise ValueError(
            f"{len(wrong)} labels are no finite numbers, such as "
            f"{shown_name(data.labels[wrong[0]])}: {data.places(wrong)}. Correct them, "
            'or take the labels for names: kind="single".'
        )
    return [float(label) for label in data.labels]


def is_number(label: str) -> bool:
    """Whether a label is a finite number in decimals."""
    found = _NUMBER.fullmatch(label.strip())
    return found is not None and math.isfinite(float(label))


def shown_name(name: str) -> str:
    """A name for a message, in quotation marks and not too long."""
    return repr(name if len(name) <= 60 else f"{name[:59]}…")


def _refuse_lists(data, kind):
    lists = [i for i, label in enumerate(data.labels) if not isinstance(label, str)]
    if lists:
        raise ValueError(
            f'In kind="{kind}" every example has one label, but {len(lists)} have a '
            f'list: {data.places(lists)}. For sets of labels use kind="multi".'
        )

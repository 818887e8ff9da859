"""Checks names and values that a user gave, and says what would have been right."""

import difflib
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def convert(key: str, value: Any, kind: Any) -> Any:
    """Checks a value against an option's type, reading it from a string if it is one.

    Of a union there is only `kind | None`; of tuples those of any length, of strings
    or of pairs of a string and a number. Lists will do for tuples, a mapping for
    pairs, and in a string the items stand with spaces between, pairs as name=number.

    Raises:
        ValueError: the value does not fit the type.
    """
    if get_origin(kind) in (Union, types.UnionType):
        return None if value is None else convert(key, value, get_args(kind)[0])
    if get_origin(kind) is tuple:
        return _several(key, value, get_args(kind)[0])
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(unknown(f"value of {key}", value, list(get_args(kind))))
        return value
    try:
        if kind is bool:
            return _boolean(value)
        if (
            kind is int
            and not isinstance(value, bool)
            and float(value) == int(float(value))
        ):
            return int(float(value))
        if kind is float and not isinstance(value, bool):
            return float(value)
        if kind is str and isinstance(value, str):
            return value
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(
        f"{key} must be {'an' if kind is int else 'a'} {kind.__name__}. "
        f"Received: {key}={value!r}."
    )


def convert_fields(dataclass: type, values: dict[str, Any]) -> dict[str, Any]:
    """Checks values against a dataclass's fields, reading them from strings.

    Raises:
        ValueError: an unknown field (with the nearest match), or a wrong type.
    """
    kinds = get_type_hints(dataclass)
    for key in values:
        if key not in kinds:
            raise ValueError(unknown("option", key, list(kinds)))
    return {key: convert(key, value, kinds[key]) for key, value in values.items()}


def unknown(kind: str, name: Any, known: list) -> str:
    """The message for a wrong name: what exists, and the nearest match."""
    near = difflib.get_close_matches(str(name), [str(item) for item in known], 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"No {kind} {name!r}.{hint} There is: {', '.join(map(str, known))}."


def _several(key: str, value: Any, kind: Any) -> tuple:
    """Items of a tuple: each a string, or a pair."""
    pairs = get_origin(kind) is tuple
    if isinstance(value, Mapping) and pairs:
        items = list(value.items())
    elif isinstance(value, str):
        items = value.split()
    elif isinstance(value, list | tuple):
        items = list(value)
    else:
        expected = "names with numbers" if pairs else "a list of strings"
        raise ValueError(f"{key} must be {expected}. Received: {key}={value!r}.")
    if not pairs:
        return tuple(convert(key, item, kind) for item in items)
    return tuple(_pair(key, item, get_args(kind)) for item in items)


def _pair(key: str, item: Any, kinds: tuple) -> tuple:
    # The name may be a regular expression, the number holds no "=".
    parts = item.rpartition("=")[::2] if isinstance(item, str) else item
    if not isinstance(parts, list | tuple) or len(parts) != 2 or not parts[0]:
        raise ValueError(f"{key} takes name=number. Received: {key}={item!r}.")
    return tuple(
        convert(key, part, kind) for part, kind in zip(parts, kinds, strict=True)
    )


def _boolean(value) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise ValueError(value)

"""Checks names and values that a user gave, and says what would have been right."""

import difflib
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def convert(key: str, value: Any, kind: Any) -> Any:
    """Checks a value against an option's type, reading it from a string if it is one.

    Of a union there is only `kind | None`.

    Raises:
        ValueError: the value does not fit the type.
    """
    if get_origin(kind) in (Union, types.UnionType):
        return None if value is None else convert(key, value, get_args(kind)[0])
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


def _boolean(value) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise ValueError(value)

"""The options that a file of Marian's weights states, in a small part of YAML."""
# Marian writes names with a plain value each, and lists of plain values: no nesting, no
# anchors, no tags. More is not read, so nothing can be asked for that is not text.

import re

_NAME = re.compile(r"[\w-]+")


def read_marian_config(text: str, origin="the file") -> dict[str, str | list[str]]:
    """Options by name: text as it stands, or lists of such.

    Args:
        text: lines of "name: value" and, below a name without one, "  - value".
        origin: of the text, for messages.

    Raises:
        ValueError: a line of another form.
    """
    options: dict[str, str | list[str]] = {}
    current = None
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        item = line.strip()
        if item.startswith("- ") and current is not None:
            if not isinstance(options[current], list):
                options[current] = []
            options[current].append(_plain(item[2:]))
            continue
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name) or (value and value[0] != " "):
            raise ValueError(
                f"The options in {origin} must be lines of 'name: value'. "
                f"Received: {line!r}."
            )
        current = name
        options[name] = [] if value.strip() == "[]" else _plain(value)
        if value.strip():
            current = None
    return options


def _plain(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value

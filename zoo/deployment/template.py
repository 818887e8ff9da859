"""Files written from templates: `{{name}}` stands for a value."""

import re
from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).with_name("templates")
_FIELD = re.compile(r"\{\{(\w+)\}\}")
# A field alone on its line stands for any number of lines, indented as it is.
_BLOCK = re.compile(r"^([ ]*)\{\{(\w+)\}\}\n", re.MULTILINE)


def fill(name: str, values: Mapping[str, str]) -> str:
    """A template's text with its fields filled.

    Args:
        name: of the file that it becomes.
        values: by field; all that the template has.
    """
    text = (_FOLDER / f"{name}.template").read_text(encoding="utf-8")

    def block(match: re.Match) -> str:
        indent, lines = match[1], values[match[2]].splitlines()
        return "".join(f"{indent}{line}".rstrip() + "\n" for line in lines)

    return _FIELD.sub(lambda match: values[match[1]], _BLOCK.sub(block, text))

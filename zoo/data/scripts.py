"""Which script a text is written in, by the Unicode names of its letters."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

# First words of Unicode names that do not name the script themselves.
_NAMES = {
    "CJK": "Han",
    "IDEOGRAPHIC": "Han",
    "HIRAGANA": "Kana",
    "KATAKANA": "Kana",
    "KATAKANA-HIRAGANA": "Kana",
    "BOPOMOFO": "Han",
}
# Letters of no script, such as the apostrophe of transliterations.
_NO_SCRIPT = "MODIFIER"


def count_scripts(texts: Iterable[str]) -> Counter:
    """How many letters of each script texts have: "Latin", "Han", "Cyrillic", …"""
    characters = Counter(
        character for text in texts for character in unicodedata.normalize("NFKC", text)
    )
    found: Counter = Counter()
    for character, count in characters.items():
        if script := _script(character):
            found[script] += count
    return found


def dominant_script(texts: Iterable[str]) -> str | None:
    """The script of most letters; `None` without letters or without a majority.

    Japanese is written in Han and Kana: where a tenth or more of the letters are Kana,
    it is "Kana".
    """
    found = count_scripts(texts)
    total = sum(found.values())
    if total and found["Kana"] >= 0.1 * total:
        return "Kana"
    script, count = found.most_common(1)[0] if total else (None, 0)
    return script if 2 * count > total else None


@lru_cache(maxsize=4096)
def _script(character: str) -> str | None:
    if not character.isalpha():
        return None
    first = unicodedata.name(character, "").split(" ")[0]
    if first in ("", _NO_SCRIPT):
        return None
    return _NAMES.get(first, first.capitalize())

"""BERT's tokenizer in plain Python, written from the description in BERT's README.

Slow on purpose: one character at a time. "Text normalization: convert all whitespace
characters to spaces, and (for the uncased model) lowercase the input and strip out
accent markers. Punctuation splitting: split all punctuation characters on both sides.
WordPiece tokenization: greedy longest-match-first." What is a sign or a mark is said by
this Python's Unicode tables, so compare only on characters that are old.
"""

import unicodedata

CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    # Hugging Face has this beginning; BERT's own, 0x2B820, leaves no gap.
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def is_space(character):
    return character in " \t\n\r" or unicodedata.category(character)[0] == "Z"


def is_hidden(character):
    if character in "\t\n\r":
        return False
    return character in "\0\ufffd" or unicodedata.category(character)[0] == "C"


def is_punctuation(character):
    """Unicode's, and every sign of ASCII that is neither letter, number nor space."""
    if character.isascii():
        return character.isprintable() and not (character.isalnum() or character == " ")
    return unicodedata.category(character)[0] == "P"


def is_chinese(character):
    return any(first <= ord(character) <= last for first, last in CHINESE)


def normalized(text, lower_case, strip_accents=None, split_chinese=True):
    text = "".join(" " if is_space(c) else c for c in text if not is_hidden(c))
    if split_chinese:
        text = "".join(f" {c} " if is_chinese(c) else c for c in text)
    if lower_case if strip_accents is None else strip_accents:
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    # One character at a time: a sigma does not know that a word ends.
    return "".join(c.lower() for c in text) if lower_case else text


def words(text, **options):
    """Words and punctuation characters of a text, ready for the vocabulary."""
    spread = "".join(
        f" {c} " if is_punctuation(c) else c for c in normalized(text, **options)
    )
    return [word for word in spread.split(" ") if word]


def pieces(word, vocabulary, longest=100):
    """The longest piece that the word begins with, then of what is left, and so on."""
    if len(word) > longest:
        return ["[UNK]"]
    found, first = [], 0
    while first < len(word):
        prefix = "##" if first else ""
        for last in range(len(word), first, -1):
            if prefix + word[first:last] in vocabulary:
                break
        else:
            return ["[UNK]"]
        found.append(prefix + word[first:last])
        first = last
    return found


def encode(text, vocabulary, **options):
    """Ids of a text's pieces, without special tokens.

    Args:
        text: what to encode.
        vocabulary: list of pieces.
        **options: of `normalized`.
    """
    places = {piece: place for place, piece in enumerate(vocabulary)}
    return [
        places[piece]
        for word in words(text, **options)
        for piece in pieces(word, places)
    ]


def shares(first, second, room):
    """How many pieces of a pair stay where the longer one gives up one at a time.

    Of two equally long ones, that one gives which was the shorter at the beginning, or
    else the first.
    """
    second_gives = first > second
    while first + second > room:
        if first > second or (first == second and not second_gives):
            first -= 1
        else:
            second -= 1
    return first, second

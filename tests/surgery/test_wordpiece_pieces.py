import numpy as np
import pytest

from zoo.data.wordpiece_vocabulary import WordPieceVocabulary
from zoo.presets import SHIPPED
from zoo.surgery.wordpiece_pieces import cut, kept_pieces, with_more, with_pieces

SPECIAL = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abc"
LONG = ["ab", "abc", "##bc", "##ca", "cab", "##abc", "猫", "bx", "##xy"]
PIECES = [*SPECIAL, *LETTERS, *(f"##{one}" for one in LETTERS), *LONG]


def ids_of(vocabulary):
    return {piece: id_ for id_, piece in enumerate(vocabulary.pieces)}


def cuts(vocabulary, words):
    """Names of each word's pieces, [UNK] alone for one that is unknown."""
    found = []
    for word in words:
        ids, is_whole = cut(word, ids_of(vocabulary))
        names = [vocabulary.pieces[id_] for id_ in ids]
        found.append(names if is_whole else ["[UNK]"])
    return found


def trimmed(vocabulary, words, most=None):
    counts = np.zeros(vocabulary.size, int)
    ids = ids_of(vocabulary)
    for names in cuts(vocabulary, words):
        for name in names:
            counts[ids[name]] += 1
    return with_pieces(vocabulary, kept_pieces(vocabulary, counts, words, most))


@pytest.mark.parametrize("seed", range(20))
def test_words_are_cut_as_before_and_unknown_ones_stay_so(seed):
    random = np.random.default_rng(seed)
    vocabulary = WordPieceVocabulary(PIECES)
    words = [
        "".join(random.choice(list("abcx猫y"), size=random.integers(1, 8)))
        for _ in range(5)
    ]
    small = trimmed(vocabulary, words)
    assert cuts(small, words) == cuts(vocabulary, words)
    assert small.padding_id == 0
    assert "[unused0]" not in small.pieces
    assert {"[MASK]", "a", "##c", "猫", "bx", "##xy"} <= set(small.pieces)
    # A word of known characters is known.
    others = ["".join(random.choice(list(LETTERS), size=5)) for _ in range(20)]
    assert ["[UNK]"] not in cuts(small, others)


def test_the_beginning_of_an_unknown_word_stays():
    """Without "abc" the word would be "ab", "##cd" and known."""
    vocabulary = WordPieceVocabulary([*SPECIAL, "a", "##b", "##c", "ab", "abc", "##cd"])
    assert cuts(vocabulary, ["abcd"]) == [["[UNK]"]]
    small = trimmed(vocabulary, ["abcd", "ab"])
    assert cuts(small, ["abcd"]) == [["[UNK]"]]
    assert "abc" not in trimmed(vocabulary, ["ab"]).pieces


def test_the_rarest_go_first():
    vocabulary = WordPieceVocabulary(PIECES)
    words = ["abc"] * 3 + ["cab"] * 2 + ["aca"]
    least = trimmed(vocabulary, []).size
    assert "abc" in trimmed(vocabulary, words, least + 1).pieces
    assert "cab" not in trimmed(vocabulary, words, least + 1).pieces
    assert trimmed(vocabulary, words, 100).size == least + 3
    with pytest.raises(ValueError, match=f"{least} pieces are needed"):
        trimmed(vocabulary, words, least - 1)


def test_new_pieces_are_used_and_say_what_they_were():
    vocabulary = WordPieceVocabulary(PIECES, lower_case=False)
    more, parts = with_more(vocabulary, ["abcab", "##aab"])
    names = vocabulary.pieces
    assert [[names[n] for n in own] for own in parts] == [
        ["abc", "##a", "##b"],
        ["##a", "##a", "##b"],
    ]
    assert more.pieces == (*names, "abcab", "##aab")
    assert not more.lower_case
    assert cuts(more, ["abcabaab"]) == [["abcab", "##aab"]]
    for piece in ("abc", "q", "a b", "", "##"):
        with pytest.raises(ValueError, match=r"already|are unknown|unknown to"):
            with_more(vocabulary, [piece])


def test_a_shipped_vocabulary_is_cut_to_a_few_words():
    folder = SHIPPED / "text_classification_bert" / "minilm" / "preset" / "vocabulary"
    vocabulary = WordPieceVocabulary.load(folder)
    words = ["knowledge", "unbelievably", "naive", "猫", "☃☃", "transformers"]
    small = trimmed(vocabulary, words)
    assert cuts(small, words) == cuts(vocabulary, words)
    assert small.size < 3_000

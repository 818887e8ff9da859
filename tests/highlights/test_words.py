"""Words are what a reader takes for one, and weights of pieces become theirs."""

import numpy as np
import pytest

from tests.highlights.making import words_of
from zoo.highlights import split_words, word_weights


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A film, well made.", ["A", "film", ",", "well", "made", "."]),
        ("don't it’s 'tis dogs' rock'n'roll", None),
        ("well-known", ["well", "-", "known"]),
        ("MP3 1000x ½ ２０", ["MP3", "1000x", "½", "２０"]),
        ("cafe\u0301s नमस्ते", ["cafe\u0301s", "नमस्ते"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("很好吃abc。", ["很", "好", "吃", "abc", "。"]),
        ("カメラを々ー", ["カ", "メ", "ラ", "を", "々", "ー"]),
        ("ｶﾒﾗ か\u3099", ["ｶ", "ﾒ", "ﾗ", "か\u3099"]),
        ("𠮷龘", ["𠮷", "龘"]),
        ("葛\U000e0100飾", ["葛\U000e0100", "飾"]),
        ("올해 수확은 ㅋㅋㅋ", ["올해", "수확은", "ㅋㅋㅋ"]),
        ("ดีมาก ครับ", ["ดีมาก", "ครับ"]),
        ("wow!!! :-)", ["wow", "!", "!", "!", ":", "-", ")"]),
        ("ok👍🏽👍", ["ok", "👍🏽", "👍"]),
        ("👨‍👩‍👧🙂", ["👨‍👩‍👧", "🙂"]),
        ("❤️☺", ["❤️", "☺"]),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"]),
        ("🏴\U000e0067\U000e0062\U000e007f", ["🏴\U000e0067\U000e0062\U000e007f"]),
        ("a\u00a0b\u3000c\u200bd\r\ne\x00f", ["a", "b", "c", "d", "e", "f"]),
        (" \n\t ", []),
        ("", []),
        ("\u0301a", ["\u0301", "a"]),
    ],
)
def test_words_are_what_a_reader_takes_for_one(text, words):
    if words is None:
        words = ["don't", "it’s", "'", "tis", "dogs", "'", "rock'n'roll"]
    assert words_of(text) == words


def test_words_cover_all_but_white_space_once_and_in_order():
    rng = np.random.default_rng(7)
    choices = list("ab'’ 中。!-\n\u200d\u0301\ufe0f👍🏽🇩3ก")
    for length in range(1, 60):
        text = "".join(rng.choice(choices, length))
        spans = split_words(text)
        assert all(start < end for start, end in spans)
        covered = [at for span in spans for at in range(*span)]
        expected = [at for at, each in enumerate(text) if not each.isspace()]
        assert covered == expected


def test_pieces_of_a_word_are_summed_and_special_pieces_are_left_over():
    # [CLS] go od ▁film [SEP]
    words, left_over = word_weights(
        "good film", [0, 0, 2, 4, 0], [0, 2, 4, 9, 0], [0.3, 0.1, 0.2, 0.3, 0.1]
    )
    assert words == [("good", pytest.approx(0.5)), ("film", pytest.approx(0.5))]
    assert left_over == pytest.approx(0.4)


def test_a_piece_across_words_is_spread_over_its_letters():
    words, left_over = word_weights("ab, c", [0, 4], [5, 5], [0.8, 0.2])
    # "ab, c" has four characters in words; the space before c takes nothing.
    assert words == [
        ("ab", pytest.approx(0.4)),
        (",", pytest.approx(0.2)),
        ("c", pytest.approx(0.4)),
    ]
    assert left_over == 0.0


def test_spans_are_bytes_and_may_be_parts_of_a_character():
    text = "é好!"  # two, three and one bytes
    starts, ends = [0, 2, 3, 4, 5], [2, 3, 4, 5, 6]
    words, _ = word_weights(text, starts, ends, [0.1, 0.2, 0.2, 0.2, 0.3])
    assert words == [
        ("é", pytest.approx(0.1)),
        ("好", pytest.approx(0.6)),
        ("!", pytest.approx(0.3)),
    ]


def test_pieces_may_share_one_span():
    words, _ = word_weights("fine film", [0, 0, 5], [4, 4, 9], [0.2, 0.3, 0.5])
    assert words == [("fine", pytest.approx(0.5)), ("film", pytest.approx(0.5))]


def test_white_space_alone_is_left_over():
    words, left_over = word_weights("a  b", [0, 1, 3], [1, 3, 4], [0.2, 0.5, 0.3])
    assert words == [("a", pytest.approx(0.4)), ("b", pytest.approx(0.6))]
    assert left_over == pytest.approx(0.5)


def test_weights_agree_with_a_count_byte_by_byte():
    rng = np.random.default_rng(13)
    for _ in range(50):
        text = "".join(rng.choice(list("abé 中。👍'"), 11))
        cuts = sorted(rng.integers(0, len(text) + 1, 4))
        sizes = [len(text[:cut].encode()) for cut in [0, *cuts, len(text)]]
        weights = rng.random(5)
        expected = [0.0] * len(split_words(text))
        for low, high, weight in zip(sizes[:-1], sizes[1:], weights, strict=True):
            inside = text.encode()[low:high].decode()
            before = len(text.encode()[:low].decode())
            places = range(before, before + len(inside))
            hits = [
                word
                for place in places
                for word, (start, end) in enumerate(split_words(text))
                if start <= place < end
            ]
            for word in hits:
                expected[word] += weight / len(hits)
        words, left_over = word_weights(text, sizes[:-1], sizes[1:], weights)
        found, total = [weight for _, weight in words], sum(expected)
        np.testing.assert_allclose(found, np.divide(expected, total or 1), atol=1e-12)
        assert left_over == pytest.approx(1 - total / weights.sum(), abs=1e-12)


def test_where_no_word_has_weight_all_are_zero():
    assert word_weights("a b", [0], [0], [1.0]) == ([("a", 0.0), ("b", 0.0)], 1.0)
    assert word_weights("a b", [0], [3], [0.0]) == ([("a", 0.0), ("b", 0.0)], 0.0)
    assert word_weights("", [], [], []) == ([], 0.0)


@pytest.mark.parametrize(
    ("starts", "ends", "weights", "message"),
    [
        ([0], [1, 2], [1.0], "one number a piece"),
        ([[0]], [[1]], [[1.0]], "without padding, and one head"),
        ([0], [1], [-0.5], "none below 0"),
        ([0], [1], [float("nan")], "after the softmax"),
        ([0], [9], [1.0], "expected spans from 0 to 4"),
        ([-1], [1], [1.0], "reach from -1"),
        ([2], [1], [1.0], "expected spans"),
    ],
)
def test_pieces_that_do_not_fit_the_text_are_refused(starts, ends, weights, message):
    with pytest.raises(ValueError, match=message):
        word_weights("好a", starts, ends, weights)

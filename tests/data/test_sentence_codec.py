"""Documents cut into sentences, and those into pieces."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.data.sentence_codec import SentenceCodec
from zoo.data.text_codec import TextCodec
from zoo.data.vocabulary import Vocabulary

TEXTS = [
    "The quick brown fox jumps. Dogs are lazy! Are they? Yes…",
    "我喜欢猫。狗不喜欢猫！你呢？“好。”我说。",
    "one line\nanother line\r\n\r\na third",
    "We paid 3.50 at example.com today. It was fine.",
    "",
    "  \n ",
    "no full stop at all",
]


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary.learn(TEXTS, 120)


@pytest.fixture
def codec(vocabulary):
    return SentenceCodec(TextCodec(vocabulary), words=40, sentences=9)


def encode(codec, texts):
    ids, truncated = codec.encode(tf.constant(texts, tf.string))
    return ids.to_list(), truncated.numpy().tolist()


def surfaces(codec, texts):
    """What stands in the texts for each piece, sentence by sentence."""
    starts, ends = (side.to_list() for side in codec.spans(tf.constant(texts)))
    return [
        [
            b"".join(text.encode()[a:b] for a, b in zip(*sides, strict=True)).decode()
            for sides in zip(*both, strict=True)
        ]
        for text, *both in zip(texts, starts, ends, strict=True)
    ]


def test_sentences_end_where_readers_would_end_them(codec):
    found = [[part.strip() for part in parts] for parts in surfaces(codec, TEXTS)]
    assert found == [
        ["The quick brown fox jumps.", "Dogs are lazy!", "Are they?", "Yes…"],
        ["我喜欢猫。", "狗不喜欢猫！", "你呢？", "“好。”", "我说。"],
        ["one line", "another line", "a third"],
        ["We paid 3.50 at example.com today.", "It was fine."],
        [],
        [],
        ["no full stop at all"],
    ]


def test_the_pieces_are_those_of_each_sentence_by_the_sentencepiece_package(
    codec, vocabulary
):
    ids, truncated = encode(codec, TEXTS)
    assert not any(truncated)
    for text, document in zip(surfaces(codec, TEXTS), ids, strict=True):
        assert document == [vocabulary.processor.encode(one) for one in text]


def test_a_long_sentence_goes_on_as_the_next(vocabulary):
    codec = SentenceCodec(TextCodec(vocabulary), words=4, sentences=50)
    text = "no full stop at all in this line. Yes."
    whole = [
        vocabulary.processor.encode(one)
        for one in ("no full stop at all in this line. ", "Yes.")
    ]
    expected = [one[n : n + 4] for one in whole for n in range(0, len(one), 4)]
    assert len(expected) > 3
    assert encode(codec, [text]) == ([expected], [False])


def test_what_has_too_many_sentences_is_cut_and_flagged(vocabulary):
    codec = SentenceCodec(TextCodec(vocabulary), words=40, sentences=3)
    ids, truncated = encode(codec, [TEXTS[0], TEXTS[2]])
    assert truncated == [True, False]
    assert [len(document) for document in ids] == [3, 3]
    starts, ends = codec.spans(tf.constant([TEXTS[0]]))
    assert starts.to_list()[0][0][0] == 0
    assert ends.to_list()[0][-1][-1] == TEXTS[0].index(" Yes")


def test_too_many_characters_are_cut_and_flagged(vocabulary):
    codec = SentenceCodec(TextCodec(vocabulary, max_characters=27), 40, 9)
    ids, truncated = encode(codec, TEXTS[:1])
    assert truncated == [True]
    assert ids == encode(codec, [TEXTS[0][:27]])[0]


def test_a_document_is_read_alike_alone_and_among_others(codec):
    together, _ = encode(codec, TEXTS)
    assert together == [encode(codec, [text])[0][0] for text in TEXTS]
    spans = [side.to_list() for side in codec.spans(tf.constant(TEXTS))]
    for row, text in enumerate(TEXTS):
        alone = [side.to_list()[0] for side in codec.spans(tf.constant([text]))]
        assert alone == [side[row] for side in spans]


def test_no_documents_give_no_rows(codec):
    ids, truncated = codec.encode(tf.constant([], tf.string))
    assert (ids.nrows(), truncated.shape) == (0, (0,))


@pytest.mark.parametrize(
    "odd", ["a\x1eb. c", "nul\0inside. more", "😀👩‍👩‍👧! ok", "。。。"]
)
def test_odd_characters_do_no_harm_and_spans_stay_inside(codec, odd):
    ids, _ = encode(codec, [odd])
    starts, ends = (np.array(side.flat_values) for side in codec.spans([odd]))
    assert sum(map(len, ids[0])) == len(starts)
    assert (starts <= ends).all() and (ends <= len(odd.encode())).all()
    assert (np.diff(starts) >= 0).all()


def test_bytes_that_are_not_utf_8_become_the_replacement_character(codec):
    ids, _ = codec.encode(tf.constant([b"dog \xff fox. Yes."]))
    assert ids.to_list() == encode(codec, ["dog \ufffd fox. Yes."])[0]

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from sentencepiece import sentencepiece_pb2

from zoo.data.text_codec import TextCodec
from zoo.data.vocabulary import END_ID, UNKNOWN_ID, Vocabulary

ENGLISH = [
    "The quick brown fox jumps over the lazy dog.",
    "Où est le café? Déjà vu, señor!",
    "Dogs and foxes are quick, lazy or brown.",
    "How vexingly quick daft zebras jump.",
]
CHINESE = ["我喜欢猫。", "我喜欢狗。", "猫喜欢我。", "狗不喜欢猫、我喜欢。"]
TEXTS = [
    "The lazy dog.",
    "我喜欢狗。",
    "I love 猫 and 狗!",
    "Déjà vu 😀😀 with emoji 👩‍👩‍👧",
    "Cafe\u0301 décomposé",
    "ＦＵＬＬ　ｗｉｄｔｈ",
    "  two  spaces  ",
    "tab\tand\nline",
    "\u200b\ufeff",
    "1,234.5 % $ & <s> </s> ▁",
    "",
    " ",
    "nul\0inside",
]


@pytest.fixture(scope="module")
def english():
    return Vocabulary.learn(ENGLISH, 80)


@pytest.fixture(scope="module")
def chinese():
    return Vocabulary.learn(CHINESE, 40)


def encode(codec, texts):
    ids, truncated = codec.encode(tf.constant(texts, tf.string))
    return ids.to_list(), truncated.numpy().tolist()


def decode(codec, rows):
    return [text.decode() for text in codec.decode(rows).numpy()]


def padded(codec, texts):
    return codec.encode(tf.constant(texts, tf.string))[0].to_tensor()


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_ids_are_those_of_the_sentencepiece_package(language, request):
    vocabulary = request.getfixturevalue(language)
    expected = [[*vocabulary.processor.encode(text), END_ID] for text in TEXTS]
    ids, truncated = encode(TextCodec(vocabulary), TEXTS)
    assert ids == expected
    assert not any(truncated)


def test_every_row_ends_with_the_end_token_even_an_empty_one(english):
    ids, _ = encode(TextCodec(english), ["The dog.", ""])
    assert ids[0][-1] == END_ID
    assert END_ID not in ids[0][:-1]
    assert ids[1] == [END_ID]


def test_no_texts_give_no_rows(english):
    codec = TextCodec(english)
    ids, truncated = encode(codec, [])
    assert ids == truncated == []
    assert decode(codec, tf.zeros([0, 5], tf.int32)) == []


def test_a_text_has_the_same_ids_alone_and_among_others(english):
    codec = TextCodec(english)
    together, _ = encode(codec, TEXTS)
    assert together == [encode(codec, [text])[0][0] for text in TEXTS]


def test_bytes_that_are_not_utf_8_become_the_replacement_character(english):
    codec = TextCodec(english)
    damaged = [b"dog \xff fox", b"the\xe7\x8cdog", "狗".encode("gbk"), b"\x80"]
    replaced = ["dog \ufffd fox", "the\ufffddog", "\ufffd\ufffd", "\ufffd"]
    assert encode(codec, damaged) == encode(codec, replaced)


# Limits


def test_a_text_over_the_limit_of_characters_is_cut_and_flagged(english):
    codec = TextCodec(english, max_characters=7)
    ids, truncated = encode(codec, ["the dog", "the dogs", "the"])
    assert truncated == [False, True, False]
    assert ids[0] == ids[1]


def test_characters_are_counted_and_not_bytes(chinese):
    codec = TextCodec(chinese, max_characters=5)
    ids, truncated = encode(codec, ["我喜欢猫。", "我喜欢猫。我"])
    assert truncated == [False, True]
    assert ids[0] == ids[1]
    assert decode(codec, padded(codec, ["我喜欢猫。我"])) == ["我喜欢猫。"]


def test_a_text_over_the_limit_of_pieces_is_cut_and_flagged(english):
    text = "The quick brown fox jumps over the lazy dog."
    (whole,), _ = encode(TextCodec(english), [text])
    exact = TextCodec(english, max_pieces=len(whole))
    shorter = TextCodec(english, max_pieces=len(whole) - 1)
    assert encode(exact, [text]) == ([whole], [False])
    assert encode(shorter, [text]) == ([[*whole[:-2], END_ID]], [True])


def test_ten_thousand_characters_are_cut_to_the_limits(english):
    codec = TextCodec(english)
    ids, truncated = encode(codec, ["fox " * 2_500, "x" * 10_000])
    assert truncated == [True, True]
    assert [len(row) for row in ids] == [codec.max_pieces] * 2


# Back


@pytest.mark.parametrize(
    "language, texts", [("english", ENGLISH), ("chinese", CHINESE)]
)
def test_known_text_is_decoded_as_it_was(language, texts, request):
    codec = TextCodec(request.getfixturevalue(language))
    assert decode(codec, padded(codec, [*texts, ""])) == [*texts, ""]


def test_padding_and_end_decode_to_nothing(english):
    codec = TextCodec(english)
    (dog,), _ = encode(codec, ["dog"])
    rows = [[0] * 7, [END_ID] + [0] * 6, (dog + [0] * 7)[:7]]
    assert decode(codec, rows) == ["", "", "dog"]


def test_pieces_are_those_of_the_package_and_empty_at_padding(english):
    codec = TextCodec(english)
    ids = padded(codec, ["the lazy dog", "dog"])
    pieces = [[piece.decode() for piece in row] for row in codec.pieces(ids).numpy()]
    processor = english.processor
    assert pieces[0] == [*processor.encode("the lazy dog", out_type=str), "</s>"]
    short = [*processor.encode("dog", out_type=str), "</s>"]
    assert pieces[1] == short + [""] * (len(pieces[0]) - len(short))


def own_surfaces(vocabulary, text):
    """What stands in a text for each piece, by the sentencepiece package."""
    found = sentencepiece_pb2.SentencePieceText()
    found.ParseFromString(
        vocabulary.processor.encode(text, out_type="serialized_proto")
    )
    return [piece.surface for piece in found.pieces]


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_surfaces_are_the_text_s_own_without_spaces_around(language, request):
    vocabulary = request.getfixturevalue(language)
    texts = [*TEXTS, "a\u00a0 b\u3000  ﬁ ½ \u3000"]
    found = TextCodec(vocabulary).surfaces(tf.constant(texts)).numpy()
    for row, text in enumerate(texts):
        expected = [surface.strip() for surface in own_surfaces(vocabulary, text)]
        surfaces = [surface.decode() for surface in found[row]]
        assert surfaces[: len(expected)] == expected
        assert not any(surfaces[len(expected) :])
    assert "é" in found[3].tolist()[1].decode() or language == "chinese"


def test_surfaces_end_where_the_ids_are_cut(english):
    texts = ["the lazy dog and the fox", "dog", ""]
    for limits in ({"max_pieces": 5}, {"max_characters": 6}):
        codec = TextCodec(english, **limits)
        ids, surfaces = padded(codec, texts), codec.surfaces(tf.constant(texts))
        assert surfaces.shape == ids.shape
        whole = TextCodec(english).surfaces(tf.constant(texts)).numpy()
        count = ids.shape[1] - 2
        np.testing.assert_array_equal(surfaces[:, :count], whole[:, :count])
    assert codec.surfaces(tf.constant([], tf.string)).shape == (0, 1)


def test_joined_pieces_are_what_their_ids_decode_to(english, chinese):
    for vocabulary in (english, chinese):
        codec = TextCodec(vocabulary)
        texts = ["the lazy dog", "我喜欢狗。猫", "quick", ""]
        ids = padded(codec, texts)
        pieces = tf.where(ids == END_ID, "", codec.pieces(ids))
        known = [UNKNOWN_ID not in row for row in ids.numpy()]
        joined = [text.decode() for text in codec.join(pieces).numpy()]
        decoded = decode(codec, ids)
        assert [a for a, good in zip(joined, known, strict=True) if good] == [
            a for a, good in zip(decoded, known, strict=True) if good
        ]
        assert sum(known) > 1


# In a SavedModel

ASK = """
import sys
import tensorflow as tf
import tensorflow_text

loaded = tf.saved_model.load(sys.argv[1])
for ids in loaded.encode(tf.constant([sys.argv[2]])):
    print(ids.numpy().tolist()[0])
"""


def test_two_codecs_in_one_saved_model_keep_their_vocabularies(
    english, chinese, tmp_path
):
    module = tf.Module()
    module.codecs = [TextCodec(english), TextCodec(chinese)]
    module.encode = tf.function(
        lambda texts: [codec.encode(texts)[0].to_tensor() for codec in module.codecs],
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    tf.saved_model.save(module, str(tmp_path))
    text = "The dog 我喜欢猫。"
    expected = [
        [*vocabulary.processor.encode(text), END_ID]
        for vocabulary in (english, chinese)
    ]
    assert expected[0] != expected[1]
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path), text],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == [str(ids) for ids in expected]


# Pairs and places


def test_a_pair_is_both_texts_each_with_its_end(english):
    codec = TextCodec(english)
    texts, pairs = ["the dog", "", "fox"], ["quick fox", "dog", ""]
    ids, truncated = codec.encode(tf.constant(texts), tf.constant(pairs))
    encoded = english.processor.encode
    expected = [
        [*encoded(one), END_ID, *encoded(other), END_ID]
        for one, other in zip(texts, pairs, strict=True)
    ]
    assert ids.to_list() == expected
    assert not truncated.numpy().any()


def of_length(vocabulary, count):
    """A text of that many pieces."""
    texts = (("the lazy dog " * 9)[:size] for size in range(99))
    return next(x for x in texts if len(vocabulary.processor.encode(x)) == count)


@pytest.mark.parametrize(
    "one, other, kept",
    [
        # Of ten pieces two are ends; the longer text is cut first.
        (3, 3, (3, 3)),
        (20, 3, (5, 3)),
        (3, 20, (3, 5)),
        (20, 20, (4, 4)),
        (20, 4, (4, 4)),
        (8, 0, (8, 0)),
    ],
)
def test_too_much_for_both_is_taken_from_the_longer_one(english, one, other, kept):
    codec = TextCodec(english, max_pieces=10)
    texts = [of_length(english, count) for count in (one, other)]
    ids, truncated = codec.encode(*(tf.constant([text]) for text in texts))
    (row,) = ids.to_list()
    first = row.index(END_ID)
    assert (first, len(row) - first - 2) == kept
    assert row[-1] == END_ID
    assert truncated.numpy().tolist() == [kept != (one, other)]
    assert row[:first] == english.processor.encode(texts[0])[: kept[0]]


def own_places(vocabulary, text):
    """Where each piece stands, in bytes, by the sentencepiece package."""
    found = sentencepiece_pb2.SentencePieceText()
    found.ParseFromString(
        vocabulary.processor.encode(text, out_type="serialized_proto")
    )
    return [(piece.begin, piece.end) for piece in found.pieces]


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_places_are_those_of_the_sentencepiece_package(language, request):
    vocabulary = request.getfixturevalue(language)
    codec = TextCodec(vocabulary)
    starts, ends = codec.spans(tf.constant(TEXTS))
    assert starts.shape == padded(codec, TEXTS).shape
    for row, text in enumerate(TEXTS):
        expected = own_places(vocabulary, text)
        found = list(zip(starts[row].numpy(), ends[row].numpy(), strict=True))
        assert found[: len(expected)] == expected
        assert set(found[len(expected) :]) <= {(0, 0)}


def test_places_of_a_pair_are_in_both_texts_with_a_line_break_between(chinese):
    codec = TextCodec(chinese)
    texts, pairs = ["我喜欢猫。", ""], ["狗！", "猫喜欢我。"]
    arguments = tf.constant(texts), tf.constant(pairs)
    ids = codec.encode(*arguments)[0].to_tensor().numpy()
    starts, ends = (side.numpy() for side in codec.spans(*arguments))
    assert starts.shape == ids.shape
    for row, (text, pair) in enumerate(zip(texts, pairs, strict=True)):
        shift = len(text.encode()) + 1
        second = [(a + shift, b + shift) for a, b in own_places(chinese, pair)]
        expected = [*own_places(chinese, text), (0, 0), *second, (0, 0)]
        found = list(zip(starts[row], ends[row], strict=True))
        assert found[: len(expected)] == expected


def test_places_end_where_a_pair_is_cut(english):
    codec = TextCodec(english, max_pieces=6)
    arguments = tf.constant(["the lazy dog"]), tf.constant(["the lazy dog"])
    starts, ends = codec.spans(*arguments)
    assert starts.shape == ends.shape == codec.encode(*arguments)[0].to_tensor().shape

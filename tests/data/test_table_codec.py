"""Vocabularies with a table of ids; those of checkpoints are in converters' tests."""

import io
import json

import pytest
import sentencepiece
import tensorflow as tf

from zoo.data.table_codec import TableCodec, codec_of
from zoo.data.table_vocabulary import TableVocabulary, load_vocabulary
from zoo.data.text_codec import TextCodec
from zoo.data.vocabulary import END_ID, UNKNOWN_ID, Vocabulary

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Dogs and foxes are quick, lazy or brown.",
    "How vexingly quick daft zebras jump.",
]
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]


def learn(**options) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=model,
        minloglevel=2,
        num_threads=1,
        **options,
    )
    return model.getvalue()


@pytest.fixture(scope="module")
def proto():
    return learn(vocab_size=41)


@pytest.fixture(scope="module")
def pieces(proto):
    """In another order than the model's, with one that it does not have."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto)
    own = [processor.id_to_piece(n) for n in range(3, processor.get_piece_size())]
    return (*SPECIAL, ">>fr<<", *reversed(own), "猫")


@pytest.fixture(scope="module")
def vocabulary(proto, pieces):
    return TableVocabulary(proto, pieces)


def encode(codec, texts):
    ids, truncated = codec.encode(tf.constant(texts))
    return ids.to_list(), truncated.numpy().tolist()


def test_a_piece_has_the_id_of_its_place(vocabulary, pieces):
    codec = codec_of(vocabulary)
    assert isinstance(codec, TableCodec)
    rows, _ = encode(codec, [">>fr<< fox 猫", "", "Ω fox"])
    assert rows[0][0] == 4
    assert pieces[rows[0][-2]] == "猫"
    assert rows[1] == [END_ID]
    assert UNKNOWN_ID in rows[2]
    assert codec.pieces(tf.constant([0, 2, 3, 4])).numpy().tolist() == [
        b"",
        b"</s>",
        b"<unk>",
        b">>fr<<",
    ]
    text = codec.decode(tf.constant([[*rows[0][1:], 0, 0]])).numpy()
    assert text[0].decode() == "fox 猫"


def test_limits_hold_with_a_language_code_too(vocabulary):
    codec = codec_of(vocabulary, max_pieces=3)
    rows, truncated = encode(codec, [">>fr<< fox dog", ">>fr<<"])
    assert [len(row) for row in rows] == [3, 2]
    assert truncated == [True, False]


def test_a_language_code_ends_where_it_does_in_a_text_of_several_lines(vocabulary):
    texts = [">>fr<< fox\ndog", ">>fr<<\nfox\n\ndog\n", ">>f\nr<< fox", "fox\n>>fr<<"]
    rows, _ = encode(codec_of(vocabulary), texts)
    expected = vocabulary.processor.encode(texts)
    assert [row[:-1] for row in rows] == expected
    assert rows[0][0] == rows[1][0] == 4
    assert len(rows[0]) > 3


def test_a_vocabulary_without_a_table_has_the_usual_codec(tmp_path):
    plain = Vocabulary.learn(TEXTS, 40)
    plain.save(tmp_path / "own.model")
    again = load_vocabulary(tmp_path / "own.model")
    assert again.proto == plain.proto
    assert type(codec_of(again)) is TextCodec


def test_a_saved_table_is_read_again(vocabulary, tmp_path):
    path = tmp_path / "own.model"
    vocabulary.save(path)
    again = load_vocabulary(path)
    assert isinstance(again, TableVocabulary)
    assert (again.pieces, again.sha256) == (vocabulary.pieces, vocabulary.sha256)
    other = TableVocabulary(vocabulary.proto, [*vocabulary.pieces, "more"])
    assert other.sha256 != vocabulary.sha256
    (tmp_path / "own.json").write_text(json.dumps([*SPECIAL, 7]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"own\.json is damaged: it is no list"):
        load_vocabulary(path)
    (tmp_path / "own.json").write_text(json.dumps([*SPECIAL, "a", "a"]))
    with pytest.raises(ValueError, match=r"own\.model is damaged: .* 6 pieces, 1"):
        load_vocabulary(path)


@pytest.mark.parametrize("octets", [b"", b"\x00nothing"])
def test_what_is_no_model_is_refused(octets, pieces):
    with pytest.raises(ValueError, match="Not a SentencePiece model"):
        TableVocabulary(octets, pieces)


def test_pieces_must_join_to_the_text(pieces):
    bytes_too = learn(vocab_size=300, byte_fallback=True, hard_vocab_limit=False)
    with pytest.raises(ValueError, match="with pieces of bytes"):
        TableVocabulary(bytes_too, pieces)

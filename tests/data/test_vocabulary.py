import hashlib
import io

import pytest
import sentencepiece

from zoo.data.vocabulary import Vocabulary

ENGLISH = [
    "The quick brown fox jumps over the lazy dog.",
    "A lazy dog sleeps while the brown fox jumps.",
    "Foxes and dogs are quick or lazy, brown or white.",
]


def test_ids_0_to_3_are_padding_start_end_and_unknown():
    processor = Vocabulary.learn(ENGLISH, 60).processor
    assert processor.pad_id() == 0
    assert processor.bos_id() == 1
    assert processor.eos_id() == 2
    assert processor.unk_id() == 3


def test_it_has_the_size_asked_for_where_the_data_gives_it():
    assert Vocabulary.learn(ENGLISH, 41).size == 41


def test_tiny_data_gives_fewer_pieces_than_asked_for():
    assert 4 < Vocabulary.learn(["hello there"], 10_000).size < 30


def test_fewer_pieces_than_characters_are_refused():
    with pytest.raises(ValueError, match=r"could not learn 7 pieces from 3 sentences"):
        Vocabulary.learn(ENGLISH, 7)


def test_characters_outside_of_the_given_text_are_unknown():
    processor = Vocabulary.learn(["abc abd acd bcd"], 30).processor
    assert 3 not in processor.encode("abcd")
    assert 3 in processor.encode("z")
    assert 3 in processor.encode("猫")


def test_chinese_is_learnt_without_spaces():
    vocabulary = Vocabulary.learn(["我喜欢猫", "我喜欢狗", "猫喜欢我", "狗喜欢猫"], 30)
    pieces = vocabulary.processor.encode("我喜欢猫", out_type=str)
    assert "".join(pieces).replace("▁", "") == "我喜欢猫"
    assert 3 not in vocabulary.processor.encode("我喜欢猫")


@pytest.mark.parametrize("texts", [[], [""], ["  ", "\n"]])
def test_no_text_is_refused(texts):
    with pytest.raises(ValueError, match="at least one sentence"):
        Vocabulary.learn(texts, 30)


@pytest.mark.parametrize("proto", [b"garbage", b"", bytes(range(256))])
def test_bytes_that_are_no_model_are_refused(proto):
    with pytest.raises(ValueError, match="SentencePiece model"):
        Vocabulary(proto)


def test_a_model_with_other_special_ids_is_refused():

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(ENGLISH),
        model_writer=model,
        vocab_size=40,
        minloglevel=2,
    )
    with pytest.raises(ValueError, match=r"must be 0, 1, 2, 3.*-1, 1, 2, 0"):
        Vocabulary(model.getvalue())


def test_the_same_text_gives_the_same_bytes():
    one, other = (Vocabulary.learn(iter(ENGLISH), 50) for _ in range(2))
    assert one.proto == other.proto
    assert one.sha256 == other.sha256
    assert one.sha256 != Vocabulary.learn(ENGLISH[:2], 50).sha256


def test_it_is_loaded_from_its_bytes(tmp_path):
    vocabulary = Vocabulary.learn(ENGLISH, 50)
    (tmp_path / "source.model").write_bytes(vocabulary.proto)
    loaded = Vocabulary.load(tmp_path / "source.model")
    assert loaded.size == vocabulary.size
    assert loaded.sha256 == hashlib.sha256(vocabulary.proto).hexdigest()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"source\.model"):
        Vocabulary.load(tmp_path / "source.model")


def test_kept_characters_are_written_as_they_were_read():
    texts = ["你好，世界！（好）", "你\u3000好？"] * 30
    kept, normalised = (
        Vocabulary.learn(texts, 40, keep_characters=keep).processor
        for keep in (True, False)
    )
    assert kept.decode(kept.encode("你好，世界！（好）？")) == "你好，世界！（好）？"
    assert normalised.decode(normalised.encode("你好，世界！")) == "你好,世界!"
    assert kept.decode(kept.encode("你\u3000好")) == "你 好"


def test_a_vocabulary_holds_no_path_of_the_machine_it_was_learnt_on():
    proto = Vocabulary.learn(["a b c"] * 9, 20, keep_characters=True).proto
    assert b".tsv" not in proto and b"/tmp" not in proto

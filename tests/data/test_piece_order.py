import io

import numpy as np
import pytest
import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from tests.converters.marian_files import marian_vocabulary
from zoo.data.piece_order import in_own_order
from zoo.data.vocabulary import UNKNOWN_ID, Vocabulary

TEXTS = ["a cat sat on the mat", "gato  come", "the 猫", "", "dogs,dogs"]


@pytest.fixture(scope="module")
def foreign():
    return marian_vocabulary()


def test_texts_become_the_same_pieces(foreign):
    before = sentencepiece.SentencePieceProcessor(model_proto=foreign)
    proto, former = in_own_order(foreign)
    after = Vocabulary(proto).processor
    for text in TEXTS:
        assert after.encode(text, out_type=str) == before.encode(text, out_type=str)
        assert [former[n] for n in after.encode(text)] == before.encode(text)
    assert UNKNOWN_ID in after.encode("猫")


def test_every_piece_is_kept_once_and_two_are_new(foreign):
    before = sentencepiece.SentencePieceProcessor(model_proto=foreign)
    proto, former = in_own_order(foreign)
    after = Vocabulary(proto)
    assert former[:4].tolist() == [-1, -1, 0, 1]
    assert sorted(former[2:]) == list(range(before.get_piece_size()))
    assert after.size == before.get_piece_size() + 2
    assert [after.processor.id_to_piece(n) for n in range(4)] == [
        "<pad>",
        "<s>",
        "</s>",
        "<unk>",
    ]
    spec = sentencepiece_model_pb2.ModelProto.FromString(proto).trainer_spec
    assert (spec.pad_id, spec.bos_id, spec.eos_id, spec.unk_id) == (0, 1, 2, 3)
    for new, old in enumerate(former[4:], start=4):
        assert after.processor.id_to_piece(new) == before.id_to_piece(int(old))


def test_a_vocabulary_in_order_stays_as_it_is(foreign):
    proto, _ = in_own_order(foreign)
    again, former = in_own_order(proto)
    assert again == proto
    np.testing.assert_array_equal(former, np.arange(len(former)))


def test_what_cannot_end_or_is_no_model_is_refused():
    with pytest.raises(ValueError, match="Not a SentencePiece model"):
        in_own_order(b"\xff" * 9)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d"] * 9),
        model_writer=model,
        vocab_size=8,
        hard_vocab_limit=False,
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    with pytest.raises(ValueError, match="must be able to end"):
        in_own_order(model.getvalue())


def test_a_special_piece_that_texts_contain_is_refused():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d"] * 9),
        model_writer=model,
        vocab_size=9,
        hard_vocab_limit=False,
        user_defined_symbols=["<pad>"],
        bos_id=-1,
        minloglevel=2,
    )
    with pytest.raises(ValueError, match="'<pad>' is written in texts"):
        in_own_order(model.getvalue())

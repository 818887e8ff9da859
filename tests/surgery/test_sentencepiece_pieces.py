import numpy as np
import pytest
import sentencepiece

from tests.surgery.models import KINDS, learnt, texts
from zoo.presets import SHIPPED
from zoo.surgery.sentencepiece_pieces import (
    kept_pieces,
    plain_pieces,
    with_more,
    with_pieces,
)

# Unknown characters, characters that are rare, and words that are no words.
ODD = ["ñandú cat", "§", "dogge 识 <x> ranki", "catdog", "▁", "", "  the  ", "知識知识"]


@pytest.fixture(scope="module", params=KINDS)
def proto(request):
    kind, size, options = KINDS[request.param]
    return learnt(kind, size, **options)


def processor(proto):
    return sentencepiece.SentencePieceProcessor(model_proto=proto)


def counts_of(proto, corpus):
    cut = processor(proto)
    flat = [id_ for row in cut.encode(corpus, out_type=int) for id_ in row]
    return np.bincount(np.array(flat, int), minlength=cut.get_piece_size())


def trimmed(proto, corpus, most=None):
    return with_pieces(proto, kept_pieces(proto, counts_of(proto, corpus), most))


def pieces(proto, corpus):
    return processor(proto).encode(corpus, out_type=str)


@pytest.mark.parametrize("seed", range(5))
def test_the_texts_of_a_corpus_are_cut_as_before(proto, seed):
    corpus = texts(4, seed + 1) + ODD[seed::3]
    small = trimmed(proto, corpus)
    assert pieces(small, corpus) == pieces(proto, corpus)
    assert processor(small).get_piece_size() < processor(proto).get_piece_size()
    # Not because everything stayed.
    assert pieces(small, texts(60)) != pieces(proto, texts(60))


def test_nothing_becomes_unknown_and_special_ids_stay(proto):
    small = trimmed(proto, ["the"])
    for cut in (processor(proto), processor(small)):
        ids = (cut.pad_id(), cut.bos_id(), cut.eos_id(), cut.unk_id())
        assert ids == (0, 1, 2, 3)
    others = texts(40, 9) + ODD
    old, new = processor(proto), processor(small)
    unknown = [
        [text.count(3) for text in cut.encode(others, out_type=int)]
        for cut in (old, new)
    ]
    assert unknown[0] == unknown[1]
    assert [new.decode(ids) for ids in new.encode(others, out_type=int)] == [
        old.decode(ids) for ids in old.encode(others, out_type=int)
    ]


def test_the_rarest_go_first_if_only_some_may_stay(proto):
    corpus = texts(200, 3)
    whole = processor(trimmed(proto, corpus)).get_piece_size()
    least = processor(trimmed(proto, [""])).get_piece_size()
    most = (whole + least) // 2
    small = processor(trimmed(proto, corpus, most))
    assert least < small.get_piece_size() <= most
    with pytest.raises(ValueError, match=f"^{least} pieces are needed"):
        trimmed(proto, corpus, least - 1)
    # What stays is seen more often than what could have stayed instead.
    counts = counts_of(proto, corpus)
    kept = set(kept_pieces(proto, counts, most))
    gone = [counts[n] for n in range(len(counts)) if n not in kept]
    extra = kept - set(kept_pieces(proto, np.zeros_like(counts)))
    assert max(gone) <= max(counts[n] for n in extra)


def test_a_character_without_a_piece_of_its_own_stays_known():
    proto = learnt("unigram")
    cut = processor(proto)
    alone = cut.piece_to_id("g")
    rest = [n for n in range(cut.get_piece_size()) if n != alone]
    proto = with_pieces(proto, rest)
    small = trimmed(proto, ["the cat"])
    assert pieces(small, ["dogged"]) == pieces(proto, ["dogged"])
    assert 3 not in processor(small).encode("dogged", out_type=int)


def test_what_is_unknown_costs_as_before():
    """x has no piece of its own: "xy", "h" or, were x cheaper, unknown and "yh"."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString(learnt("unigram"))
    del model.pieces[4:]
    scores = {"▁": -1, "xy": -40, "h": -30, "yh": -1, "y": -3, "zz": -100, "z": -2}
    for piece, score in scores.items():
        model.pieces.add(piece=piece, score=score, type=1)
    proto = model.SerializeToString()
    assert pieces(proto, ["xyh"]) == [["▁", "xy", "h"]]
    assert pieces(trimmed(proto, ["yh"]), ["xyh"]) == [["▁", "xy", "h"]]
    without = [n for n, piece in enumerate(model.pieces) if piece.piece != "zz"]
    assert pieces(with_pieces(proto, without), ["xyh"]) == [["▁", "x", "yh"]]


# More pieces


@pytest.mark.parametrize("kind", KINDS)
def test_new_pieces_are_used_and_say_what_they_were(kind):
    own, size, options = KINDS[kind]
    proto = learnt(own, size, **options)
    cut = processor(proto)
    new = ["▁catrain", "oldranking", "▁知识别", "▁catraincats"]
    more, parts = with_more(proto, new)
    names = [cut.id_to_piece(n) for n in range(cut.get_piece_size())]
    found = processor(more)
    every = [found.id_to_piece(n) for n in range(found.get_piece_size())]
    assert every[: len(names)] == names
    assert len(every) == len(names) + len(parts)
    for piece, ids in zip(every[len(names) :], parts, strict=True):
        assert "".join(names[n] for n in ids) == piece
        assert len(ids) > 1
    # What BPE merges on the way are pieces, too.
    assert (every[len(names) :] == new) == (own == "unigram")
    for piece in new:
        if piece.startswith("▁"):
            assert pieces(more, [piece[1:]]) == [[piece]]
    # Texts without them are cut as before.
    others = ["the old dog", "ranking 知道", *texts(10, 4)]
    assert pieces(more, others) == pieces(proto, others)


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@pytest.mark.parametrize("seed", range(5))
def test_however_new_pieces_overlap_each_is_reached(kind, seed):
    proto = learnt(kind)
    random = np.random.default_rng(seed)
    words = [word for text in texts(30, seed) for word in text.split()]
    long = ["▁" + "".join(random.choice(words, size=2)) for _ in range(12)]
    new = {one[: random.integers(4, len(one) + 1)] for one in long}
    new = sorted(new - set(plain_pieces(proto)))
    more, _ = with_more(proto, new)
    assert pieces(more, [one[1:] for one in new]) == [[one] for one in new]


def test_what_bpe_never_merges_is_refused():
    own, size, options = KINDS["bpe with a user's"]
    with pytest.raises(ValueError, match="'▁catdog' has a byte or a user's piece"):
        with_more(learnt(own, size, **options), ["▁catdog"])


@pytest.mark.parametrize("piece", ["▁the", "", "ñu", "a b"])
def test_what_cannot_be_a_new_piece_is_refused(piece):
    with pytest.raises(ValueError, match=r"is a piece already|are unknown"):
        with_more(learnt("unigram"), ["catdog", piece])


@pytest.mark.parametrize("kind", ["word", "char"])
def test_a_model_without_such_pieces_is_refused(kind):
    size = {"use_all_vocab": True} if kind == "word" else {}
    proto = learnt(kind, 40, **size)
    with pytest.raises(ValueError, match="unigram and bpe are changed"):
        kept_pieces(proto, np.zeros(40))


def test_a_shipped_vocabulary_is_cut_to_a_few_sentences():
    folder = SHIPPED / "translation_transformer" / "en-de" / "preset" / "vocabulary"
    proto = (folder / "shared.model").read_bytes()
    corpus = ["Knowledge is power.", "Wissen ist Macht – überall!", "€ 5 №", "猫"]
    small = trimmed(proto, corpus)
    assert pieces(small, corpus) == pieces(proto, corpus)
    assert processor(small).get_piece_size() < 700

import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.references import wordpiece
from zoo.data.wordpiece_codec import WordPieceCodec
from zoo.data.wordpiece_vocabulary import WordPieceVocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
UNKNOWN, START, END = 1, 2, 3
OPTIONS = [
    {"lower_case": True},
    {"lower_case": False},
    {"lower_case": True, "strip_accents": False},
    {"lower_case": False, "strip_accents": True, "split_chinese": False},
]
# Characters that have been in Unicode, as what they are, for very long.
SCRIPTS = {
    "latin": "abcdefghijklmnopqrstuvwxyzABCDEIKSTÀÉÎÕÜçñøßĄčİıŁőƏẞﬁ",
    "greek": "αβγδεσςωΑΣΩΆώΐ",
    "cyrillic": "абвгийёяАБЙЁЯ",
    "hebrew and arabic": "אבגדהשׁבּابتثجحآأمُّ",
    "indic and thai": "कखगिीुँ்தमிதกขคำัไ",
    "korean": "가나다각한글ㄱ각",
    "japanese": "あいうアイウがガｶﾞー",
    "chinese": "我喜欢猫狗你好世界汉字㐀豈𠀀𪜀\U0002b820\U0002b920\U0002f800",
    "digits": "0123456789²½Ⅳ٣",
    "accents": "\u0301\u0308\u0323\u0338\u20dd",
    "punctuation": "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~«»¿·—…“”、。「」；\u037e\u0387",
    "signs": "€©®°±×÷∑≠≮≯≤√→■♥☎\u1fef\u00a8\u00b4𝐀",
    "emoji": "😀👩👧👍🏽🇩🇪\u2708\ufe0f\u200d",
    "spaces": " \t\n\r\u00a0\u1680\u2003\u2028\u2029\u202f\u3000",
    "hidden": "\0\x01\x0b\x0c\x1f\x7f\x85\u00ad\u200b\u200e\ufeff\ufffd\ue000",
}


def written_lines(count, seed=11):
    """Lines of words of one script or two, now and then with other things inside."""
    draw = random.Random(seed)
    letters = list(SCRIPTS.values())[:8]
    others = list(SCRIPTS.values())[8:]
    lines = []
    for _ in range(count):
        words = []
        for _ in range(draw.randrange(9)):
            script = draw.choice(letters) + draw.choice(["", draw.choice(letters)])
            length = draw.choice([1, 2, 3, 5, 8, 8, 8, draw.randrange(95, 106)])
            word = draw.choices(script, k=length)
            while draw.random() < 0.4:
                place = draw.randrange(len(word) + 1)
                word.insert(place, draw.choice(draw.choice(others)))
            words.append("".join(word))
        lines.append(draw.choice([" ", "  ", "\u3000"]).join(words))
    return lines


LINES = written_lines(600)


def written_pieces(options, seed=5):
    """A vocabulary: most characters, some of them not inside words, and longer runs."""
    draw = random.Random(seed)
    words = [word for line in LINES[:300] for word in wordpiece.words(line, **options)]
    alphabet = sorted({character for word in words for character in word})
    found = set(draw.sample(alphabet, len(alphabet) * 9 // 10))
    found |= {f"##{c}" for c in draw.sample(alphabet, len(alphabet) * 8 // 10)}
    for word in words:
        for _ in range(3):
            first = draw.randrange(len(word))
            run = word[first : first + draw.randrange(2, 6)]
            found.add(f"##{run}" if first else run)
    return [*SPECIAL, *sorted(found - set(SPECIAL))]


@pytest.fixture(scope="module", params=OPTIONS, ids=str)
def case(request):
    """Options and a vocabulary that has them."""
    pieces = written_pieces(request.param)
    return request.param, WordPieceVocabulary(pieces, **request.param)


@pytest.fixture(scope="module")
def small():
    words = ["the", "dog", "##s", "fox", "a", "##b", "e", "σ", "##σ", "ς", "i", "ı"]
    words += ["[", "]", "sep", "mask", "cls", "=", "我", "猫", "##e", "\U00020000"]
    return WordPieceVocabulary(SPECIAL + words + ["##\U00010330", "\U00010330"])


def encode(codec, texts, pairs=None):
    pairs = None if pairs is None else tf.constant(pairs, tf.string)
    ids, truncated = codec.encode(tf.constant(texts, tf.string), pairs)
    assert ids.dtype == tf.int32
    return ids.to_list(), truncated.numpy().tolist()


def pieces(codec, text):
    (ids,), _ = encode(codec, [text])
    assert (ids[0], ids[-1]) == (START, END)
    return [piece.decode() for piece in codec.pieces(ids[1:-1]).numpy()]


# Ids


def test_ids_are_those_of_the_paper_s_algorithm(case):
    options, vocabulary = case
    ids, truncated = encode(WordPieceCodec(vocabulary, max_pieces=2000), LINES)
    expected = [wordpiece.encode(line, vocabulary.pieces, **options) for line in LINES]
    assert ids == [[START, *row, END] for row in expected]
    assert not any(truncated)
    assert 50 < sum(row.count(UNKNOWN) for row in expected) < 1000


@pytest.mark.parametrize("max_pieces", [3, 16, 17])
def test_pairs_are_cut_as_if_the_longer_gave_up_one_at_a_time(case, max_pieces):
    options, vocabulary = case
    texts, pairs = LINES[:150], LINES[150:300]
    codec = WordPieceCodec(vocabulary, max_pieces=max_pieces)
    found, truncated = encode(codec, texts, pairs)
    for row, (text, pair) in enumerate(zip(texts, pairs, strict=True)):
        first, second = (
            wordpiece.encode(x, vocabulary.pieces, **options) for x in (text, pair)
        )
        sizes = len(first), len(second)
        kept = wordpiece.shares(*sizes, max_pieces - 3)
        expected = [START, *first[: kept[0]], END, *second[: kept[1]], END]
        assert found[row] == expected
        assert truncated[row] == (kept != sizes)


def test_pairs_of_all_small_lengths_are_cut_right(small):
    lengths = [(a, b) for a in range(10) for b in range(10)]
    texts, pairs = (["a " * pair[side] for pair in lengths] for side in (0, 1))
    for room in range(12):
        found, _ = encode(WordPieceCodec(small, max_pieces=room + 3), texts, pairs)
        ends = [[i for i, id_ in enumerate(row) if id_ == END] for row in found]
        kept = [(first - 1, second - first - 1) for first, second in ends]
        assert kept == [wordpiece.shares(a, b, room) for a, b in lengths]


def test_ids_are_those_of_the_tokenizers_package(case):
    tokenizers = pytest.importorskip("tokenizers")
    options, vocabulary = case
    judge = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(
            {piece: id_ for id_, piece in enumerate(vocabulary.pieces)},
            unk_token="[UNK]",
            max_input_chars_per_word=100,
        )
    )
    judge.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=options["lower_case"],
        strip_accents=options.get("strip_accents"),
        handle_chinese_chars=options.get("split_chinese", True),
    )
    judge.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    judge.post_processor = tokenizers.processors.BertProcessing(
        ("[SEP]", END), ("[CLS]", START)
    )
    lines = written_lines(1000, seed=12)
    ids, _ = encode(WordPieceCodec(vocabulary, max_pieces=2000), lines)
    assert ids == [row.ids for row in judge.encode_batch(lines)]
    for max_pieces in (32, 33):
        judge.enable_truncation(max_pieces)
        codec = WordPieceCodec(vocabulary, max_pieces=max_pieces)
        texts, pairs = lines[:300], lines[300:600]
        ids, truncated = encode(codec, texts)
        expected = judge.encode_batch(texts)
        assert ids == [row.ids for row in expected]
        assert truncated == [bool(row.overflowing) for row in expected]
        ids, _ = encode(codec, texts, pairs)
        expected = judge.encode_batch(list(zip(texts, pairs, strict=True)))
        assert ids == [row.ids for row in expected]


def test_an_empty_text_has_only_special_tokens(small):
    codec = WordPieceCodec(small)
    assert encode(codec, ["", " \t", "\u200b"]) == ([[START, END]] * 3, [False] * 3)
    assert encode(codec, [""], [""]) == ([[START, END, END]], [False])


def test_no_texts_give_no_rows(small):
    codec = WordPieceCodec(small)
    for pairs in (None, []):
        assert encode(codec, [], pairs) == ([], [])
        pairs = None if pairs is None else tf.constant(pairs, tf.string)
        starts, ends = codec.spans(tf.constant([], tf.string), pairs)
        assert starts.shape == ends.shape == (0, 0)


def test_texts_and_pairs_must_be_as_many(small):
    with pytest.raises(tf.errors.InvalidArgumentError):
        WordPieceCodec(small).encode(tf.constant(["a", "a", "a"]), tf.constant(["a"]))


def test_a_text_cannot_write_special_ids(small):
    found = pieces(WordPieceCodec(small), "[SEP] a [MASK] [CLS]")
    assert found == ["[", "sep", "]", "a", "[", "mask", "]", "[", "cls", "]"]


def test_text_after_a_nul_is_read(small):
    assert pieces(WordPieceCodec(small), "do\0gs \0 fox") == ["dog", "##s", "fox"]


def test_bytes_that_are_not_utf_8_leave_nothing(small):
    codec = WordPieceCodec(small)
    damaged = [b"do\xffgs", b"the\xe7\x8cdog", "狗".encode("gbk"), b"\x80"]
    assert encode(codec, damaged) == encode(codec, ["dogs", "thedog", "", ""])


def test_a_sigma_is_the_same_wherever_it_stands(small):
    assert pieces(WordPieceCodec(small), "ΣΣ ς") == ["σ", "##σ", "ς"]


def test_words_of_more_than_a_hundred_characters_are_unknown(small):
    codec = WordPieceCodec(small, max_pieces=1000)
    for first, rest in (("a", "b"), ("\U00010330", "\U00010330")):
        whole = pieces(codec, first + rest * 99)
        assert whole == [first] + [f"##{rest}"] * 99
        assert pieces(codec, first + rest * 100) == ["[UNK]"]
    # They are counted when accents are gone.
    assert len(pieces(codec, "a" + "e\u0301" * 99)) == 100
    assert pieces(codec, "a" + "é" * 100) == ["[UNK]"]


# Limits


def test_a_text_over_the_limit_of_characters_is_cut_and_flagged(small):
    codec = WordPieceCodec(small, max_characters=3)
    ids, truncated = encode(codec, ["dog", "dogs", "我我猫", "我我猫我"])
    assert truncated == [False, True, False, True]
    assert ids[0] == ids[1]
    assert ids[2] == ids[3]
    _, truncated = encode(codec, ["a", "dogs", "a"], ["dogs", "a", "dog"])
    assert truncated == [True, True, False]


def test_a_text_over_the_limit_of_pieces_is_cut_and_flagged(small):
    whole = encode(WordPieceCodec(small), ["the dogs"])[0][0]
    assert len(whole) == 5
    assert encode(WordPieceCodec(small, max_pieces=5), ["the dogs"]) == (
        [whole],
        [False],
    )
    assert encode(WordPieceCodec(small, max_pieces=4), ["the dogs"]) == (
        [[*whole[:3], END]],
        [True],
    )


def test_a_limit_without_room_for_special_tokens_is_refused(small):
    with pytest.raises(ValueError, match=r"3 or more.*Received 2"):
        WordPieceCodec(small, max_pieces=2)


def test_a_piece_that_tf_text_cannot_hold_is_refused():
    with pytest.raises(ValueError, match=r"cannot hold the vocabulary.*256"):
        WordPieceCodec(WordPieceVocabulary([*SPECIAL, "x" * 257]))


# Spans


def found_in(codec, text, pair=None):
    """The text under each piece; None for special tokens."""
    pairs = None if pair is None else tf.constant([pair])
    starts, ends = codec.spans(tf.constant([text]), pairs)
    assert starts.dtype == ends.dtype == tf.int32
    whole = text if pair is None else f"{text}\n{pair}"
    return [
        whole.encode()[start:end].decode() if end else None
        for start, end in zip(*np.array([starts[0], ends[0]]), strict=True)
    ]


def test_spans_show_the_text_of_each_piece(small):
    codec = WordPieceCodec(small)
    assert found_in(codec, "  The DOGs,我猫ab") == [
        *(None, "The", "DOG", "s", ",", "我", "猫", "a", "b", None)
    ]


def test_pieces_of_a_word_that_changed_its_length_have_the_whole_word(small):
    codec = WordPieceCodec(small)
    assert found_in(codec, "a dógs ≠ do\u200bgs ΣΣ")[1:-1] == [
        *("a", "dógs", "dógs", "≠", "do\u200bgs", "do\u200bgs", "Σ", "Σ")
    ]


def test_spans_of_a_pair_are_in_both_texts_joined(small):
    codec = WordPieceCodec(small)
    assert found_in(codec, "我 dogs", "猫\nthe") == [
        *(None, "我", "dog", "s", None, "猫", "the", None)
    ]
    # The first text is cut to one character here, but not the place of the second.
    cut = WordPieceCodec(small, max_characters=1)
    assert found_in(cut, "我 dogs", "猫 the") == [None, "我", None, "猫", None]


def test_spans_count_replaced_bytes(small):
    codec = WordPieceCodec(small)
    starts, ends = codec.spans(tf.constant([b"\xff"]), tf.constant(["a"]))
    assert starts.numpy().tolist() == [[0, 0, 4, 0]]
    assert ends.numpy().tolist() == [[0, 0, 5, 0]]
    starts, ends = codec.spans(tf.constant([b"\xff a"]))
    assert starts.numpy().tolist() == [[0, 4, 0]]
    assert ends.numpy().tolist() == [[0, 5, 0]]


@pytest.mark.parametrize("paired", [False, True])
def test_spans_stand_beside_their_ids(case, paired):
    options, vocabulary = case
    codec = WordPieceCodec(vocabulary, max_pieces=24)
    texts, pairs = LINES[:100], LINES[100:200] if paired else None
    ids = codec.encode(texts, pairs)[0].to_tensor().numpy()
    starts, ends = (x.numpy() for x in codec.spans(texts, pairs))
    assert starts.shape == ends.shape == ids.shape
    own = (ids != 0) & (ids != START) & (ids != END)
    assert not starts[~own].any() and not ends[~own].any()
    assert (starts[own] < ends[own]).all()
    for row, column in np.argwhere(own & (ids != UNKNOWN)):
        whole = texts[row] + (f"\n{pairs[row]}" if paired else "")
        span = whole.encode()[starts[row, column] : ends[row, column]].decode()
        piece = vocabulary.pieces[ids[row, column]].removeprefix("##")
        assert piece in "".join(wordpiece.words(span, **options))


# Pieces


def test_pieces_are_the_vocabulary_s_and_empty_at_padding(small):
    codec = WordPieceCodec(small)
    ids = codec.encode(tf.constant(["dogs zzz", "a"]))[0].to_tensor()
    assert codec.pieces(ids).numpy().tolist() == [
        [b"[CLS]", b"dog", b"##s", b"[UNK]", b"[SEP]"],
        [b"[CLS]", b"a", b"[SEP]", b"", b""],
    ]


# In a SavedModel

TEXT_OPS = {
    "FastWordpieceTokenizeWithOffsets",
    "NormalizeUTF8",
}
ASK = """
import json, sys
import tensorflow as tf
import tensorflow_text

loaded = tf.saved_model.load(sys.argv[1])
answers = loaded.answer(tf.constant(json.load(sys.stdin)))
print(json.dumps([answer.numpy().tolist() for answer in answers]))
"""


@pytest.fixture(scope="module")
def saved(small, tmp_path_factory):
    """Two codecs with other pieces and other options, and where they were saved."""
    other = [*SPECIAL, *reversed(small.pieces[len(SPECIAL) :]), "i\u0307"]
    module = tf.Module()
    module.codecs = [
        WordPieceCodec(small),
        WordPieceCodec(WordPieceVocabulary(other, strip_accents=False)),
    ]
    module.answer = tf.function(
        lambda texts: [
            *(codec.encode(texts)[0].to_tensor() for codec in module.codecs),
            *module.codecs[0].spans(texts, texts[::-1]),
        ],
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    folder = tmp_path_factory.mktemp("codecs")
    tf.saved_model.save(module, str(folder))
    return module, folder


def test_only_operations_that_every_server_has_are_saved(saved):
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((saved[1] / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    functions = {function.signature.name for function in graph.library.function}
    found = {node.op for node in nodes} - functions
    assert {op for op in found if not hasattr(tf.raw_ops, op)} == TEXT_OPS
    assert not any("Hash" in op or "PyFunc" in op for op in found)


def test_loaded_codecs_keep_their_pieces_even_on_a_server_in_turkey(saved):
    module, folder = saved
    texts = ["I fox İ i ı the 猫 dogs é ΣΣ", *LINES[:50]]
    expected = [answer.numpy().tolist() for answer in module.answer(texts)]
    small, other = (
        [piece.decode() for piece in codec.pieces(ids[0][:5]).numpy()]
        for codec, ids in zip(module.codecs, expected, strict=False)
    )
    assert small == ["[CLS]", "i", "fox", "i", "i"]
    assert other == ["[CLS]", "i", "fox", "i\u0307", "i"]
    assert expected[0] != expected[1]
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(folder)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "tr_TR.UTF-8"},
    )
    assert json.loads(done.stdout) == expected

import json
import subprocess
import sys

import pytest

from zoo.data.wordpiece_vocabulary import WordPieceVocabulary

PIECES = ("[PAD]", "a", "[UNK]", "##b", "[SEP]", "[CLS]", "ç", "中")


def test_special_pieces_are_found_by_their_names():
    vocabulary = WordPieceVocabulary(PIECES)
    assert vocabulary.pieces == PIECES
    assert vocabulary.size == 8
    assert vocabulary.padding_id == 0
    assert vocabulary.unknown_id == 2
    assert vocabulary.end_id == 4
    assert vocabulary.start_id == 5
    assert vocabulary.special_ids == (0, 2, 4, 5)
    assert WordPieceVocabulary([*PIECES, "[MASK]"]).special_ids == (0, 2, 4, 5, 8)


@pytest.mark.parametrize(
    "lower_case, given, used",
    [
        (True, None, True),
        (False, None, False),
        (True, False, False),
        (False, True, True),
    ],
)
def test_accents_go_with_the_case_unless_told_otherwise(lower_case, given, used):
    vocabulary = WordPieceVocabulary(PIECES, lower_case, given)
    assert vocabulary.strip_accents is used


def test_padding_must_come_first():
    with pytest.raises(ValueError, match=r"Padding must be id 0.*\[PAD\] at 1.*'a'"):
        WordPieceVocabulary(["a", "[PAD]", *PIECES[2:]])


@pytest.mark.parametrize("missing", ["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
def test_missing_special_pieces_are_named(missing):
    with pytest.raises(ValueError) as error:
        WordPieceVocabulary([piece for piece in PIECES if piece != missing])
    assert f"without {missing};" in str(error.value)


def test_a_piece_that_appears_twice_is_refused():
    with pytest.raises(ValueError, match="'a' twice"):
        WordPieceVocabulary([*PIECES, "a"])


def test_a_piece_with_a_line_break_is_refused():
    with pytest.raises(ValueError, match=r"'b\\n'"):
        WordPieceVocabulary([*PIECES, "b\n"])


def test_the_sum_knows_pieces_and_options():
    sums = {
        WordPieceVocabulary(PIECES).sha256,
        WordPieceVocabulary([*PIECES, "x"]).sha256,
        WordPieceVocabulary(PIECES, lower_case=False).sha256,
        WordPieceVocabulary(PIECES, strip_accents=False).sha256,
        WordPieceVocabulary(PIECES, split_chinese=False).sha256,
    }
    assert len(sums) == 5
    assert WordPieceVocabulary(list(PIECES)).sha256 in sums


# Files


@pytest.mark.parametrize("strange", ["\u2028", "\x85", "\r", "", " "])
def test_it_is_loaded_as_it_was_saved(tmp_path, strange):
    saved = WordPieceVocabulary([*PIECES, strange], False, True, False)
    saved.save(tmp_path)
    loaded = WordPieceVocabulary.load(tmp_path)
    assert loaded.pieces == saved.pieces
    assert (loaded.lower_case, loaded.strip_accents) == (False, True)
    assert loaded.split_chinese is False
    assert loaded.sha256 == saved.sha256
    lines = (tmp_path / "wordpiece.txt").read_bytes().decode().split("\n")
    assert lines == [*saved.pieces, ""]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "wordpiece.json",
        "wordpiece.txt",
    ]


def test_damaged_files_are_named(tmp_path):
    WordPieceVocabulary(PIECES).save(tmp_path)
    (tmp_path / "wordpiece.txt").write_text("[PAD]\n[UNK]\n")
    with pytest.raises(ValueError, match=f"{tmp_path.name} is damaged"):
        WordPieceVocabulary.load(tmp_path)
    WordPieceVocabulary(PIECES).save(tmp_path)
    (tmp_path / "wordpiece.json").write_text('{"colour": 1}')
    with pytest.raises(ValueError, match=f"{tmp_path.name} is damaged.*colour"):
        WordPieceVocabulary.load(tmp_path)


# Hugging Face's


def write_vocab(folder, config=None, end="\n"):
    (folder / "vocab.txt").write_bytes(("\n".join(PIECES) + end).encode())
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("end", ["", "\n"])
def test_vocab_txt_alone_has_bert_s_own_options(tmp_path, end):
    write_vocab(tmp_path, end=end)
    vocabulary = WordPieceVocabulary.read_hugging_face(tmp_path)
    assert vocabulary.pieces == PIECES
    assert vocabulary.lower_case and vocabulary.strip_accents
    assert vocabulary.split_chinese


def test_lines_may_end_as_on_windows(tmp_path):
    (tmp_path / "vocab.txt").write_bytes("\r\n".join(PIECES).encode())
    assert WordPieceVocabulary.read_hugging_face(tmp_path).pieces == PIECES


def test_the_tokenizer_s_configuration_gives_the_options(tmp_path):
    write_vocab(
        tmp_path,
        {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False}
        | {"tokenizer_class": "DistilBertTokenizerFast"},
    )
    vocabulary = WordPieceVocabulary.read_hugging_face(tmp_path)
    assert not vocabulary.lower_case
    assert vocabulary.strip_accents
    assert not vocabulary.split_chinese


def test_a_configuration_with_other_things_changes_nothing(tmp_path):
    write_vocab(tmp_path, {"model_max_length": 512, "strip_accents": None})
    assert WordPieceVocabulary.read_hugging_face(tmp_path).strip_accents


def test_a_tokenizer_that_finds_words_in_another_way_is_refused(tmp_path):
    write_vocab(tmp_path, {"tokenizer_class": "BertJapaneseTokenizer"})
    with pytest.raises(ValueError, match=r"vocab\.txt: .*BertJapaneseTokenizer"):
        WordPieceVocabulary.read_hugging_face(tmp_path)


def tokenizer_json():
    return {
        "added_tokens": [{"id": 0, "content": "[PAD]", "special": True}],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            # Not in the order of the ids, as it may be.
            "vocab": {p: i for i, p in reversed(list(enumerate(PIECES)))},
        },
    }


def read_json(folder, content):
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    return WordPieceVocabulary.read_hugging_face(folder)


def test_tokenizer_json_gives_pieces_and_options(tmp_path):
    content = tokenizer_json()
    vocabulary = read_json(tmp_path, content)
    assert vocabulary.pieces == PIECES
    assert vocabulary.sha256 == WordPieceVocabulary(PIECES).sha256
    content["normalizer"] |= {"lowercase": False, "handle_chinese_chars": False}
    content["normalizer"] |= {"strip_accents": True}
    vocabulary = read_json(tmp_path, content)
    assert not vocabulary.lower_case and not vocabulary.split_chinese
    assert vocabulary.strip_accents


def test_vocab_txt_is_read_rather_than_tokenizer_json(tmp_path):
    write_vocab(tmp_path)
    assert read_json(tmp_path, {}).pieces == PIECES


def test_special_added_tokens_are_pieces(tmp_path):
    content = tokenizer_json()
    content["added_tokens"] += [{"id": 8, "content": "[MASK]", "special": True}]
    assert read_json(tmp_path, content).pieces == (*PIECES, "[MASK]")


@pytest.mark.parametrize(
    "part, change, message",
    [
        ("model", {"type": "BPE"}, "model must be 'WordPiece'.*'BPE'"),
        ("model", {"type": "Unigram"}, "model must be 'WordPiece'.*'Unigram'"),
        ("model", {"unk_token": "<unk>"}, "unk_token must be.*<unk>"),
        ("model", {"continuing_subword_prefix": "@"}, "prefix must be '##'.*'@'"),
        ("model", {"max_input_chars_per_word": 7}, "longest word must be 100.* 7;"),
        ("normalizer", {"type": "Sequence"}, "normalizer must be.*'Sequence'"),
        ("normalizer", {"clean_text": False}, "clean_text must be True.*False"),
        ("pre_tokenizer", {"type": "Metaspace"}, "pre_tokenizer must be.*Metaspace"),
        ("model", {"vocab": {"[PAD]": 0, "a": 2}}, "without gaps.*'a' with id 2"),
        ("model", {"vocab": {"[PAD]": 0, "a": 0}}, "without gaps.*'a' with id 0"),
        ("model", {"vocab": {"[PAD]": 0, "a": 1}}, r"without \[UNK\], \[CLS\]"),
    ],
)
def test_other_kinds_of_tokenizers_are_refused(tmp_path, part, change, message):
    content = tokenizer_json()
    content[part] |= change
    with pytest.raises(ValueError, match=r"tokenizer\.json: .*" + message):
        read_json(tmp_path, content)


def test_a_tokenizer_without_a_normalizer_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"normalizer must be.*Received None"):
        read_json(tmp_path, tokenizer_json() | {"normalizer": None})


def test_added_tokens_that_would_be_found_in_text_are_refused(tmp_path):
    content = tokenizer_json()
    content["added_tokens"] += [{"id": 8, "content": "covid", "special": False}]
    with pytest.raises(ValueError, match="'covid'"):
        read_json(tmp_path, content)


def test_a_folder_without_either_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path.name} has neither"):
        WordPieceVocabulary.read_hugging_face(tmp_path)


def test_it_needs_no_tensorflow():
    code = (
        "import sys, zoo.data.wordpiece_vocabulary;"
        "print([m for m in ('keras', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

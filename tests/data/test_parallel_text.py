import gzip

import pytest

from zoo.data.parallel_text import (
    DataWarning,
    ParallelText,
    read_parallel_text,
    write_parallel_text,
)

TWO_COLUMNS = "Hello.\t你好。\nThe cat sleeps.\t猫在睡觉。\n"


@pytest.fixture
def write(tmp_path):
    def write(content, name="pairs.tsv"):
        path = tmp_path / name
        content = content if isinstance(content, bytes) else content.encode("utf-8")
        path.write_bytes(content)
        return path

    return write


def good_lines(count):
    return "".join(f"sentence {number}\t句子{number}\n" for number in range(count))


# One file


def test_two_columns_are_source_and_target(write):
    text = read_parallel_text(write(TWO_COLUMNS))
    assert text.sources == ["Hello.", "The cat sleeps."]
    assert text.targets == ["你好。", "猫在睡觉。"]
    assert text.references == [["你好。"], ["猫在睡觉。"]]
    assert text.origins == ["", ""]
    assert len(text) == 2


def test_a_column_of_repeated_labels_is_the_origin(write):
    lines = [f"tatoeba\tsource {n}\ttarget {n}\n" for n in range(11)]
    lines[3] = "tatoeba\tsource 3\ttarget 3\tanother\tand another\n"
    text = read_parallel_text(write("".join(lines)))
    assert set(text.origins) == {"tatoeba"}
    assert text.sources[3] == "source 3"
    assert text.references[3] == ["target 3", "another", "and another"]
    assert text.targets[3] == "target 3"


def test_three_columns_that_cannot_be_told_apart_are_refused_with_the_way_out(write):
    lines = [f"sentence {n}\ttarget {n}\tCC-BY author {n}\n" for n in range(11)]
    with pytest.raises(ValueError, match=r"3 columns.*--columns 1,2"):
        read_parallel_text(write("".join(lines)))


def test_the_advised_columns_read_the_file_that_was_refused(write):
    lines = [f"sentence {n}\ttarget {n}\tCC-BY author {n}\n" for n in range(11)]
    text = read_parallel_text(write("".join(lines)), columns=(1, 2))
    assert text.sources[7] == "sentence 7"
    assert text.references[7] == ["target 7"]


def test_a_single_line_of_sentences_is_not_taken_for_a_label(write):
    with pytest.raises(ValueError, match="--columns"):
        read_parallel_text(write("Hi.\t嗨。\tCC-BY 2.0 tatoeba.org\n"))


def test_columns_may_stand_in_any_order(write):
    path = write("你好。\tHello.\n猫。\tCat.\n")
    text = read_parallel_text(path, columns=(2, 1))
    assert text.sources == ["Hello.", "Cat."]
    assert text.targets == ["你好。", "猫。"]


def test_three_numbers_name_origin_source_and_target(write):
    path = write("web\tHello.\t你好。\t您好。\nbook\tCat.\t猫。\n")
    text = read_parallel_text(path, columns=(1, 2, 3))
    assert text.origins == ["web", "book"]
    assert text.references == [["你好。", "您好。"], ["猫。"]]


def test_neither_source_nor_origin_is_ever_a_reference(write):
    path = write("web\t你好。\tHello.\t您好。\n")
    text = read_parallel_text(path, columns=(1, 3, 2))
    assert text.sources == ["Hello."]
    assert text.references == [["你好。", "您好。"]]
    path = write("你好。\tHello.\tweb\n")
    assert read_parallel_text(path, columns=(3, 2, 1)).references == [["你好。"]]


@pytest.mark.parametrize("columns", [(), (1,), (0, 1), (1, 2, 3, 4), (-1, 2)])
def test_columns_that_make_no_sense_are_refused(write, columns):
    with pytest.raises(ValueError, match="counted from 1"):
        read_parallel_text(write(TWO_COLUMNS), columns=columns)


def test_columns_beyond_the_file_are_refused(write):
    with pytest.raises(ValueError, match="2 columns instead of 5"):
        read_parallel_text(write(TWO_COLUMNS), columns=(1, 5))


# Two files


def test_two_files_pair_line_by_line(write):
    text = read_parallel_text(
        write("Hello.\nCat.\n", "en.txt"), write("你好。\n猫。\n", "zh.txt")
    )
    assert text.sources == ["Hello.", "Cat."]
    assert text.targets == ["你好。", "猫。"]


def test_two_files_of_unequal_length_are_refused_with_both_lengths(write):
    with pytest.raises(ValueError, match=r"en.txt has 3 lines and .*zh.txt has 2"):
        read_parallel_text(write("a\nb\nc\n", "en.txt"), write("甲\n乙\n", "zh.txt"))


def test_a_missing_target_file_is_named(write, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
        read_parallel_text(write("a\n"), tmp_path / "nowhere.txt")


# What lines are


def test_gzip_is_read_by_its_name(write):
    path = write(gzip.compress(TWO_COLUMNS.encode()), "pairs.tsv.gz")
    assert read_parallel_text(path).targets == ["你好。", "猫在睡觉。"]


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_byte_order_marks_and_windows_line_ends_are_no_text(write, ending, mark):
    path = write(mark + TWO_COLUMNS.replace("\n", ending))
    text = read_parallel_text(path)
    assert text.sources == ["Hello.", "The cat sleeps."]
    assert text.targets == ["你好。", "猫在睡觉。"]


def test_a_windows_line_end_is_no_part_of_an_origin(write):
    path = write("你好。\tHello.\tweb\r\n")
    assert read_parallel_text(path, columns=(3, 2, 1)).origins == ["web"]


def test_a_last_line_needs_no_line_end(write):
    assert len(read_parallel_text(write(TWO_COLUMNS.rstrip("\n")))) == 2


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x0c", "\x0b", "\x85"])
def test_only_a_line_feed_ends_a_line(write, character):
    path = write(f"one{character}half\t一{character}半\nCat.\t猫。\n")
    text = read_parallel_text(path)
    assert text.sources == [f"one{character}half", "Cat."]
    assert text.targets == [f"一{character}半", "猫。"]


def test_chinese_without_spaces_is_kept_exactly(write):
    sentence = "我在北京大学学习，“很”有意思——真的！１２３"
    text = read_parallel_text(write(f"{sentence}\t{sentence}\n"))
    assert text.sources == text.targets == [sentence]


# Files that cannot be used


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_refused_with_the_command_that_converts_it(write, encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    with pytest.raises(ValueError, match=r"iconv -f UTF-16 -t UTF-8 pairs\.tsv"):
        read_parallel_text(write((mark + TWO_COLUMNS).encode(encoding)))


def test_another_encoding_is_refused(write):
    with pytest.raises(ValueError, match=r"2 of 2 lines malformed.*not UTF-8"):
        read_parallel_text(write(TWO_COLUMNS.encode("gbk")))


def test_a_few_damaged_lines_are_left_out_and_told_by_number(write):
    lines = good_lines(50).encode().split(b"\n")
    lines[6] = b"caf\xe9\t\xff\xfe"
    lines[16] = b"no tab"
    lines[26] = "\t只有译文".encode()
    with pytest.warns(DataWarning) as caught:
        text = read_parallel_text(write(b"\n".join(lines)))
    message = str(caught[0].message)
    assert "3 of 50" in message
    assert "line 7: not UTF-8" in message
    assert "line 17: 1 columns instead of 2" in message
    assert "line 27: no source text" in message
    assert len(text) == 47
    assert "sentence 6" not in text.sources
    assert text.sources[6] == "sentence 7"
    assert text.targets[6] == "句子7"


def test_of_many_damaged_lines_the_first_five_are_told(write):
    damaged = "no tab\n" * 7
    with pytest.warns(DataWarning, match="line 5: 1 columns.*and 2 more"):
        read_parallel_text(write(damaged + good_lines(100)))


def test_the_lines_of_two_files_stay_paired_where_one_is_damaged(write):
    sources = [f"sentence {n}".encode() for n in range(20)]
    targets = [f"句子{n}".encode() for n in range(20)]
    sources[4], targets[11] = b"\xff", b""
    with pytest.warns(DataWarning, match=r"line 5: not UTF-8; line 12: no target"):
        text = read_parallel_text(
            write(b"\n".join(sources), "en.txt"), write(b"\n".join(targets), "zh.txt")
        )
    assert len(text) == 18
    for source, target in zip(text.sources, text.targets, strict=True):
        assert source.removeprefix("sentence ") == target.removeprefix("句子")


def test_more_than_a_tenth_of_damaged_lines_is_another_format(write):
    with pytest.raises(ValueError, match="11 of 100 lines malformed"):
        read_parallel_text(write("no tab\n" * 11 + good_lines(89)))
    with pytest.warns(DataWarning, match="10 of 100"):
        assert len(read_parallel_text(write("no tab\n" * 10 + good_lines(90)))) == 90


@pytest.mark.parametrize("content", ["", "\n\n\n", "  \n\t\n", "\ufeff", "\ufeff\n"])
def test_a_file_without_text_is_refused(write, content):
    with pytest.raises(ValueError, match="empty"):
        read_parallel_text(write(content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tsv"):
        read_parallel_text(tmp_path / "nowhere.tsv")
    with pytest.raises(FileNotFoundError):
        read_parallel_text(tmp_path)


@pytest.mark.parametrize("size", [5, 40, -3])
def test_a_gzip_file_that_was_cut_short_is_refused(write, size):
    whole = gzip.compress(good_lines(300).encode())
    with pytest.raises(ValueError, match="not a whole gzip file"):
        read_parallel_text(write(whole[:size], "pairs.tsv.gz"))


def test_plain_text_under_a_gzip_name_is_refused(write):
    with pytest.raises(ValueError, match="not a whole gzip file"):
        read_parallel_text(write(TWO_COLUMNS, "pairs.tsv.gz"))


# Writing and repeating


def test_what_is_written_is_read_back(tmp_path):
    text = ParallelText(
        sources=["Hello.", "Cat.", "a \u2028 b"],
        references=[["你好。", "您好。"], ["猫。"], ["甲", "乙", "丙"]],
        origins=["web", "book", "a:b.c-d"],
    )
    write_parallel_text(text, tmp_path / "kept.tsv.gz")
    assert read_parallel_text(tmp_path / "kept.tsv.gz", columns=(1, 2, 3)) == text


def test_the_same_text_gives_the_same_bytes(tmp_path):
    text = ParallelText(["Hello."], [["你好。"]], ["web"])
    for name in ("one.gz", "two.gz"):
        write_parallel_text(text, tmp_path / name)
    content = (tmp_path / "one.gz").read_bytes()
    assert content == (tmp_path / "two.gz").read_bytes()
    assert content[4:8] == bytes(4), "gzip's time of writing"


def test_text_without_origins_is_read_back_too(tmp_path):
    text = ParallelText(["Hello.", "Cat."], [["你好。"], ["猫。"]], ["", ""])
    write_parallel_text(text, tmp_path / "kept.tsv.gz")
    read = read_parallel_text(tmp_path / "kept.tsv.gz", columns=(1, 2, 3))
    assert read.sources == text.sources
    assert read.references == text.references


def test_pairs_of_an_origin_can_be_repeated():
    text = ParallelText(["a", "b"], [["甲"], ["乙", "丙"]], ["web", "book"])
    repeated = text.repeated({"book": 3})
    assert repeated.sources == ["a", "b", "b", "b"]
    assert repeated.references == [["甲"], *[["乙", "丙"]] * 3]
    assert repeated.origins == ["web", "book", "book", "book"]
    assert len(text) == 2


def test_repeating_an_unknown_origin_is_refused_with_those_there_are():
    text = ParallelText(["a", "b"], [["甲"], ["乙"]], ["web", "book"])
    with pytest.raises(ValueError, match=r"comes from news\. .* book, web"):
        text.repeated({"news": 2})

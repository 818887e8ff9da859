import csv
import gzip
import io
import json
import warnings

import pytest

from zoo.data.labelled_text import (
    LabelledText,
    read_labelled_text,
    write_labelled_text,
)
from zoo.data.parallel_text import DataWarning

TABLE = "text,label\nA fine film.,positive\n难看。,negative\n"
OBJECTS = '{"text": "A fine film.", "label": "positive"}\n'


@pytest.fixture
def write(tmp_path):
    def write(content, name="reviews.csv"):
        path = tmp_path / name
        content = content if isinstance(content, bytes) else content.encode("utf-8")
        path.write_bytes(content)
        return path

    return write


def good_rows(count):
    return "".join(f"text {number},label {number % 2}\n" for number in range(count))


# What is read


def test_a_table_has_a_text_and_a_label_on_each_row(write):
    data = read_labelled_text(write(TABLE))
    assert data.texts == ["A fine film.", "难看。"]
    assert data.labels == ["positive", "negative"]
    assert data.pairs == []
    assert data.lines == [2, 3]
    assert data.origin == "reviews.csv"
    assert len(data) == 2
    assert data.sources is data.texts


@pytest.mark.parametrize("name", ["a.CSV", "a.csv.gz", "a.tsv", "a.tsv.gz"])
def test_the_name_says_what_a_table_is(write, name):
    content = TABLE.replace(",", "\t") if "tsv" in name else TABLE
    content = gzip.compress(content.encode()) if name.endswith("gz") else content
    data = read_labelled_text(write(content, name))
    assert data.texts == ["A fine film.", "难看。"]
    assert data.labels == ["positive", "negative"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json-lines.gz"])
def test_the_name_says_that_objects_stand_on_lines(write, name):
    content = gzip.compress(OBJECTS.encode()) if name.endswith("gz") else OBJECTS
    assert read_labelled_text(write(content, name)) == LabelledText(
        ["A fine film."], ["positive"]
    )


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_marks_and_line_ends_of_any_system_are_no_text(write, ending, mark):
    data = read_labelled_text(write(mark + TABLE.replace("\n", ending)))
    assert data.texts == ["A fine film.", "难看。"]
    assert data.labels == ["positive", "negative"]


def test_windows_line_ends_and_a_mark_are_no_part_of_objects_either(write):
    content = "\ufeff" + (OBJECTS * 2).replace("\n", "\r\n")
    data = read_labelled_text(write(content, "a.jsonl"))
    assert data.labels == ["positive", "positive"]
    assert data.lines == [1, 2]


def test_quoted_commas_quotation_marks_and_line_breaks_belong_to_the_text(write):
    rows = [
        ("text", "label"),
        ('好，但是, "贵"', "买"),
        ("two\nlines", "不买"),
        ("\r\n\r\nmore", "不买"),
        ("last", "yes, perhaps"),
    ]
    content = io.StringIO(newline="")
    csv.writer(content).writerows(rows)
    data = read_labelled_text(write(content.getvalue()))
    assert list(zip(data.texts, data.labels, strict=True)) == rows[1:]
    assert data.lines == [2, 3, 5, 8]


@pytest.mark.parametrize("character", ["\u2028", "\x0c", "\x85", "\x1c"])
def test_only_a_line_feed_ends_a_line(write, character):
    text = f"one{character}half"
    assert read_labelled_text(write(f"text,label\n{text},a\n")).texts == [text]
    line = json.dumps({"text": text, "label": "a"}, ensure_ascii=False)
    assert read_labelled_text(write(line, "a.jsonl")).texts == [text]


@pytest.mark.parametrize("size", [100_000, 10_000_000])
def test_long_texts_are_read_whole(write, size):
    before = csv.field_size_limit(5_000)
    try:
        data = read_labelled_text(write(f'text,label\n"{"长" * size}",a\n'))
        assert csv.field_size_limit() == 5_000
    finally:
        csv.field_size_limit(before)
    assert data.texts == ["长" * size]


def test_texts_are_kept_and_white_space_around_labels_is_dropped(write):
    data = read_labelled_text(write("text , label\n  two  spaces , 买 \nb,\tc\u3000\n"))
    assert data.texts == ["  two  spaces ", "b"]
    assert data.labels == ["买", "c"]


def test_blank_lines_are_no_rows(write):
    data = read_labelled_text(write("text,label\n\na,x\n  \n\nb,y\n,\n\n"))
    assert data.texts == ["a", "b"]
    assert data.lines == [3, 6]


def test_an_empty_label_is_kept(write):
    assert read_labelled_text(write("text,label\na,\nb,x|y\n")).labels == ["", "x|y"]


def test_a_tsv_file_may_quote_or_not(write):
    quoted = 'text\tlabel\n"a\t""b"""\tx\n'
    assert read_labelled_text(write(quoted, "a.tsv")).texts == ['a\t"b"']
    plain = 'text\tlabel\n"Good" film\tx\n"So he said\ty\n'
    data = read_labelled_text(write(plain, "a.tsv"))
    assert data.texts == ['"Good" film', '"So he said']
    assert data.labels == ["x", "y"]


# Columns


def test_a_column_text_pair_is_read_where_there_is_one(write):
    data = read_labelled_text(write("label,text_pair,text\nyes,second,first\n"))
    assert (data.texts, data.pairs, data.labels) == (["first"], ["second"], ["yes"])


@pytest.mark.parametrize("columns", ["review,stars", " review , stars", ("review",)])
def test_columns_are_chosen_by_name(write, columns):
    path = write("id,stars,review\n1,5,Good.\n")
    if len(columns) == 1:
        with pytest.raises(ValueError, match="two or three different names"):
            read_labelled_text(path, columns)
        return
    data = read_labelled_text(path, columns)
    assert (data.texts, data.labels, data.pairs) == (["Good."], ["5"], [])


def test_three_columns_are_text_second_text_and_label(write):
    path = write("premise,hypothesis,gold\na,b,c\n")
    data = read_labelled_text(path, ["premise", "hypothesis", "gold"])
    assert (data.texts, data.pairs, data.labels) == (["a"], ["b"], ["c"])


def test_two_named_columns_leave_a_text_pair_alone(write):
    path = write("text,text_pair,label\na,b,c\n")
    assert read_labelled_text(path, "text,label").pairs == []


def test_a_missing_column_is_told_with_those_there_are_and_the_way_out(write):
    message = (
        r"no column 'label'\. Did you mean 'Labels'\? Its columns are: text, Labels, "
        r"stars\. .*--columns review,stars"
    )
    with pytest.raises(ValueError, match=message):
        read_labelled_text(write("text,Labels,stars\na,b,c\n"))
    objects = '{"review": "a", "stars": 1}\n'
    with pytest.raises(ValueError, match="no column 'text' and no column 'label'"):
        read_labelled_text(write(objects, "a.jsonl"))


def test_a_table_with_another_separator_is_recognised(write):
    with pytest.raises(ValueError, match="text;label; a CSV file is separated by com"):
        read_labelled_text(write("text;label\na;b\n"))


def test_a_column_that_stands_twice_is_refused_only_if_it_is_wanted(write):
    with pytest.raises(ValueError, match="2 columns named 'text'"):
        read_labelled_text(write("text,text,label\na,b,c\n"))
    assert len(read_labelled_text(write("text,label,,\na,b,,\n"))) == 1


def test_the_same_column_twice_is_refused(write):
    with pytest.raises(ValueError, match="two or three different names"):
        read_labelled_text(write(TABLE), "text,text")


# Files that cannot be used


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        read_labelled_text(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileNotFoundError, match=r"folder\.csv"):
        read_labelled_text(tmp_path / "folder.csv")


@pytest.mark.parametrize("name", ["reviews.xlsx", "reviews", "reviews.txt.gz"])
def test_other_kinds_of_file_are_refused(write, name):
    with pytest.raises(ValueError, match=r"ends in \.csv, \.tsv, \.jsonl"):
        read_labelled_text(write(TABLE, name))


@pytest.mark.parametrize("content", ["", "\n\n", "  \r\n", "\ufeff"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
def test_an_empty_file_is_refused(write, content, name):
    with pytest.raises(ValueError, match="is empty"):
        read_labelled_text(write(content, name))


def test_a_header_without_examples_is_refused(write):
    with pytest.raises(ValueError, match=r"a header \(text, label\) and no examples"):
        read_labelled_text(write("text,label\n"))


def test_utf_16_is_refused_with_the_command_that_converts_it(write):
    with pytest.raises(ValueError, match=r"iconv -f UTF-16 -t UTF-8 reviews\.csv > c"):
        read_labelled_text(write(TABLE.encode("utf-16")))
    packed = write(gzip.compress(TABLE.encode("utf-16")), "a.csv.gz")
    with pytest.raises(ValueError, match=r"gzip -dc a\.csv\.gz \| iconv -f UTF-16 -t"):
        read_labelled_text(packed)
    with pytest.raises(ValueError, match=r"line 1: .* iconv -f UTF-16LE"):
        read_labelled_text(write(TABLE.encode("utf-16-le")))


@pytest.mark.parametrize(
    "text, encoding, name",
    [
        ("café", "latin-1", "WINDOWS-1252"),
        ("étape", "latin-1", "WINDOWS-1252"),
        ("ççç", "latin-1", "WINDOWS-1252"),
        ("不买这本书", "gbk", "GB18030"),
    ],
)
def test_other_encodings_are_told_by_line_with_a_guess(write, text, encoding, name):
    content = f"text,label\nplain,a\n{text},b\n".encode(encoding)
    with pytest.raises(ValueError, match=f"byte 0x.. on line 3.*iconv -f {name} "):
        read_labelled_text(write(content))


@pytest.mark.parametrize("size", [5, 40, -3])
def test_a_gzip_file_that_was_cut_short_is_refused(write, size):
    whole = gzip.compress(("text,label\n" + good_rows(300)).encode())
    with pytest.raises(ValueError, match="not a whole gzip file"):
        read_labelled_text(write(whole[:size], "a.csv.gz"))


def test_a_quotation_mark_that_swallows_rows_is_told_by_its_line(write):
    content = 'text,label\nfine,a\n"never closed,b\n' + good_rows(5)
    with pytest.raises(ValueError, match=r"opens on line 3 .* by line 8.*written twi"):
        read_labelled_text(write(content))


@pytest.mark.parametrize("label", ['"a\nb"', '"a\r\nb"', "a\x07b", "a\u2028b"])
def test_a_label_of_more_than_one_line_is_refused_by_line_and_name(write, label):
    with pytest.raises(ValueError, match=r"line 3: a label must be one line.*'a.*b'"):
        read_labelled_text(write(f"text,label\nx,y\nx,{label}\n"))
    with pytest.raises(ValueError, match=r"line 1: .*'c\\nd'"):
        read_labelled_text(write('{"text": "x", "label": ["a", "c\\nd"]}', "a.jsonl"))


# Rows that cannot be used


def test_rows_with_other_numbers_of_fields_are_left_out_and_told(write):
    rows = good_rows(50).splitlines()
    rows[3], rows[13], rows[23] = "only text", "a, b, c", "text,label"
    rows[33] = '"a" b,c'
    with pytest.warns(DataWarning) as caught:
        data = read_labelled_text(write("\n".join(["text,label", *rows])))
    message = str(caught[0].message)
    assert "4 of 50 rows malformed" in message
    assert "line 5: 1 fields instead of 2; line 15: 3 fields" in message
    assert "line 25: the header once more; line 35: " in message
    assert len(caught) == 1
    assert len(data) == 46
    assert data.texts[3] == "text 4" and data.lines[3] == 6


def test_more_than_a_tenth_of_malformed_rows_is_refused(write):
    with pytest.raises(ValueError, match=r"11 of 100 rows .* and 6 more.*quotation"):
        read_labelled_text(write("text,label\n" + good_rows(89) + "a,b,c\n" * 11))
    with pytest.warns(DataWarning, match="10 of 100"):
        read_labelled_text(write("text,label\n" + good_rows(90) + "a,b,c\n" * 10))


def test_empty_texts_are_left_out_with_their_count_and_first_lines(write):
    content = "text,label\n" + "a,x\n \u3000,y\n" * 7
    message = r"7 of 14 rows have an empty text \(line 3, 5, 7, 9, 11, …\).*left out"
    with pytest.warns(DataWarning, match=message):
        data = read_labelled_text(write(content))
    assert data.texts == ["a"] * 7
    assert data.labels == ["x"] * 7
    assert data.lines == [2, 4, 6, 8, 10, 12, 14]


def test_a_pair_needs_both_texts(write):
    path = write("text,text_pair,label\na,,x\n,b,x\na,b,y\n")
    with pytest.warns(DataWarning, match="2 of 3 rows have an empty text"):
        data = read_labelled_text(path)
    assert (data.texts, data.pairs, data.labels) == (["a"], ["b"], ["y"])


def test_a_file_of_nothing_but_empty_texts_is_refused(write):
    with pytest.raises(ValueError, match=r"2 of 2 rows have an empty.*no example"):
        read_labelled_text(write('text,label\n"",x\n ,y\n'))


# Objects on lines


@pytest.mark.parametrize(
    "value, label",
    [
        ("3", "3"),
        ("3.0", "3"),
        ("-2.50", "-2.5"),
        ("1e400", "inf"),
        ("0.1", "0.1"),
        ("1e-7", "1e-07"),
        ("true", "true"),
        ('" 不买 "', "不买"),
        ('["b", " a", 2.0]', ["b", "a", "2"]),
        ("[]", []),
    ],
)
def test_numbers_become_their_shortest_string(write, value, label):
    path = write(f'{{"text": "t", "label": {value}}}\n', "a.jsonl")
    assert read_labelled_text(path).labels == [label]


def test_lines_that_are_no_such_object_are_told_by_number(write):
    lines = [json.dumps({"text": f"t {n}", "label": n % 3}) for n in range(100)]
    bad = ["no", "[1]", '{"text": "a"}', '{"text": 7, "label": "a"}']
    bad += ['{"text": "a", "label": null}', '{"text": "a", "label": {}}']
    bad += ['{"text": "a", "label": [["b"]]}', '{"text": "a", "label": NaN}']
    # The first five are told; of the others there is a file each.
    for first in (bad[:5], bad[3:]):
        path = write("\n".join([*lines, *first]), "a.jsonl")
        with pytest.warns(DataWarning) as caught:
            assert len(read_labelled_text(path)) == 100
        message = str(caught[0].message)
        assert f"{len(first)} of {100 + len(first)} rows malformed" in message
        reasons = [
            "not JSON",
            "not a JSON object",
            "no 'label'",
            "'text' is a number instead of a string",
            "'label' is or holds null",
            "'label' is or holds an object",
            "'label' is or holds a list",
            "not JSON",
        ]
        start = 0 if first[0] == "no" else 3
        shown = "; ".join(
            f"line {number}: {reason}"
            for number, reason in enumerate(reasons[start : start + 5], 101)
        )
        assert shown in message


def test_a_json_list_is_refused_with_the_command_that_converts_it(write):
    with pytest.raises(ValueError, match=r"one JSON list.*jq -c '\.\[\]' a\.jsonl"):
        read_labelled_text(write('[{"text": "a", "label": "b"}]', "a.jsonl"))


def test_lines_without_any_object_are_refused(write):
    with pytest.raises(ValueError, match="no JSON object on any line"):
        read_labelled_text(write(TABLE, "a.jsonl"))


def test_half_a_surrogate_pair_becomes_the_replacement_character(write):
    path = write('{"text": "\\ud83d \\ud83d\\ude00", "label": "a"}', "a.jsonl")
    assert read_labelled_text(path).texts == ["\ufffd 😀"]


# Writing


@pytest.mark.parametrize(
    "data",
    [
        LabelledText(["a, b", "line\nbreak \u2028 \r"], ["买", ""]),
        LabelledText(["a"], ["x"], ["second"]),
        LabelledText(["😀", "c"], [["b", "a|c"], []]),
    ],
)
def test_what_is_written_is_read_back(tmp_path, data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_labelled_text(data, tmp_path / "kept.jsonl.gz")
        assert read_labelled_text(tmp_path / "kept.jsonl.gz") == data


def test_the_same_examples_give_the_same_bytes(tmp_path):
    data = LabelledText(["a", "b"], ["x", "y"], lines=[7, 9], origin="some.csv")
    for name in ("one.jsonl.gz", "two.jsonl.gz"):
        write_labelled_text(data, tmp_path / name)
    content = (tmp_path / "one.jsonl.gz").read_bytes()
    assert content == (tmp_path / "two.jsonl.gz").read_bytes()
    assert content[4:8] == bytes(4), "gzip's time of writing"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "one.jsonl.gz",
        "two.jsonl.gz",
    ]


def test_it_is_written_under_a_name_that_it_can_be_read_by(tmp_path):
    with pytest.raises(ValueError, match=r"written to \.jsonl\.gz"):
        write_labelled_text(LabelledText(["a"], ["b"]), tmp_path / "kept.csv")


# The examples themselves


def test_chosen_examples_keep_all_that_belongs_to_them():
    data = LabelledText(["a", "b", "c"], ["x", "y", "z"], ["1", "2", "3"], [2, 4, 6])
    chosen = data.chosen([2, 0])
    assert chosen == LabelledText(["c", "a"], ["z", "x"], ["3", "1"])
    assert chosen.lines == [6, 2]


@pytest.mark.parametrize(
    "columns", [(["a"], []), (["a"], ["b"], ["c", "d"]), (["a"], ["b"], [], [1, 2])]
)
def test_columns_of_different_length_are_refused(columns):
    with pytest.raises(ValueError, match="Each text needs a label"):
        LabelledText(*columns)


def test_places_are_told_by_line_or_by_number():
    data = LabelledText(list("abcdefgh"), list("abcdefgh"))
    assert data.places([0]) == "example 1"
    assert data.places(range(1, 8)) == "examples 2, 3, 4, 5, 6 and 2 more"
    data = LabelledText(["a", "b"], ["x", "y"], lines=[7, 9], origin="some.csv")
    assert data.places([0, 1]) == "lines 7, 9 of some.csv"

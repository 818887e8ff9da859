import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from zoo.data.label_set import LabelSet
from zoo.data.labelled_text import LabelledText, read_labelled_text
from zoo.data.parallel_text import DataWarning


def labelled(labels, lines=(), origin=""):
    texts = [f"text {number}" for number in range(len(labels))]
    return LabelledText(texts, list(labels), lines=list(lines), origin=origin)


def twice(labels):
    return labelled([*labels, *labels])


SINGLE = LabelSet("single", ("买", "不买", "later"))
MULTI = LabelSet("multi", ("a", "b", "c"))


# Learning names


def test_names_stand_in_the_order_of_their_code_points():
    labels = LabelSet.learn(twice(["不买", "b", "买", "a", "B"]), "single")
    assert labels.names == ("B", "a", "b", "不买", "买")
    assert len(labels) == 5


def test_names_that_are_all_numbers_stand_in_the_order_of_their_values():
    learn = lambda names: LabelSet.learn(twice(names), "single").names  # noqa: E731
    assert learn(["10", "9", "-1", "2.5", "2E1"]) == ("-1", "2.5", "9", "10", "2E1")
    assert learn(["10", "9", "x"]) == ("10", "9", "x")
    assert learn(["10", "9", "nan"]) == ("10", "9", "nan")
    assert learn(["10", "9", "1_1"]) == ("10", "1_1", "9")


def test_labels_with_commas_and_in_chinese_are_read_from_a_file(tmp_path):
    path = tmp_path / "a.csv"
    rows = 'x,"yes, later"\r\ny,买\r\nz,不买\r\n'
    path.write_bytes(f"\ufefftext,label\r\n{rows}{rows}".encode())
    data = read_labelled_text(path)
    labels = LabelSet.learn(data, "single")
    assert labels.names == ("yes, later", "不买", "买")
    np.testing.assert_array_equal(labels.encode(data), [0, 2, 1, 0, 2, 1])


def test_a_single_label_is_refused_by_its_name():
    message = r"nothing to tell apart: the 7 examples of a\.csv all have the label '买'"
    with pytest.raises(ValueError, match=message):
        LabelSet.learn(labelled(["买"] * 7, origin="a.csv"), "single")


def test_too_many_labels_look_like_a_column_of_ids():
    data = labelled([f"id {number}" for number in range(5_000)])
    message = r"5000 different labels for 5000 examples .*ids.*: max_labels=5000\.$"
    with pytest.raises(ValueError, match=message):
        LabelSet.learn(data, "single")
    with pytest.raises(ValueError, match=r'If they are values.*kind="regression"'):
        LabelSet.learn(labelled([str(n) for n in range(2_000)]), "single")
    with pytest.warns(DataWarning, match="5000 of 5000 labels have a single example"):
        assert len(LabelSet.learn(data, "single", max_labels=5_000)) == 5_000


def test_an_example_without_its_one_label_is_told_by_line():
    data = labelled(["a", "", "b", " "], lines=[2, 3, 5, 8], origin="a.csv")
    message = r'2 examples have no label: lines 3, 8 of a\.csv\..*kind="multi"'
    with pytest.raises(ValueError, match=message):
        LabelSet.learn(data, "single")
    with pytest.raises(ValueError, match=message):
        LabelSet("single", ("a", "b")).encode(data)


def test_a_list_is_no_single_label_and_no_number():
    data = labelled(["1", ["2", "3"], "4"])
    for kind in ("single", "regression"):
        with pytest.raises(ValueError, match=r"1 have a list: example 2\. .*multi"):
            LabelSet.learn(data, kind)


def test_labels_with_a_single_example_are_warned_of_five_at_most():
    data = labelled([*"abcdefg", "g", "h", "h"])
    message = r"6 of 8 labels have a single example: 'a', 'b', 'c', 'd', 'e', …\."
    with pytest.warns(DataWarning, match=message):
        LabelSet.learn(data, "single")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LabelSet.learn(twice("ab"), "single")


@pytest.mark.parametrize("call", [LabelSet, lambda k: LabelSet.learn(labelled([]), k)])
def test_another_kind_is_refused(call):
    with pytest.raises(ValueError, match=r"one of single, multi, regression.*'binary'"):
        call("binary")


# Sets of labels


def test_a_bar_means_nothing_in_a_single_label():
    assert LabelSet.learn(twice(["a|b", "b"]), "single").names == ("a|b", "b")


def test_sets_of_labels_are_rows_of_zeros_and_ones():
    data = labelled(["c|a", "", ["b"], "a|a", []] * 2)
    labels = LabelSet.learn(data, "multi")
    assert labels.names == ("a", "b", "c")
    targets = labels.encode(data)
    expected = [[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(targets, expected * 2)
    assert targets.dtype == np.float32


def test_one_label_that_may_be_missing_is_enough_and_none_is_not():
    assert len(LabelSet.learn(labelled(["a", "", "a"]), "multi")) == 1
    with pytest.raises(ValueError, match="the 2 examples have no label"):
        LabelSet.learn(labelled(["", "|"]), "multi")


# Numbers


def test_numbers_are_standardised_and_back():
    values = ["1", "2.5", " -3e1", "7", "+.5"]
    expected = np.array([1, 2.5, -30, 7, 0.5])
    labels = LabelSet.learn(labelled(values), "regression")
    assert (labels.kind, labels.names, len(labels)) == ("regression", (), 1)
    assert labels.mean == pytest.approx(-3.8)
    # The root of the mean of 4.8², 6.3², 26.2², 10.8² and 4.3².
    assert labels.deviation == pytest.approx((884.3 / 5) ** 0.5)
    targets = labels.encode(labelled(values))
    assert targets.dtype == np.float32 and targets.shape == (5,)
    np.testing.assert_allclose(
        targets, (expected + 3.8) / (884.3 / 5) ** 0.5, rtol=1e-6
    )
    np.testing.assert_allclose(labels.unscaled(targets), expected, rtol=1e-5)


@pytest.mark.parametrize("wrong", ["nan", "inf", "1e999", "3,5", "five", "", "1_0"])
def test_values_that_are_no_finite_numbers_are_told_by_line(wrong):
    data = labelled(["1", wrong, "2"], lines=[2, 3, 4])
    message = rf"1 labels are no finite numbers, such as '{wrong}': line 3\."
    with pytest.raises(ValueError, match=message):
        LabelSet.learn(data, "regression")
    with pytest.raises(ValueError, match=message):
        LabelSet("regression").encode(data)


@pytest.mark.parametrize("values", [["0.1", "0.10", "1e-1"], ["5"]])
def test_values_that_are_all_the_same_teach_nothing(values):
    with pytest.raises(ValueError, match=r"values are the same, .*nothing to learn"):
        LabelSet.learn(labelled(values), "regression")


@pytest.mark.parametrize("values", [["1e308", "-1e308", "1.5e308"], ["0", "5e-324"]])
def test_values_that_overflow_are_refused(values):
    with pytest.raises(ValueError, match="beyond what float64"):
        LabelSet.learn(labelled(values), "regression")


# Encoding


def test_single_labels_are_rows():
    targets = SINGLE.encode(labelled(["later", "买", " 不买 "]))
    np.testing.assert_array_equal(targets, [2, 0, 1])
    assert targets.dtype == np.int32


def test_labels_that_the_set_lacks_are_told_with_the_difference_both_ways():
    data = labelled(["latter", "买", "latter", "zzz"], lines=[2, 3, 4, 5])
    with pytest.raises(ValueError) as caught:
        SINGLE.encode(data)
    message = str(caught.value)
    assert "2 of the 3 labels in the data are not in the label set" in message
    assert "'latter' (2, nearest is 'later'); 'zzz' (1)." in message
    assert "They stand on lines 2, 4, 5." in message
    assert "has 3: '买', '不买', 'later'; of these the data lacks '不买'" in message
    assert "--reset-head" in message and "--reuse-head" in message


def test_of_many_labels_that_the_set_lacks_ten_are_told_the_most_frequent_first():
    data = labelled([f"new {n:02}" for n in range(13) for _ in range(n + 1)])
    with pytest.raises(ValueError, match=r"'new 12' \(13\).*'new 03' \(4\); and 3 m"):
        LabelSet("multi", ("a", "b")).encode(data)


def test_names_that_differ_in_case_are_not_the_same_but_near():
    with pytest.raises(ValueError, match=r"'Positive' \(1, nearest is 'positive'\)"):
        LabelSet("single", ("positive", "negative")).encode(labelled(["Positive"]))
    with pytest.raises(ValueError, match=r"'yes' \(1, nearest is 'YES'\)"):
        LabelSet("single", ("YES", "NO")).encode(labelled(["yes"]))


def test_no_examples_give_no_targets():
    assert SINGLE.encode(labelled([])).shape == (0,)
    assert MULTI.encode(labelled([])).shape == (0, 3)


# Sets compared


def test_two_sets_differ_by_names():
    other = LabelSet("single", ("later", "x", "买", "y"))
    found = SINGLE.difference(other)
    assert found.only_here == ("不买",)
    assert found.only_there == ("x", "y")
    assert found.shared == ("买", "later")


def test_sets_are_equal_by_kind_names_and_scale():
    assert LabelSet("single", ["a", "b"]) == LabelSet("single", ("a", "b"))
    assert LabelSet("single", ("a", "b")) != LabelSet("single", ("b", "a"))
    assert LabelSet("single", ("a", "b")) != LabelSet("multi", ("a", "b"))
    assert LabelSet("regression", (), 1.0) != LabelSet("regression", (), 2.0)


def test_a_name_has_a_row_and_a_wrong_one_a_hint():
    assert [SINGLE.row_of(name) for name in SINGLE.names] == [0, 1, 2]
    with pytest.raises(
        ValueError, match=r"'latr', nearest is 'later'\. There is: '买'"
    ):
        SINGLE.row_of("latr")


@pytest.mark.parametrize(
    "names",
    [("a",), ("a", "a"), ("a", ""), ("a", " b"), ("a", "b\nc"), ("a", "\ud800")],
)
def test_names_that_make_no_label_set_are_refused(names):
    with pytest.raises(ValueError, match="at least two different names"):
        LabelSet("single", names)


@pytest.mark.parametrize(
    "values", [(("a",), 0.0, 1.0), ((), np.nan, 1.0), ((), 0.0, 0.0), ((), 0.0, np.inf)]
)
def test_numbers_have_a_scale_and_no_names(values):
    with pytest.raises(ValueError, match="a finite mean and a deviation above 0"):
        LabelSet("regression", *values)


# Saving


@pytest.mark.parametrize(
    "labels", [SINGLE, MULTI, LabelSet("regression", (), 0.1 + 0.2, 1 / 3)]
)
def test_what_is_saved_is_loaded(tmp_path, labels):
    labels.save(tmp_path / "new" / "labels")
    assert LabelSet.load(tmp_path / "new" / "labels") == labels


def test_the_files_are_a_name_a_line_and_json(tmp_path):
    SINGLE.save(tmp_path)
    content = (tmp_path / "labels.txt").read_bytes()
    assert content == "买\n不买\nlater\n".encode()
    about = json.loads((tmp_path / "labels.json").read_text())
    assert about == {"format": 1, "kind": "single", "mean": 0.0, "deviation": 1.0}
    (tmp_path / "labels.txt").write_bytes(content.replace(b"\n", b"\r\n"))
    assert LabelSet.load(tmp_path) == SINGLE


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("labels.txt", "买\n不买\nlat", "middle of a line"),
        ("labels.txt", "买\n\nlater\n", "different names"),
        ("labels.txt", "买\n买\n", "different names"),
        ("labels.txt", b"\xff\n", "utf-8"),
        ("labels.json", "{", "not readable JSON"),
        ("labels.json", "[]", "format 1"),
        ("labels.json", '{"format": 2}', "format 1"),
        ("labels.json", '{"format": 1}', "damaged: 'mean'"),
        ("labels.json", '{"format":1,"kind":"x","mean":0,"deviation":1}', "kind must"),
        ("labels.json", '{"format":1,"kind":[],"mean":0,"deviation":1}', "kind must"),
        ("labels.json", '{"format":1,"kind":"single","mean":[],"deviation":1}', "list"),
    ],
)
def test_damaged_files_are_refused(tmp_path, name, content, reason):
    SINGLE.save(tmp_path)
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        LabelSet.load(tmp_path)


@pytest.mark.parametrize("name", ["labels.txt", "labels.json"])
def test_a_missing_file_is_named(tmp_path, name):
    SINGLE.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        LabelSet.load(tmp_path)


def test_a_manifest_says_what_the_labels_are():
    # From `printf 'a\nb\nc\n' | sha256sum`.
    checksum = "880553fca8fcea94e325ee2cfb48e5a985cc797f39a14cc6d3cedecfeb2ae4d2"
    about = MULTI.describe()
    assert about.pop("sha256") == MULTI.sha256 == checksum
    assert about == {"kind": "multi", "labels": 3, "names": ["a", "b", "c"]}
    many = LabelSet("single", tuple(str(number) for number in range(1_001)))
    assert "names" not in many.describe() and many.describe()["labels"] == 1_001
    about = LabelSet("regression", (), 2.0, 3.0).describe()
    assert (about["labels"], about["mean"], about["deviation"]) == (0, 2.0, 3.0)


def test_none_of_it_needs_tensorflow():
    code = (
        "import sys, zoo.data.class_weights, zoo.data.label_checks, zoo.data.label_set;"
        "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert done.stdout.strip() == "[]"

import warnings

import pytest

from tests.data.labelled import numbered
from zoo.data.label_checks import summarise, warn_of_trouble
from zoo.data.label_splits import hold_out_labelled
from zoo.data.labelled_text import LabelledText
from zoo.data.parallel_text import DataWarning

# The summary


def test_examples_and_labels_are_counted_in_each_split():
    summary = summarise(numbered({"a": 3, "b": 7, "c": 1}), numbered({"a": 2, "d": 5}))
    assert (summary.train_examples, summary.valid_examples) == (11, 7)
    assert list(summary.train_labels.items()) == [("b", 7), ("a", 3), ("c", 1)]
    assert summary.valid_labels == {"d": 5, "a": 2}
    assert summary.only_in_train == ["b", "c"]
    assert summary.only_in_valid == ["d"]
    assert summary.imbalance == 7


def test_lengths_are_characters_that_so_many_texts_do_not_exceed():
    sizes = [*range(1, 100), 100_000]
    data = LabelledText(["长" * size for size in sizes], ["a"] * 100)
    found = summarise(data).lengths
    assert found == {"min": 1, "median": 50, "90 %": 90, "99 %": 99, "max": 100_000}
    data = LabelledText(["ab", "abc"], ["x", "y"], ["abcde", "a"])
    assert summarise(data).lengths["max"] == 7


def test_duplicates_repeat_text_and_label_exactly():
    data = LabelledText(["a", "a", "a", "A", "b"], ["x", "x", "y", "x", "x"])
    assert summarise(data).duplicates == 1
    data = LabelledText(["a", "a", "a"], ["x"] * 3, ["1", "2", "1"])
    assert summarise(data).duplicates == 1


def test_conflicts_are_equal_texts_with_different_labels():
    data = LabelledText(
        ["Good  film", "bad", "good film\n", "bad"],
        ["x", "y", "z", "y"],
        [],
        [2, 3, 4, 6],
    )
    summary = summarise(data)
    assert (summary.conflicting, summary.conflicts) == (2, "lines 2, 4")


def test_the_order_of_a_set_of_labels_makes_no_conflict():
    data = LabelledText(["a", "a"], ["x|y", ["y", "x"]])
    assert summarise(data, kind="multi").conflicting == 0
    assert summarise(data, kind="multi").train_labels == {"x": 2, "y": 2}
    assert summarise(data, kind="multi").duplicates == 1


def test_leaks_are_validation_texts_that_are_trained_on():
    train = LabelledText(["Straße  A", "b", "c"], ["x", "y", "x"])
    valid = LabelledText(["new", "STRASSE a ", "c", "c"], ["x"] * 4)
    summary = summarise(train, valid)
    assert (summary.leaking, summary.leaks) == (3, "examples 2, 3, 4")


def test_pairs_are_equal_where_both_texts_are():
    train = LabelledText(["a", "b"], ["x", "y"], ["1", "2"])
    valid = LabelledText(["a", "a"], ["x", "y"], ["2", "1"])
    assert summarise(train, valid).leaking == 1


def test_numbers_are_not_counted():
    data = LabelledText(["a", "b"], ["1.5", "2"])
    summary = summarise(data, data, "regression")
    assert summary.train_labels == summary.valid_labels == {}
    assert (summary.imbalance, summary.leaking) == (1.0, 2)


def test_the_summary_in_words():
    train = numbered({name: 10 - n for n, name in enumerate("abcdefgh")})
    valid = numbered({"a": 1, "b": 1, "z": 1})
    lines = summarise(train, valid).lines()
    assert lines == [
        "52 examples to train on, 3 to validate on",
        "8 labels: a 10, b 9, c 8, …, g 4, h 3; most frequent 3.33 times the rarest",
        "characters a text: 6 to 7, half at most 7, 90 % at most 7, 99 % at most 7",
        "3 validation texts are also trained on",
        "only in training: c, d, e, f, g and 1 more",
        "only in validation: z",
    ]
    assert len(summarise(train).lines()) == 3
    assert summarise(LabelledText()).lines() == [
        "0 examples to train on, 0 to validate on"
    ]


# Warnings


def test_trouble_is_warned_of():
    train = LabelledText(list("aabcd"), ["x", "y", "z", "w", "x"])
    valid = LabelledText(list("bef"), ["x", "y", "z"])
    with pytest.warns(DataWarning) as caught:
        warn_of_trouble(summarise(train, valid))
    messages = [str(each.message) for each in caught]
    assert len(messages) == 3
    assert "1 of 3 validation texts are also trained on (example 1)" in messages[0]
    assert "2 of 5 training examples have a text" in messages[1]
    assert "(examples 1, 2)" in messages[1]
    assert "1 of 4 training labels have no validation example" in messages[2]
    assert messages[2].endswith(": w.")


def test_good_data_passes_without_a_word():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_trouble(summarise(numbered({"a": 3, "b": 2})))
        data = numbered({"a": 30, "b": 20})
        warn_of_trouble(summarise(*hold_out_labelled(data)))
        numbers = LabelledText(["a", "a"], ["1", "2"])
        warn_of_trouble(summarise(numbers, kind="regression"))

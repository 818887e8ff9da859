import random
import warnings
from collections import Counter

import numpy as np
import pytest

from zoo.data.label_checks import (
    class_weights,
    hold_out_labelled,
    summarise,
    warn_of_trouble,
)
from zoo.data.label_set import LabelSet, label_names
from zoo.data.labelled_text import LabelledText
from zoo.data.parallel_text import DataWarning


def numbered(counts):
    """That many examples of each label, mixed."""
    labels = [label for label, count in counts.items() for _ in range(count)]
    random.Random(5).shuffle(labels)
    return LabelledText([f"text {n}" for n in range(len(labels))], labels)


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


# Holding out


@pytest.mark.parametrize(
    "counts, held",
    [
        ({"a": 300, "b": 100}, {"a": 30, "b": 10}),
        ({"a": 995, "b": 5}, {"a": 99, "b": 1}),
        ({"a": 996, "b": 4}, {"a": 100}),
        ({"a": 27_000, "b": 3_000}, {"a": 1_800, "b": 200}),
        ({"a": 7, "b": 7, "c": 7}, {"a": 1, "b": 1, "c": 1}),
    ],
)
def test_every_label_is_held_out_by_its_share(counts, held):
    data = numbered(counts)
    rest, out = hold_out_labelled(data)
    assert Counter(out.labels) == held
    assert sorted(rest.texts + out.texts) == sorted(data.texts)
    label_of = dict(zip(data.texts, data.labels, strict=True))
    assert [label_of[text] for text in out.texts] == out.labels
    chosen = set(out.texts)
    assert out.texts == [text for text in data.texts if text in chosen]


def test_share_and_most_say_how_many():
    data = numbered({"a": 100, "b": 100})
    assert len(hold_out_labelled(data, share=0.25)[1]) == 50
    assert len(hold_out_labelled(data, share=0.25, most=12)[1]) == 12
    many = numbered({f"label {n}": 5 for n in range(40)})
    assert len(hold_out_labelled(many, most=10)[1]) == 40


@pytest.mark.parametrize("options", [{"share": 0}, {"share": 1.0}, {"most": 0}])
def test_a_share_that_makes_no_sense_is_refused(options):
    with pytest.raises(ValueError, match="share lies between 0 and 1"):
        hold_out_labelled(numbered({"a": 9, "b": 9}), **options)


def test_what_is_held_out_depends_on_the_texts_and_not_on_their_order():
    data = numbered({"a": 200, "b": 50})
    order = list(range(250))
    random.Random(3).shuffle(order)
    out, other = (hold_out_labelled(d)[1] for d in (data, data.chosen(order)))
    assert set(out.texts) == set(other.texts)
    assert out.texts != data.texts[:25]


def test_equal_texts_stay_together():
    texts = [f"Text {n % 40}" if n % 3 else f"text  {n % 40} " for n in range(240)]
    data = LabelledText(texts, ["ab"[n % 2] for n in range(240)])
    rest, out = hold_out_labelled(data)
    equal = lambda part: {" ".join(t.split()).lower() for t in part.texts}  # noqa: E731
    assert not equal(rest) & equal(out)
    assert len(out) == 24


def test_no_label_is_held_out_whole():
    texts = ["the same"] * 6 + [f"text {n}" for n in range(94)]
    data = LabelledText(texts, ["a"] * 6 + ["b"] * 94)
    rest, _ = hold_out_labelled(data)
    assert Counter(rest.labels)["a"] == 6


def test_rare_labels_are_held_out_where_there_are_no_others():
    rest, out = hold_out_labelled(numbered({f"label {n}": 3 for n in range(20)}))
    assert len(out) == 6
    assert len(set(rest.labels)) == 20


def test_a_label_that_only_stands_beside_others_is_held_out_too():
    labels = ["a"] * 100 + ["a|b|c"] * 5
    data = LabelledText([f"text {n}" for n in range(105)], labels)
    _, out = hold_out_labelled(data, kind="multi")
    names = Counter(n for label in out.labels for n in label_names(label, "multi"))
    assert names["b"] == names["c"] == 1
    assert names["a"] in (10, 11)


def test_sets_of_labels_are_held_out_by_their_share_and_not_too_many():
    source = random.Random(7)
    labels = [
        "|".join(f"l{k}" for k in range(20) if source.random() < 0.5 / (k + 1))
        for _ in range(2_000)
    ]
    data = LabelledText([f"text {n}" for n in range(2_000)], labels)
    rest, out = hold_out_labelled(data, kind="multi")
    assert len(out) == 200
    summary = summarise(rest, out, "multi")
    for name, count in summary.train_labels.items():
        assert 0.05 < summary.valid_labels[name] / (count + 1) < 0.2
    assert 0.05 < out.labels.count("") / labels.count("") < 0.2


def test_examples_without_labels_are_held_out_by_their_share():
    _, out = hold_out_labelled(numbered({"a": 300, "": 200}), kind="multi")
    assert Counter(out.labels) == {"a": 30, "": 20}


def test_numbers_are_held_out_by_their_texts_alone():
    data = LabelledText(
        [f"text {n}" for n in range(130)], [f"{n}.5" for n in range(130)]
    )
    rest, out = hold_out_labelled(data, kind="regression")
    assert (len(rest), len(out)) == (117, 13)


def test_pairs_keep_their_second_texts():
    data = LabelledText(
        ["the same question"] * 60,
        ["x", "y"] * 30,
        [f"answer {n}" for n in range(60)],
        list(range(2, 62)),
    )
    rest, out = hold_out_labelled(data)
    assert (len(rest), len(out)) == (54, 6)
    assert all(out.pairs[n] == f"answer {out.lines[n] - 2}" for n in range(6))


def test_too_few_examples_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"None of 2 examples.*--valid"):
        hold_out_labelled(numbered({"a": 1, "b": 1}))
    with pytest.raises(ValueError, match="None of 0 examples"):
        hold_out_labelled(LabelledText())


def test_what_is_held_out_has_the_labels_of_the_rest():
    data = numbered({"a": 50, "b": 6, "c": 2, "d": 1})
    rest, out = hold_out_labelled(data)
    with pytest.warns(DataWarning, match="single example: 'd'"):
        labels = LabelSet.learn(rest, "single")
    assert labels.names == ("a", "b", "c", "d")
    assert labels.encode(out).size == len(out)


# Weights


def test_weights_give_every_label_the_same_sum():
    weights = class_weights(np.array([0, 0, 0, 0, 2, 2, 1], np.int32), 3)
    np.testing.assert_allclose(weights, [7 / 12, 7 / 3, 7 / 6], rtol=1e-6)
    assert weights.dtype == np.float32


def test_a_label_without_examples_has_no_weight():
    weights = class_weights([0, 0, 0, 3], 5)
    np.testing.assert_allclose(weights, [4 / 6, 0, 0, 2, 0], rtol=1e-6)
    assert np.mean(weights[[0, 0, 0, 3]]) == pytest.approx(1)


@pytest.mark.parametrize("targets", [[0, 3], [-1, 0], [0.5, 1.0], [[0], [1]], []])
def test_targets_that_are_no_rows_of_labels_are_refused(targets):
    with pytest.raises(ValueError, match=r"integers \(examples,\) from 0 to 2"):
        class_weights(targets, 3)

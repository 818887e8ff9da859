import random
from collections import Counter

import pytest

from tests.data.labelled import numbered
from zoo.data.label_checks import summarise
from zoo.data.label_set import LabelSet
from zoo.data.label_splits import hold_out_labelled
from zoo.data.labelled_text import LabelledText
from zoo.data.parallel_text import DataWarning
from zoo.data.raw_labels import label_names


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

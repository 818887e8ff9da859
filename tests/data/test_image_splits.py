import dataclasses
import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from zoo.data.image_splits import hold_out_images, image_keys
from zoo.data.labelled_images import LabelledImages


def images_of(contents, labels):
    """Images of these bytes, with objects of these labels each."""
    count = len(contents)
    return LabelledImages(
        images=tuple(
            SimpleNamespace(name=f"{n}.png", read_bytes=lambda each=each: each)
            for n, each in enumerate(contents)
        ),
        boxes=tuple(np.ones((len(names), 4)) for names in labels),
        labels=tuple(tuple(names) for names in labels),
        crowds=tuple(np.zeros(len(names), bool) for names in labels),
        sizes=((7, 5),) * count,
        ids=tuple(range(count)),
        categories={name: n for n, name in enumerate(sorted({*"".join(labels)}))},
    )


def numbered(count, labels="a"):
    return images_of([b"%d" % n for n in range(count)], [labels] * count)


def test_a_tenth_is_held_out_and_every_image_stands_on_one_side():
    data = numbered(203)
    rest, held = hold_out_images(data)
    assert (len(rest), len(held)) == (183, 20)
    assert sorted(rest.ids + held.ids) == list(data.ids)
    assert list(held.ids) == sorted(held.ids)
    assert len(hold_out_images(data, share=0.25)[1]) == 51
    assert len(hold_out_images(data, most=7)[1]) == 7


def test_which_follows_from_the_bytes_alone():
    data = numbered(101)
    order = np.random.default_rng(3).permutation(101)
    held = hold_out_images(data)[1]
    again = hold_out_images(data.subset(order))[1]
    assert set(held.ids) == set(again.ids)
    first = min(range(101), key=lambda n: hashlib.sha256(b"%d" % n).hexdigest())
    assert first in held.ids


def test_copies_stay_together():
    data = images_of([b"%d" % (n % 23) for n in range(161)], ["a"] * 161)
    rest, held = hold_out_images(data)
    assert len(held) == 14
    assert not set(image_keys(rest)) & set(image_keys(held))


def test_no_label_is_held_out_whole():
    data = images_of(
        [b"%d" % n for n in range(47)], ["a"] * 40 + ["bcd"] * 2 + [*"efghi"]
    )
    for share in (0.1, 0.5, 0.97):
        rest, held = hold_out_images(data, share=share)
        assert {name for names in rest.labels for name in names} == set("abcdefghi")
        assert len(held)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_of_few_images_one_is_held_out(count):
    assert len(hold_out_images(numbered(count))[1]) == 1


def test_images_without_objects_are_held_out_too():
    assert len(hold_out_images(numbered(20, ""))[1]) == 2


@pytest.mark.parametrize(
    "data",
    [
        images_of([b"x"], ["a"]),
        images_of([b"x"] * 5, ["a"] * 5),
        images_of([b"x"] * 5, [""] * 5),
        images_of([b"x", b"y"], ["a", "b"]),
    ],
)
def test_what_cannot_be_split_is_refused(data):
    with pytest.raises(ValueError, match=r"None of \d images can be held out.*--valid"):
        hold_out_images(data)


def test_what_is_held_out_shows_something_to_find():
    """Half of the images show nothing or a crowd, whatever their hashes."""
    for seed in range(20):
        contents = [b"%d %d" % (seed, n) for n in range(20)]
        labels = ["" if n < 5 else "a" for n in range(20)]
        crowds = [np.full(len(each), n < 10) for n, each in enumerate(labels)]
        data = dataclasses.replace(images_of(contents, labels), crowds=tuple(crowds))
        _, held = hold_out_images(data)
        assert any((~crowds).any() for crowds in held.crowds)


@pytest.mark.parametrize("options", [{"share": 0}, {"share": 1}, {"most": 0}])
def test_a_share_lies_between_0_and_1(options):
    with pytest.raises(ValueError, match="share lies between 0 and 1"):
        hold_out_images(numbered(9), **options)

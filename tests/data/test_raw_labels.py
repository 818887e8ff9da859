import pytest

from zoo.data.raw_labels import label_names


@pytest.mark.parametrize(
    "raw, names",
    [
        ("b|a", ("b", "a")),
        (" a || b |a", ("a", "b")),
        ("", ()),
        ("|", ()),
        (["b|c", " a", ""], ("b|c", "a")),
        ([], ()),
    ],
)
def test_a_set_of_labels_is_a_list_or_has_bars_between(raw, names):
    assert label_names(raw, "multi") == names


def test_a_bar_in_a_single_label_is_no_separator():
    assert label_names("a|b", "single") == ("a|b",)

import pytest

from zoo.converters.marian_config import read_marian_config


def test_values_lists_and_quotes_are_read():
    text = "type: transformer\n# said\nempty: \"\"\nnone: []\nsizes:\n  - 7\n  - '8'\n"
    text += "x: a: b"
    assert read_marian_config(text) == {
        "type": "transformer",
        "empty": "",
        "none": [],
        "sizes": ["7", "8"],
        "x": "a: b",
    }


def test_a_list_directly_below_its_name_is_read():
    assert read_marian_config("sizes:\n- 7\nn: 1") == {"sizes": ["7"], "n": "1"}


@pytest.mark.parametrize("line", ["word", "  deeper: 1", "a:b", "- item", "{a: 1}"])
def test_more_of_yaml_is_refused(line):
    with pytest.raises(ValueError, match="name: value"):
        read_marian_config(line, "model.bin")

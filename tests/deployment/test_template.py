import pytest

from zoo.deployment import template


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setattr(template, "_FOLDER", tmp_path)

    def write(text):
        (tmp_path / "file.template").write_text(text, encoding="utf-8")
        return lambda **values: template.fill("file", values)

    return write


def test_fields_are_filled(written):
    assert written("a {{b}}{{c}} d\n")(b="1", c="2") == "a 12 d\n"


def test_a_field_of_its_own_line_is_indented_as_it_is(written):
    fill = written("list:\n    {{items}}\nend\n")
    assert fill(items="- a\n\n- b\n") == "list:\n    - a\n\n    - b\nend\n"


def test_an_empty_field_of_its_own_line_leaves_no_line(written):
    assert written("a\n  {{b}}\nc\n")(b="") == "a\nc\n"


def test_other_braces_stay(written):
    text = "{{ $labels.model }} ${A:-1} {file./run/x} {$A:b}\n"
    assert written(text)() == text


def test_a_field_without_a_value_is_an_error(written):
    with pytest.raises(KeyError, match="unknown"):
        written("{{unknown}}")()

import pytest

from zoo.files import (
    GRAPH,
    exports_in,
    read_json,
    versions_in,
    write_json,
    written_whole,
)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_written(tmp_path):
    with written_whole(tmp_path / "new.txt") as beside:
        beside.write_text("half")
        assert not (tmp_path / "new.txt").exists()
        beside.write_text("whole")
    assert (tmp_path / "new.txt").read_text() == "whole"
    assert names_in(tmp_path) == ["new.txt"]


def test_the_old_file_is_read_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with written_whole(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names_in(tmp_path) == ["file.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="lights"), written_whole(path) as beside:
        beside.write_text("half")
        raise RuntimeError("lights went out")
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["file.txt"]


def test_a_failure_leaves_nothing_where_nothing_was(tmp_path):
    with (
        pytest.raises(KeyboardInterrupt),
        written_whole(tmp_path / "new.txt") as beside,
    ):
        beside.write_text("half")
        raise KeyboardInterrupt
    assert names_in(tmp_path) == []


def test_others_may_read_the_file(tmp_path):
    with written_whole(tmp_path / "file.txt") as beside:
        beside.write_text("for all")
    assert (tmp_path / "file.txt").stat().st_mode & 0o777 == 0o644


def test_json_comes_back_as_it_was(tmp_path):
    content = {"names": ["知识", "power"], "numbers": [1, 0.5], "nothing": None}
    write_json(tmp_path / "file.json", content)
    assert read_json(tmp_path / "file.json") == content
    assert "知识" in (tmp_path / "file.json").read_text(encoding="utf-8")


def test_what_is_no_json_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "file.json", {"old": True})
    with pytest.raises(TypeError):
        write_json(tmp_path / "file.json", {"new": object()})
    assert read_json(tmp_path / "file.json") == {"old": True}
    assert names_in(tmp_path) == ["file.json"]


@pytest.mark.parametrize("content", [b"", b'{"cut": [1, 2', b"\xff\xfe\x00"])
def test_a_file_that_is_no_json_is_named_in_the_error(tmp_path, content):
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"file\.json is not readable JSON"):
        read_json(path)


def test_versions_are_folders_named_by_a_number(tmp_path):
    for name in ("10", "9", "0", "x", "1.5", "-1", "٣", str(2**63), "7" * 31):
        (tmp_path / name).mkdir()
    (tmp_path / "11").touch()
    assert list(versions_in(tmp_path)) == [0, 9, 10]
    assert versions_in(tmp_path)[9] == tmp_path / "9"
    (tmp_path / "9" / GRAPH).touch()
    assert exports_in(tmp_path) == {9: tmp_path / "9"}


def test_a_folder_that_is_not_there_has_no_versions(tmp_path):
    assert exports_in(tmp_path / "none") == {}
    with pytest.raises(FileNotFoundError):
        versions_in(tmp_path / "none")

"""Measurements outlive a kill, and never mix with those of another study."""

import json

import pytest

from zoo.studies.measurements import FILE, Measurements

OPTIONS = {"lengths": (3, 5), "seed": 7}


def test_what_was_added_is_there_when_the_folder_is_opened_again(tmp_path):
    kept = Measurements(tmp_path / "new", "cost", OPTIONS)
    kept.add(layer="full", length=3, seconds=0.5)
    kept.add(layer="full", length=5, seconds=None)
    again = Measurements(tmp_path / "new", "cost", OPTIONS)
    assert again.rows == kept.rows
    assert again.machines == kept.machines
    assert again.find(length=3) == [{"layer": "full", "length": 3, "seconds": 0.5}]
    assert again.find(length=4) == []


def test_every_line_tells_its_options_and_machine(tmp_path):
    Measurements(tmp_path, "cost", OPTIONS).add(length=3)
    (line,) = (tmp_path / FILE).read_text().splitlines()
    content = json.loads(line)
    assert content["study"] == "cost"
    assert content["options"] == {"lengths": [3, 5], "seed": 7}
    assert "cores" in content["machine"] and "keras" in content["machine"]


def test_a_line_that_a_kill_cut_short_is_measured_again(tmp_path):
    kept = Measurements(tmp_path, "cost", OPTIONS)
    kept.add(length=3)
    kept.add(length=5)
    path = tmp_path / FILE
    path.write_text(path.read_text()[:-9])
    again = Measurements(tmp_path, "cost", OPTIONS)
    assert again.rows == [{"length": 3}]
    again.add(length=5)
    assert len(Measurements(tmp_path, "cost", OPTIONS).rows) == 2


def test_other_options_are_refused_by_name(tmp_path):
    Measurements(tmp_path, "cost", OPTIONS).add(length=3)
    with pytest.raises(ValueError, match=r"seed was 7 and is now 8.*another folder"):
        Measurements(tmp_path, "cost", OPTIONS | {"seed": 8})
    with pytest.raises(ValueError, match="holds the study 'cost', not 'scores'"):
        Measurements(tmp_path, "scores", OPTIONS)


def test_a_damaged_line_is_refused_by_number(tmp_path):
    kept = Measurements(tmp_path, "cost", OPTIONS)
    kept.add(length=3)
    with (tmp_path / FILE).open("a") as file:
        file.write("{}\n")
    with pytest.raises(ValueError, match=r"Line 2 of .* is damaged"):
        Measurements(tmp_path, "cost", OPTIONS)


def test_a_folder_needs_an_existing_parent(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; create it"):
        Measurements(tmp_path / "no" / "folder", "cost", OPTIONS)

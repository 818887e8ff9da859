"""The cost study: a tiny run of it, what it skips, and what it makes of its numbers."""

import csv
import dataclasses
import json
import re

import pytest

from zoo.studies import cost
from zoo.studies.cost import CostOptions, measure_cost
from zoo.studies.cost_report import cost_rows, report_cost, slope_rows
from zoo.studies.measurements import FILE, Measurements

TINY = CostOptions(layers=("full",), lengths=(5, 11), size=6, heads=2, rounds=3)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of one layer, and what it told."""
    folder = tmp_path_factory.mktemp("cost")
    told = []
    kept = measure_cost(folder, TINY, lambda *what: told.append(what))
    return folder, kept, told


def test_a_tiny_run_measures_every_cell(finished):
    _, kept, told = finished
    memory, times = kept.find(what="memory"), kept.find(what="time")
    assert len(memory) == len(times) == 4
    for row in memory:
        assert row["megabytes"] >= 0
        assert row["parameters"] == 4 * (6 * 6 + 6)
    for row in times:
        assert len(row["seconds"]["full"]) == 3
        assert min(row["seconds"]["full"]) > 0
    assert told[0][1:] == (0, 8)
    assert all(done < total for _, done, total in told)


def test_a_run_goes_on_where_it_was_killed(finished, tmp_path, monkeypatch):
    folder, kept, _ = finished
    lines = (folder / FILE).read_text().splitlines(keepends=True)
    (tmp_path / FILE).write_text("".join(lines[:-1]) + lines[-1][:20])
    asked = []

    class Worker:
        def __init__(self, options):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def ask(self, **request):
            asked.append(request)
            return {"seconds": 0.25}

    monkeypatch.setattr(cost, "_Worker", Worker)
    again = measure_cost(tmp_path, TINY, lambda *_: None)
    assert again.rows[:-1] == kept.rows[:-1]
    assert again.rows[-1]["seconds"] == {"full": [0.25] * 3}
    # Only the group that was lost, and nothing of memory.
    last = {"length": 11, "direction": "forward+backward"}
    assert asked[0] == {"do": "prepare", "layer": "full", **last}
    assert asked[1:] == [{"do": "time", "calls": 1}] * 3
    asked.clear()
    measure_cost(tmp_path, TINY, lambda *_: None)
    assert asked == []


def test_it_writes_tables_and_pictures(finished):
    folder, kept, _ = finished
    report_cost(folder, TINY, kept)
    names = {path.name for path in folder.iterdir()}
    pictures = {f"{name}.{kind}" for name in _NAMES for kind in ("png", "svg")}
    assert names == {FILE, "cost.md", "cost.csv", "cost-2.csv", *pictures}
    (slopes, rows) = (
        list(csv.DictReader((folder / name).read_text(encoding="utf-8").splitlines()))
        for name in ("cost.csv", "cost-2.csv")
    )
    assert [row["direction"] for row in slopes] == ["forward", "forward+backward"]
    assert len(rows) == 4
    assert rows[0]["path"] == rows[0]["sequential"] == "1"
    text = (folder / "cost.md").read_text(encoding="utf-8")
    heights = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(heights) == 2  # one width a table


_NAMES = ("cost", "cost-forward")


def _made_up(tmp_path, **changes):
    """Measurements that grow exactly as table 1 says."""
    options = CostOptions(
        lengths=(64, 128, 256, 512), layers=("recurrent", "full"), **changes
    )
    kept = Measurements(tmp_path, "cost", dataclasses.asdict(options))
    for direction in cost.DIRECTIONS:
        for length in options.lengths:
            group = {"length": length, "direction": direction}
            for layer, power in (("recurrent", 1), ("full", 2)):
                found = {"megabytes": length**power / 64, "parameters": 3}
                kept.add(what="memory", layer=layer, **group, **found)
            seconds = {
                "recurrent": [length * share for share in (1.0, 2.0, 3.0)],
                "full": [length**2 * share for share in (1.0, 1.0, 1.0)],
            }
            calls = {"recurrent": 1, "full": 1}
            kept.add(what="time", **group, calls=calls, seconds=seconds)
    return options, kept


def test_slopes_and_ratios_are_those_of_the_measurements(tmp_path):
    options, kept = _made_up(tmp_path)
    rows = cost_rows(kept, options)
    slopes = slope_rows(rows, options)
    found = [(row["layer"], row["time_slope"], row["memory_slope"]) for row in slopes]
    assert [name for name, *_ in found] == ["recurrent"] * 2 + ["full"] * 2
    for (_, *measured), power in zip(found, (1, 1, 2, 2), strict=True):
        assert measured == pytest.approx([power, power])
    (row,) = [
        row
        for row in rows
        if (row["layer"], row["direction"], row["length"])
        == ("recurrent", "forward", 128)
    ]
    assert row["seconds"] == 256
    assert (row["low"], row["high"]) == (192, 320)
    assert row["ratio"] == pytest.approx(2 / 128)
    assert row["sequential"] == row["path"] == 128


def test_a_call_that_would_not_fit_is_skipped_and_shown(tmp_path, monkeypatch):
    options = CostOptions(
        layers=("full", "recurrent"), lengths=(64, 128, 256), max_memory=3.0
    )

    class Worker:
        def __init__(self, options):
            self.layer = None

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def ask(self, do, **request):
            if do != "memory":
                return {"seconds": 1.0}
            assert request["length"] < 256 or request["layer"] == "recurrent"
            return {"megabytes": 1024 * request["length"] / 128, "parameters": 1}

    monkeypatch.setattr(cost, "_Worker", Worker)
    kept = measure_cost(tmp_path, options, lambda *_: None)
    skipped = [row for row in kept.rows if "skipped" in row]
    assert {(row["layer"], row["length"]) for row in skipped} == {("full", 256)}
    assert skipped[0]["skipped"] == "about 4 GB, over 3"
    (time,) = kept.find(what="time", length=256, direction="forward")
    assert list(time["seconds"]) == ["recurrent"]
    report_cost(tmp_path, options, kept)
    assert "about 4 GB, over 3" in (tmp_path / "cost.md").read_text(encoding="utf-8")


def test_a_process_that_fails_is_an_error_with_its_reason(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho No such layer. >&2\n")
    script.chmod(0o755)
    monkeypatch.setattr(cost.sys, "executable", str(script))
    reason = "Measuring .*fll.* failed: No such layer"
    with cost._Worker(TINY) as worker, pytest.raises(RuntimeError, match=reason):
        worker.ask(do="memory", layer="fll", length=5, direction="forward")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"layers": ("full", "recurent")}, "Did you mean 'recurrent'?"),
        ({"layers": ("recurrent",)}, "must name full"),
        ({"layers": ("full", "full")}, "named once"),
        ({"lengths": (8, 4)}, "lengths must rise"),
        ({"lengths": ()}, "lengths must rise"),
        ({"rounds": 2}, "rounds must be at least 3"),
        ({"size": 10}, "multiple of heads"),
        ({"max_memory": float("nan")}, "max_memory must be"),
    ],
)
def test_wrong_options_are_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        CostOptions(**changes)


def test_options_survive_json():
    kept = json.loads(json.dumps(dataclasses.asdict(TINY)))
    kept |= {name: tuple(kept[name]) for name in ("layers", "lengths")}
    assert CostOptions(**kept) == TINY

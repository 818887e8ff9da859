"""What the benchmark of the server calls a fault."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WAITS = {"p50": 3.0, "p90": 5.0, "p99": 7.0}
TURNS = {"requests": 11, "failures": {}, "wrong": 0, "milliseconds": WAITS}
GOOD = {
    "load": {"alone": TURNS, "joined": TURNS, "gain": "1.3"},
    "swap": {
        "requests": 13,
        "failures": {},
        "wrong": 0,
        "new version served": True,
        "old version ended": True,
        "damaged version ended": True,
        "still served": ["2"],
    },
    "kill": {
        "answered before": 17,
        "answered after": 19,
        "refused meanwhile": {"ConnectError": 23, "503": 2},
        "wrong": 0,
        "seconds to start": 2.9,
        "ended with": 0,
    },
}


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location(
            "benchmark_of_serving", BENCHMARKS / "serving.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("load alone wrong", 1, "alone: 1 wrong answers"),
        ("load joined failures", {"500": 1}, "joined: lost {'500': 1}"),
        ("swap failures", {"ReadError": 1}, "swap: lost {'ReadError': 1}"),
        ("swap old version ended", False, "swap: no old version ended"),
        ("swap still served", ["1"], "swap: served is ['1'], not version 2"),
        ("kill wrong", 3, "kill: 3 wrong answers"),
        ("kill refused meanwhile", {"400": 1}, "kill: refused with 400"),
        ("kill answered after", 0, "kill: no answer after it"),
        ("kill ended with", -6, "kill: the server ended with -6"),
    ],
)
def test_every_fault_is_told_and_ends_it_with_1(
    benchmark, monkeypatch, capsys, place, value, told
):
    found = json.loads(json.dumps(GOOD))
    part, _, key = place.partition(" ")
    holder = found[part]
    if part == "load":
        name, _, key = key.partition(" ")
        holder = holder[name]
    holder[key] = value
    monkeypatch.setattr(benchmark, "measure", lambda *_: found)
    monkeypatch.setattr(sys, "argv", ["serving.py", "one"])
    assert benchmark.main() == 1
    assert capsys.readouterr().err == f"one: {told}\n"


def test_without_a_fault_it_ends_with_0(benchmark, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(benchmark, "measure", lambda *_: GOOD)
    out = tmp_path / "found.md"
    monkeypatch.setattr(sys, "argv", ["serving.py", "one", "--out", str(out)])
    assert benchmark.main() == 0
    assert json.dumps(GOOD["swap"]) in out.read_text(encoding="utf-8")
    assert capsys.readouterr().err == ""

"""The batch job in a process of its own, where Apache Beam is installed."""

import importlib.util
import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("apache_beam") is None, reason="Apache Beam is optional."
)


@pytest.fixture
def answers(deployed_folder, tmp_path):
    """Runs the job on lines and reads what it wrote."""

    def run(model, lines):
        (tmp_path / "lines.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = [sys.executable, deployed_folder / "beam_job.py", "--model", model]
        command += ["--input", tmp_path / "lines.txt", "--output", tmp_path / "out"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
        written = "".join(
            path.read_text(encoding="utf-8") for path in tmp_path.glob("out*.jsonl")
        )
        found = map(json.loads, written.splitlines())
        return sorted(found, key=lambda answer: lines.index(answer["input"]))

    return run


def test_every_line_is_answered_by_the_newest_version(answers):
    lines = ["ﬁne", "", "猫", *(f"line {number}" for number in range(97))]
    found = answers("loud", lines)
    assert [answer["input"] for answer in found] == lines
    assert found[0] == {"input": "ﬁne", "loud": "FINE", "lengths": 5}
    assert [answer["loud"] for answer in found[1:4]] == ["", "猫", "LINE 0"]


def test_the_two_texts_of_a_pair_have_a_tab_between(answers):
    (found,) = answers("joined", ["a\tb\tc"])
    assert found["joined"] == "a+b\tc"

"""`zoo study`: what it says, what it refuses, and a run from end to end."""

import io
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

import zoo.cli
from zoo.studies.reversal import Learner


@pytest.fixture
def run(monkeypatch, capsys):
    # `main` replaces it.
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["zoo", "study", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(SystemExit) as ended:
            zoo.cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return ended.value.code, out, err

    return run


@pytest.mark.parametrize("command", [[], ["cost"], ["bottleneck"]])
def test_every_study_explains_itself(run, command):
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert "Usage:" in out
    if not command:
        assert "cost" in out and "bottleneck" in out


def test_help_answers_at_once_and_without_tensorflow():
    script = (
        "import sys, atexit, zoo.cli\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'sacrebleu'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules))))\n"
        "sys.argv = ['zoo', 'study', 'cost', '--help']; zoo.cli.main()"
    )
    started = time.process_time()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert time.process_time() - started < 3
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["bottlneck"], 2, "bottleneck"),
        (["cost"], 2, "--out"),
        (["cost", "--out", "x", "--lengths", "10;20"], 2, "numbers such as 10,20,50"),
        (["cost", "--out", "x", "--lengths", "20,10"], 1, "lengths must rise"),
        (["cost", "--out", "x", "--layers", "full,recurent"], 1, "'recurrent'?"),
        (["cost", "--out", "x", "--rounds", "1"], 1, "rounds must be at least 3"),
        (["bottleneck", "--out", "x", "--steps", "1,2"], 1, "2 for 7 lengths"),
        (["bottleneck", "--out", "x", "--attentions", "bahdanu"], 1, "'bahdanau'?"),
        (["bottleneck", "--out", "x", "--data", "y"], 2, "go with --preset"),
        (
            ["bottleneck", "--out", "x", "--preset", "y", "--units", "3"],
            2,
            "--units cannot go with --preset",
        ),
        (
            ["bottleneck", "--out", "x", "--preset", "translation_rnn/en-zhx"],
            1,
            "Did you mean 'translation_rnn/en-zh'?",
        ),
    ],
)
def test_a_mistake_is_one_message_before_anything_is_written(
    run, monkeypatch, tmp_path, arguments, code, message
):
    monkeypatch.chdir(tmp_path)
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert message in " ".join(err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_a_study_runs_goes_on_and_refuses_other_options(run, monkeypatch, tmp_path):
    # test_bottleneck.py trains; here it is the command.
    monkeypatch.setattr(Learner, "_train", lambda self, say: 0.5)
    monkeypatch.setattr(Learner, "_judge", lambda self, length: (np.ones(3),) * 2)
    folder = tmp_path / "study"
    command = ["bottleneck", "--out", folder, "--attentions", "none", "--lengths", "2"]
    command += ["--steps", "2", "--units", "3", "--held-out", "5"]
    code, out, err = run(*command)
    assert code == 0, err
    assert str(folder / "bottleneck.md") in out
    assert "Reversing sequences" in out
    before = (folder / "measurements.jsonl").read_bytes()
    (folder / "bottleneck.png").unlink()
    code, _, err = run(*command)
    assert code == 0, err
    assert (folder / "bottleneck.png").is_file()
    assert (folder / "measurements.jsonl").read_bytes() == before
    code, out, err = run(*command, "--seed", "1")
    assert (code, out) == (1, "")
    assert "seed was 0 and is now 1" in err

"""A training that was killed ends with the very weights it would have had."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from zoo.data.parallel_text import write_parallel_text
from zoo.files import read_json
from zoo.tasks.translation import TranslationTask
from zoo.weights import read_arrays

ROOT = Path(__file__).parents[2]
SETTINGS = ("size=tiny", "steps=60", "round_steps=12", "batch_tokens=256")
SETTINGS += ("monitor=perplexity", "patience=100")


def _zoo(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def _finish(process):
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error.decode()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A prepared training, and the same one trained without interruption."""
    folder = tmp_path_factory.mktemp("resume")
    data = folder / "data.tsv.gz"
    write_parallel_text(TranslationTask.made_up(200, seed=5), data)
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    arguments = ["--train", data, "--valid", data, "--columns", "1,2,3", *settings]
    prepared, whole = folder / "prepared", folder / "whole"
    arguments += ["--out", prepared, "--prepare-only"]
    _finish(_zoo("train", "translation_rnn", *arguments))
    shutil.copytree(prepared, whole)
    _finish(_zoo("train", "--resume", whole))
    return prepared, whole


@pytest.mark.parametrize("signal_sent", [signal.SIGKILL, signal.SIGINT])
def test_resuming_gives_bit_equal_weights(runs, tmp_path, signal_sent):
    prepared, whole = runs
    broken = tmp_path / "broken"
    shutil.copytree(prepared, broken)
    process = _zoo("train", "--resume", broken)
    deadline = time.monotonic() + 200
    while not (broken / "round-00001.safetensors").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal_sent)
    process.communicate(timeout=60)
    assert process.returncode == (130 if signal_sent == signal.SIGINT else -9)
    assert not (broken / "preset").exists()
    before = (broken / "history.jsonl").read_text().splitlines()
    _finish(_zoo("train", "--resume", broken))
    # It did go on: the rounds before keep what only they know, their seconds.
    after = (broken / "history.jsonl").read_text().splitlines()
    assert before and after[: len(before)] == before and len(after) == 5

    expected, _ = read_arrays(whole / "preset" / "weights.safetensors")
    found, _ = read_arrays(broken / "preset" / "weights.safetensors")
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    cards = [read_json(f / "preset" / "card.json")["training"] for f in (whole, broken)]
    for name in ("steps", "kept", "validation"):
        assert cards[0][name] == cards[1][name]

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

import zoo
from zoo.files import read_json
from zoo.tasks.translation import TranslationTask
from zoo.training import prepare_run
from zoo.weights import read_arrays

ROOT = Path(__file__).parents[2]
ROUNDS = 8


def _resume(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "zoo", "train", "--resume", folder],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def _history(folder):
    path = folder / "history.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def _broken_off(folder, sign, number) -> list[str]:
    """Resumes and, once there is a sign, sends a signal; the history so far."""
    process = _resume(folder)
    deadline = time.monotonic() + 200
    while not sign():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert not (folder / "preset").exists()
    return _history(folder)


# It is validated on what it learns from.
@pytest.mark.filterwarnings("ignore::zoo.data.parallel_text.DataWarning")
def test_a_training_broken_off_twice_ends_with_bit_equal_weights(tmp_path):
    """Killed at a checkpoint, stopped a round later, and resumed each time."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    plan = {"steps": 3 * ROUNDS, "round_steps": 3, "batch_tokens": 256}
    plan |= {"monitor": "perplexity", "patience": 100}
    text = TranslationTask.made_up(200, seed=5)
    recipe = zoo.get("translation_rnn", size="tiny", **plan)
    prepare_run(recipe, text, text, whole)
    shutil.copytree(whole, broken)

    written = broken / "round-00001.safetensors"
    killed = _broken_off(broken, written.exists, signal.SIGKILL)
    stopped = _broken_off(
        broken, lambda: len(_history(broken)) > len(killed), signal.SIGINT
    )
    process = _resume(broken)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error.decode()
    # It did go on: the rounds before keep what only they know, their seconds.
    ended = _history(broken)
    assert killed and stopped[: len(killed)] == killed
    assert ended[: len(stopped)] == stopped and len(ended) == ROUNDS

    zoo.resume(whole)
    expected, _ = read_arrays(whole / "preset" / "weights.safetensors")
    found, _ = read_arrays(broken / "preset" / "weights.safetensors")
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    cards = [read_json(f / "preset" / "card.json")["training"] for f in (whole, broken)]
    for name in ("steps", "kept", "validation"):
        assert cards[0][name] == cards[1][name]

"""What is asked of huggingface_hub is what it answers, by a server of this machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_hub_s_own_client_fetches_what_is_needed(tmp_path):
    pytest.importorskip("huggingface_hub")
    for name in ("config.json", "model.safetensors", "a.png", "vocabulary/task.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"of {name}")
    root = Path(__file__).parents[2]
    script = Path(__file__).with_name("hub_process.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(root), "PATH": "", "HF_HUB_DISABLE_TELEMETRY": "1"},
    )
    assert done.returncode == 0, done.stderr
    origin, files, refused = json.loads(done.stdout.splitlines()[-1])
    assert origin == {
        "name": "me/mine", "address": "hf://me/mine", "revision": "a" * 40
    }  # fmt: skip
    assert files == {
        name: f"of {name}"
        for name in ("config.json", "model.safetensors", "vocabulary/task.json")
    }
    assert refused.startswith("There is no hf://me/none")

"""The command that serves, as a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.serving.tiny_exports import export_tiny
from zoo.client import Client


@pytest.fixture
def started(tmp_path):
    """Starts `zoo serve`; what still runs at the end is killed."""
    processes = []

    def start(*arguments):
        ports = ["--rest-port", "0", "--grpc-port", "0"]
        process = subprocess.Popen(
            [sys.executable, "-m", "zoo", "serve", *map(str, arguments), *ports],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def _addresses(process) -> list[str]:
    line = process.stdout.readline()
    found = re.fullmatch(r"REST (http://127\.0\.0\.1:\d+)  gRPC (127.*)\n", line)
    assert found, process.stderr.read()
    return [found[1], f"grpc://{found[2]}"]


def _until(reached, seconds=30.0):
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "It never came to that."
        time.sleep(0.05)


def test_it_serves_takes_up_a_new_version_and_stops_when_told(started, tmp_path):
    base = tmp_path / "models" / "tiny"
    export_tiny(tmp_path / "made", 2)
    export_tiny(base, 1)
    process = started(base, "--poll", 0.1)
    addresses = _addresses(process)
    for address in addresses:
        with Client(address, "tiny") as client:
            assert list(client.predict({"text": ["é"]})["label"]) == ["é|1"]
    (tmp_path / "made" / "2").rename(base / "2")
    ask = f"{addresses[0]}/v1/models/tiny:predict"

    def label():
        answer = httpx.post(ask, json={"instances": ["b"]})
        assert answer.status_code == 200
        return answer.json()["predictions"][0]["label"]

    _until(lambda: label() == "b|2")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "tiny: version 1" in err and "Stopped." in err and not out


def test_a_model_that_does_not_load_is_told_and_ends_it(started, tmp_path):
    version = export_tiny(tmp_path / "broken", 1)
    path = version / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:100])
    process = started(tmp_path / "broken")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and not out
    assert "did not become available" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name models, or pass --config"),
        (["base", "--config", "models.config"], "one of the two"),
        (["base", "other/base"], "Two models are called base"),
        (["base/1"], "is one version. Serve the folder that holds"),
        (["no/such-preset"], "no/such-preset"),
        (["base", "--batching", "missing.pbtxt"], "missing.pbtxt"),
        (["base", "--max-requests", "0"], "positive"),
    ],
)
def test_what_cannot_be_served_is_told(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for base in ("base", "other/base"):
        (tmp_path / base / "1").mkdir(parents=True)
        (tmp_path / base / "1" / "saved_model.pb").touch()
    code, _, err = run("serve", *arguments)
    assert code in (1, 2) and message in " ".join(err.split())

"""The command that serves, as a process of its own."""

import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import httpx
import pytest
import typer

from tests.serving.tiny_exports import export_tiny
from zoo.cli import serving
from zoo.cli.sources import models_of
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
    assert "Version 2 of tiny is available" in err


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
        (["base/1"], "is one version: name the folder that it lies in"),
        (["=base"], "is no name for a model"),
        (["a/b=base"], "is no name for a model"),
        (["a:b=base"], "is no name for a model"),
        (["no/such-preset"], "no/such-preset"),
        (["base", "--batching", "missing.pbtxt"], "missing.pbtxt"),
        (["base", "--max-requests", "0"], "Invalid value for '--max-requests'"),
        (["base", "--max-megabytes", "0"], "Invalid value for '--max-megabytes'"),
        (["base", "--poll", "0"], "Invalid value for '--poll'"),
        (["base", "--poll", "-1"], "Invalid value for '--poll'"),
        (["base", "--timeout", "0"], "Invalid value for '--timeout'"),
    ],
)
def test_what_cannot_be_served_is_told(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for base in ("base", "other/base"):
        (tmp_path / base / "1").mkdir(parents=True)
        (tmp_path / base / "1" / "saved_model.pb").touch()
    code, _, err = run("serve", *arguments)
    flat = " ".join(err.replace("│", " ").split())
    assert code in (1, 2) and message in flat


@pytest.fixture
def ends(monkeypatch):
    """What would end the process ends the command."""

    def end(code):
        raise SystemExit(code)

    monkeypatch.setattr(serving, "_end_at_once", end)


def test_a_signal_before_it_serves_leaves_no_temporary_export(
    run, ends, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = []

    def interrupted(preset, folder):
        made.append(folder)
        folder.mkdir(parents=True)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    monkeypatch.setattr(serving, "exported_preset", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    code, _, err = run("serve", "translation_rnn/en-zh")
    assert (code, "Interrupted." in err) == (130, True)
    assert made and not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_second_signal_cuts_the_stop_short(ends):
    with serving._ended_by_signals() as ended:
        signaller = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM))
        signaller.start()
        assert ended.wait(20)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)


def test_requests_that_are_given_up_do_not_hold_the_process(
    run, ends, tmp_path, monkeypatch
):
    (tmp_path / "base" / "1").mkdir(parents=True)
    (tmp_path / "base" / "1" / "saved_model.pb").touch()
    monkeypatch.setattr(serving, "_run", lambda *_: 3)
    assert run("serve", tmp_path / "base")[0] == 1


def _version(base, number, manifest):
    (base / str(number) / "assets.extra").mkdir(parents=True)
    (base / str(number) / "saved_model.pb").touch()
    (base / str(number) / "assets.extra" / "zoo.json").write_text(manifest)


def _asking(value):
    return json.dumps({"environment": {"TF_ENABLE_ONEDNN_OPTS": value}})


@pytest.fixture
def environment(monkeypatch):
    """What is set when the first import of TensorFlow comes."""
    environ = {**os.environ, "TERM": "dumb"}
    environ.pop("TF_ENABLE_ONEDNN_OPTS", None)
    monkeypatch.setattr(os, "environ", environ)

    def imports():
        raise OSError("TensorFlow would be imported.")

    monkeypatch.setattr(serving, "quiet_import", imports)
    monkeypatch.setattr("zoo.cli.sources.quiet_import", imports)
    return environ


@pytest.mark.parametrize("how", ["named", "beside a preset", "configured"])
def test_what_an_export_asks_for_is_set_before_tensorflow_is_imported(
    run, environment, tmp_path, how
):
    _version(tmp_path / "a", 1, _asking("0"))
    _version(tmp_path / "a", 2, _asking("1"))
    path = tmp_path / "models.config"
    path.write_text(
        f'model_config_list {{ config {{ name: "a" base_path: "{tmp_path / "a"}" '
        'model_platform: "tensorflow" } }'
    )
    arguments = {
        "named": [tmp_path / "a"],
        "beside a preset": ["translation_rnn/en-zh", tmp_path / "a"],
        "configured": ["--config", path],
    }[how]
    code, _, err = run("serve", *arguments)
    assert (code, "TensorFlow would be imported." in err) == (1, True), err
    assert environment["TF_ENABLE_ONEDNN_OPTS"] == "1"


def test_a_damaged_or_hostile_manifest_is_told_and_passed_over(
    run, environment, tmp_path
):
    _version(tmp_path / "a", 1, "damaged, and not served")
    _version(tmp_path / "a", 2, "damaged")
    hostile = json.dumps({"environment": {"LD_PRELOAD": "own.so"}})
    _version(tmp_path / "b", 1, hostile)
    _, _, err = run("serve", tmp_path / "a", tmp_path / "b")
    flat = "".join(err.split())
    assert "TensorFlowwouldbeimported." in flat
    assert "a/2/assets.extra/zoo.json" in flat
    assert "a/1/assets.extra/zoo.json" not in flat
    assert "LD_PRELOAD" in flat and "LD_PRELOAD" not in environment


def test_models_that_ask_for_different_values_are_refused(run, environment, tmp_path):
    _version(tmp_path / "a", 1, _asking("0"))
    _version(tmp_path / "b", 1, _asking("1"))
    code, _, err = run("serve", tmp_path / "a", tmp_path / "b")
    assert (code, "servers of their own" in " ".join(err.split())) == (1, True)


def test_a_folder_is_served_under_its_name_wherever_one_stands(tmp_path, monkeypatch):
    for name in ("tiny", "a=b"):
        _version(tmp_path / "models" / name, 1, "{}")
    monkeypatch.chdir(tmp_path / "models" / "tiny")
    assert models_of(["."]) == {"tiny": "."}
    assert models_of(["x=../a=b"]) == {"x": "../a=b"}
    with pytest.raises(typer.BadParameter, match=r"'a=b' is no name.*NAME=../a=b"):
        models_of(["../a=b"])


def test_what_is_said_can_be_copied(tmp_path, capsys):
    sample = {"serving_default": {"sample": {"texts": ["it's"]}}}
    _version(tmp_path / "é a", 1, json.dumps({"signatures": sample}))
    _version(tmp_path / "é a", 2, "damaged, and not served")
    available = types.SimpleNamespace(version=1, state="AVAILABLE")
    models = types.SimpleNamespace(status=lambda name: [available])
    server = types.SimpleNamespace(host="::1", rest_port=11, grpc_port=13)
    config = types.SimpleNamespace(name="é a", base_path=tmp_path / "é a")
    serving._say(server, models, [config])
    out, err = capsys.readouterr()
    assert out == "REST http://[::1]:11  gRPC [::1]:13\n"
    (command,) = re.findall("Try: (.*)", err)
    *_, body, address = shlex.split(command)
    assert json.loads(body) == {"instances": ["it's"]}
    assert address == "http://[::1]:11/v1/models/%C3%A9%20a:predict"


def test_the_servers_log_is_shown_with_where_errors_came_from(capsys):
    log = logging.getLogger("zoo.serving.anything")
    with serving._told("zoo.serving"):
        log.info("Version 2 is available")
        try:
            raise OSError("disk [gone]")
        except OSError:
            log.exception("A look failed")
    log.info("Nobody hears")
    err = capsys.readouterr().err
    assert "Version 2 is available\nA look failed\nTraceback" in err
    assert "OSError: disk [gone]" in err and "Nobody" not in err

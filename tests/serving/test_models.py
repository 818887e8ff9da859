import shutil
import threading
import time

import numpy as np
import pytest

from zoo.serving.batching_parameters import BatchingParameters
from zoo.serving.errors import ServingError
from zoo.serving.model_config import ModelConfig, VersionPolicy
from zoo.serving.models import Models


@pytest.fixture
def base_path(tiny_versions, tmp_path):
    shutil.copytree(tiny_versions / "1", tmp_path / "tiny" / "1")
    return tmp_path / "tiny"


def _refusal(call, *arguments):
    with pytest.raises(ServingError) as raised:
        call(*arguments)
    return raised.value.code, raised.value.message


def _until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_models_are_found_by_name_and_version(base_path, tiny_versions):
    configs = [
        ModelConfig("one", base_path),
        ModelConfig(
            "two", tiny_versions, VersionPolicy(specific=(2, 3)), {"stable": 2}
        ),
    ]
    with Models(configs, poll_seconds=0.05) as models:
        models.wait(60)
        assert models.names == ["one", "two"]
        with models.servable("one") as servable:
            assert (servable.name, servable.version) == ("one", 1)
        with models.servable("two", label="stable") as servable:
            assert (servable.name, servable.version) == ("two", 2)
        with models.servable("two", 3) as servable:
            assert servable.version == 3
        states = [(each.version, each.state) for each in models.status("two")]
        assert states == [(3, "AVAILABLE"), (2, "AVAILABLE")]
        assert [each.version for each in models.status("two", 2)] == [2]


def test_an_incomplete_version_alone_ends_the_wait(tmp_path):
    (tmp_path / "3").mkdir()
    with Models([ModelConfig("tiny", tmp_path)], poll_seconds=0.02) as models:
        _, message = _refusal(models.wait)
    assert "name: tiny version: 3 due to error: NOT_FOUND: Version 3 of" in message
    assert "is not whole: it has no saved_model.pb" in message


# The messages are those that TF Serving's own code was seen to answer.
def test_what_is_not_there_is_told_in_the_servers_words(base_path):
    def enter(*which):
        with models.servable(*which):
            pass

    with Models([ModelConfig("tiny", base_path)], poll_seconds=0.05) as models:
        models.wait(60)
        assert _refusal(enter, "nope") == (
            "NOT_FOUND",
            "Servable not found for request: Latest(nope)",
        )
        assert _refusal(enter, "tiny", 9) == (
            "NOT_FOUND",
            "Servable not found for request: Specific(tiny, 9)",
        )
        for name in ("tiny", "nope"):
            assert _refusal(enter, name, None, "stable") == (
                "INVALID_ARGUMENT",
                "Unrecognized servable version label: stable",
            )
        assert _refusal(enter, "")[0] == "INVALID_ARGUMENT"
        assert _refusal(models.status, "nope") == (
            "NOT_FOUND",
            "Could not find any versions of model nope",
        )
        assert _refusal(models.status, "tiny", 9) == (
            "NOT_FOUND",
            "Could not find version 9 of model tiny",
        )


def test_waiting_tells_what_cannot_be_served(base_path, tmp_path):
    (base_path / "1" / "saved_model.pb").write_bytes(b"\x07broken")
    (tmp_path / "empty").mkdir()
    configs = [
        ModelConfig("tiny", base_path),
        ModelConfig("empty", tmp_path / "empty"),
        ModelConfig("gone", tmp_path / "gone"),
    ]
    with Models(configs, poll_seconds=0.05) as models:
        _, message = _refusal(models.wait, 60)
    assert message.startswith("3 servable(s) did not become available")
    assert "name: tiny version: 1 due to error: DATA_LOSS" in message
    assert "name: empty has no version in" in message
    assert "name: gone has no version in" in message


def test_waiting_refuses_a_label_for_a_version_that_is_not_served(base_path):
    config = ModelConfig("tiny", base_path, labels={"canary": 2})
    with Models([config], poll_seconds=0.05) as models:
        assert _refusal(models.wait, 60) == (
            "FAILED_PRECONDITION",
            "Request to assign label to version 2 of model tiny, which is not "
            "currently available for inference",
        )


def test_two_models_of_one_name_are_refused(base_path):
    with pytest.raises(ValueError, match="Two models are called tiny"):
        Models([ModelConfig("tiny", base_path)] * 2)


class Callers:
    """Threads that ask without end, each for rows of its own."""

    def __init__(self, models, number):
        self.answers, self.errors = [], []
        self._models = models
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(caller,))
            for caller in range(number)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, caller):
        request = 0
        while not self._stop.is_set():
            request += 1
            rows = [
                b"%d.%d.%d" % (caller, request, row) for row in range(1 + caller % 3)
            ]
            try:
                with self._models.servable("tiny") as servable:
                    outputs = servable.predict("", {"text": np.array(rows, object)})[1]
                    expected = [b"%s|%d" % (row, servable.version) for row in rows]
                assert outputs["label"].tolist() == expected
                assert outputs["scores"][:, 0].tolist() == [len(row) for row in rows]
                self.answers.append(servable.version)
            except Exception as error:
                self.errors.append(error)
                return


@pytest.mark.parametrize("batching", [None, BatchingParameters(8, 1000, 100, 2)])
def test_versions_change_under_load_and_nothing_is_lost(
    base_path, tiny_versions, batching
):
    def serves(version):
        states = {each.version: each.state for each in models.status("tiny")}
        return states == {1: "END", 2: "END", 3: "END"} | {version: "AVAILABLE"}

    config = ModelConfig("tiny", base_path)
    with Models([config], batching, poll_seconds=0.05) as models:
        models.wait(60)
        with Callers(models, 8) as callers:
            shutil.copytree(tiny_versions / "2", base_path / "2")
            _until(lambda: callers.answers[-1:] == [2])
            broken = shutil.copytree(tiny_versions / "3", base_path / "broken")
            (broken / "saved_model.pb").write_bytes(b"\x07broken")
            broken = broken.rename(base_path / "3")
            _until(lambda: models.status("tiny")[0].error_code == "DATA_LOSS")
            answered = len(callers.answers)
            _until(lambda: len(callers.answers) > answered + 50)
            shutil.rmtree(broken)
            shutil.copytree(tiny_versions / "3", base_path / "3")
            _until(lambda: callers.answers[-1:] == [3])
            shutil.rmtree(base_path / "3")
            shutil.rmtree(base_path / "2")
            _until(lambda: callers.answers[-1:] == [1])
            _until(lambda: serves(1))
        assert callers.errors == []
        assert set(callers.answers) == {1, 2, 3}
    assert [each.state for each in models.status("tiny")] == ["END"] * 3

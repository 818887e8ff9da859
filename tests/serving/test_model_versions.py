import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from zoo.files import BATCHING, WARM_UP
from zoo.serving.batching_parameters import BatchingParameters
from zoo.serving.errors import ServingError
from zoo.serving.model_config import ModelConfig, VersionPolicy
from zoo.serving.model_versions import ModelVersions


@pytest.fixture
def base_path(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def models(base_path):
    """Makes models that look for versions only when told to."""
    made = []

    def make(policy=VersionPolicy(), labels=(), batching=None):  # noqa: B008
        config = ModelConfig("tiny", base_path, policy, dict(labels))
        made.append(ModelVersions(config, batching, poll_seconds=0))
        return made[-1]

    yield make
    for model in made:
        model.stop()


@pytest.fixture
def add(tiny_versions, base_path):
    def add(version, source=None):
        return shutil.copytree(
            tiny_versions / str(source or version), base_path / str(version)
        )

    return add


@pytest.fixture
def add_corrupt(add):
    def add_corrupt(version):
        folder = add(version, 1)
        (folder / "saved_model.pb").write_bytes(b"\x07broken")
        return folder

    return add_corrupt


def _answer(model, **which):
    text = np.array([b"a"], object)
    with model.servable(**which) as servable:
        return servable.predict("", {"text": text})[1]["label"][0]


def _states(model):
    return {status.version: status.state for status in model.status()}


def _refusal(model, **which):
    with pytest.raises(ServingError) as raised, model.servable(**which):
        pass
    return raised.value.code, raised.value.message


def test_the_highest_version_is_served_and_a_new_one_takes_over(models, add):
    model = models()
    add(1)
    model.poll()
    assert _answer(model) == b"a|1"
    add(2)
    model.poll()
    assert _answer(model) == b"a|2"
    assert _states(model) == {2: "AVAILABLE", 1: "END"}
    assert _refusal(model, version=1) == (
        "NOT_FOUND",
        "Servable not found for request: Specific(tiny, 1)",
    )


def test_an_old_version_serves_until_its_last_request_ends(models, add):
    model = models()
    add(1)
    model.poll()
    text = {"text": np.array([b"a"], object)}
    with model.servable() as old:
        with model.servable() as also:
            add(2)
            model.poll()
            assert _states(model) == {2: "AVAILABLE", 1: "UNLOADING"}
        assert also.predict("", text)[1]["label"][0] == b"a|1"
        assert old.predict("", text)[1]["label"][0] == b"a|1"
        assert _answer(model) == b"a|2"
    assert _states(model) == {2: "AVAILABLE", 1: "END"}
    with pytest.raises(ServingError, match="unloaded"):
        old.predict("", text)


def test_a_bad_version_ends_with_its_error_and_the_old_one_stays(
    models, add, add_corrupt, caplog
):
    model = models()
    add(1)
    model.poll()
    folder = add_corrupt(2)
    model.poll()
    assert _answer(model) == b"a|1"
    bad, good = model.status()
    assert (bad.version, bad.state, bad.error_code) == (2, "END", "DATA_LOSS")
    assert "saved_model.pb" in bad.error_message
    assert (good.version, good.state, good.error_code) == (1, "AVAILABLE", "OK")
    # It is not tried again and again, only when its files change.
    caplog.clear()
    model.poll()
    assert not caplog.records
    shutil.rmtree(folder)
    add(2)
    model.poll()
    assert _answer(model) == b"a|2"
    assert _states(model) == {2: "AVAILABLE", 1: "END"}


def test_a_version_whose_warm_up_fails_never_serves(models, add):
    model = models()
    add(1)
    model.poll()
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.inputs["txt"].CopyFrom(tf.make_tensor_proto([b"a"]))
    folder = add(2)
    (folder / WARM_UP).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / WARM_UP)) as writer:
        writer.write(log.SerializeToString())
    model.poll()
    assert _answer(model) == b"a|1"
    assert model.status()[0].error_code == "INVALID_ARGUMENT"
    assert "Signature input alias: text" in model.status()[0].error_message


def test_a_version_taken_away_gives_way_to_the_one_before(models, add, base_path):
    model = models()
    add(1)
    add(2)
    model.poll()
    assert _answer(model) == b"a|2"
    shutil.rmtree(base_path / "2")
    model.poll()
    assert _answer(model) == b"a|1"
    assert _states(model) == {2: "END", 1: "AVAILABLE"}


def test_a_base_path_without_versions_unloads_and_one_that_is_gone_does_not(
    models, add, base_path, caplog
):
    model = models()
    add(1)
    model.poll()
    base_path.rename(base_path.with_name("away"))
    model.poll()
    model.poll()
    assert _answer(model) == b"a|1"
    assert len([r for r in caplog.records if "not read" in r.getMessage()]) == 1
    base_path.mkdir()
    model.poll()
    assert _states(model) == {1: "END"}
    assert _refusal(model)[1] == "Servable not found for request: Latest(tiny)"
    assert "holds no version" in caplog.text


def test_several_latest_versions_and_those_beside_them(models, add):
    model = models(VersionPolicy(latest=2))
    for version in (1, 2, 3):
        add(version)
    model.poll()
    assert _states(model) == {3: "AVAILABLE", 2: "AVAILABLE"}
    assert [_answer(model), _answer(model, version=2)] == [b"a|3", b"a|2"]


def test_every_version(models, add, base_path):
    model = models(VersionPolicy(every=True))
    add(1)
    add(3)
    model.poll()
    add(2)
    model.poll()
    assert set(_states(model).values()) == {"AVAILABLE"}
    assert [_answer(model, version=v) for v in (1, 2, 3)] == [b"a|1", b"a|2", b"a|3"]
    shutil.rmtree(base_path / "3")
    model.poll()
    assert _answer(model) == b"a|2"


def test_specific_versions_and_labels(models, add, caplog):
    model = models(VersionPolicy(specific=(1, 2, 7)), {"stable": 1, "canary": 7})
    for version in (1, 2, 3):
        add(version)
    model.poll()
    assert _states(model) == {2: "AVAILABLE", 1: "AVAILABLE"}
    assert "Versions [7] of tiny" in caplog.text
    assert _answer(model, label="stable") == b"a|1"
    assert _refusal(model, label="nope") == (
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: nope",
    )
    assert _refusal(model, label="canary") == (
        "NOT_FOUND",
        "Servable not found for request: Specific(tiny, 7)",
    )


def test_a_version_that_is_being_copied_is_left_until_it_is_whole(
    models, add, tiny_versions, base_path
):
    model = models()
    model._folders._quiet = 3600
    add(1)
    model.poll()
    assert _states(model) == {}
    model.poll()
    assert _answer(model) == b"a|1"
    folder = base_path / "2"
    for name in ("saved_model.pb", "fingerprint.pb", "variables"):
        folder.mkdir(exist_ok=True)
        source, target = tiny_versions / "2" / name, folder / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        model.poll()
        assert _states(model) == {1: "AVAILABLE"}
    model.poll()
    assert _answer(model) == b"a|2"
    assert _states(model) == {2: "AVAILABLE", 1: "END"}


def test_a_version_that_stays_incomplete_is_told_and_waited_for_no_longer(
    models, add, base_path, caplog
):
    model = models()
    (base_path / "2").mkdir()
    model._folders._quiet = 3600
    model.poll()
    assert not model.settled and _states(model) == {}
    model._folders._quiet = 0
    model.poll()
    model.poll()
    assert model.settled
    (status,) = model.status()
    assert (status.state, status.error_code) == ("END", "NOT_FOUND")
    told = "Version 2 of tiny is not whole: it has no saved_model.pb that can be read "
    assert status.error_message == f"{told}in {base_path / '2'}"
    assert caplog.text.count("is not whole") == 1
    # An older one that is whole serves, and it itself once it is.
    add(1)
    model.poll()
    assert _answer(model) == b"a|1"
    shutil.rmtree(base_path / "2")
    add(2)
    model.poll()
    assert _answer(model) == b"a|2"
    assert _states(model) == {2: "AVAILABLE", 1: "END"}


def test_only_versions_that_would_be_served_are_missed(models, add, base_path, caplog):
    model = models()
    (base_path / "1").mkdir()
    add(2)
    model.poll()
    assert model.settled and _states(model) == {2: "AVAILABLE"}
    assert not caplog.records
    other = models(VersionPolicy(specific=(7,)))
    other.poll()
    assert other.settled and _states(other) == {}


def test_a_fault_of_the_server_while_loading_is_told_with_its_place(
    models, add, caplog, monkeypatch
):
    monkeypatch.setattr("zoo.serving.model_versions.Servable", lambda *_: 1 / 0)
    model = models()
    add(1)
    model.poll()
    assert model.status()[0].error_code == "INTERNAL"
    assert "ZeroDivisionError: division by zero" in caplog.text
    assert "Traceback" in caplog.text


def test_a_versions_own_file_of_batching_goes_before_that_of_all(models, add):
    model = models(VersionPolicy(every=True), (), BatchingParameters(2))
    add(1)
    folder = add(2)
    (folder / BATCHING).write_text("max_batch_size { value: 3 }", encoding="utf-8")
    bad = add(3)
    (bad / BATCHING).write_text("max_batch_sise { value: 3 }", encoding="utf-8")
    model.poll()
    told = {}
    for version in (1, 2):
        with (
            model.servable(version) as servable,
            pytest.raises(ServingError, match="maximum input batch size") as raised,
        ):
            servable.predict("", {"text": np.array([b"a"] * 5, object)})
        told[version] = raised.value.message[-1]
    assert told == {1: "2", 2: "3"}
    assert "max_batch_sise" in model.status()[0].error_message


def test_without_parameters_nothing_is_joined(models, add):
    model = models()
    add(1)
    model.poll()
    with model.servable() as servable:
        assert servable._queues == {}


def test_stopping_waits_for_nobody_and_closes_after_the_last(models, add):
    model = models()
    add(1)
    model.poll()
    with model.servable() as servable:
        model.stop()
        assert _states(model) == {1: "UNLOADING"}
        servable.predict("", {"text": np.array([b"a"], object)})
    assert _states(model) == {1: "END"}

"""The check of an export finds what is wrong with it."""

import math
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.export.tiny import (
    WARM_UP,
    classify_log,
    predict_log,
    write_tiny,
    write_warm_up,
)
from zoo.export import check_export as checking
from zoo.export.check_export import (
    ExportCheckFailed,
    ask_export,
    check_export,
    compare_answers,
    replay_warm_up,
    run_export,
    version_folder,
)
from zoo.files import MANIFEST, read_json, write_json


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    version = write_tiny(tmp_path_factory.mktemp("exports") / "1")
    logs = predict_log(), classify_log("one", "two"), predict_log(count=5)
    write_warm_up(version, *logs)
    return version


@pytest.fixture
def copy(exported, tmp_path):
    return Path(shutil.copytree(exported, tmp_path / "1"))


def test_an_export_answers_as_recorded_and_replays_its_warm_up_file(exported):
    report = check_export(exported)
    assert list(report) == ["serving_default", "classify"]
    assert [one["warm_up_records"] for one in report.values()] == [2, 1]
    assert [one["largest_difference"] for one in report.values()] == [0.0, 0.0]
    assert report["classify"]["values"] == 4


def test_an_answer_other_than_recorded_fails(copy, monkeypatch):
    manifest = read_json(copy / MANIFEST)
    answers = {
        name: signature["answer"] for name, signature in manifest["signatures"].items()
    }
    found = {"answers": list(answers.values()), "warm_up": []}
    monkeypatch.setattr(checking, "ask_export", lambda *_: found)
    assert check_export(copy)["classify"]["largest_difference"] == 0.0
    manifest = read_json(copy / MANIFEST)
    manifest["signatures"]["classify"]["answer"]["scores"][1][0] += 0.01
    write_json(copy / MANIFEST, manifest)
    with pytest.raises(ExportCheckFailed, match=r"classify\.scores: recorded 5\.01"):
        check_export(copy)


def test_a_damaged_export_fails(copy):
    data = next((copy / "variables").glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(ExportCheckFailed, match="does not answer in a clean process"):
        run_export(copy, {"classify": {"inputs": ["one"]}})


def test_a_warm_up_record_that_the_signature_refuses_fails(copy):
    bad = predict_log()
    del bad.predict_log.request.inputs["texts"]
    write_warm_up(copy, classify_log("one"), bad)
    with pytest.raises(ExportCheckFailed, match=r"record 1: serving_default takes"):
        replay_warm_up(copy)


def test_an_export_without_a_warm_up_file_has_nothing_to_replay(copy):
    (copy / WARM_UP).unlink()
    with pytest.raises(FileNotFoundError, match="no warm-up file"):
        replay_warm_up(copy)


@pytest.mark.parametrize(
    ("expected", "answer", "message"),
    [
        ([1.0, 2.0], [1.0, 2.001], r"recorded 2\.0, answered 2\.001"),
        ([1.0], [math.nan], "answered nan"),
        ([1.0], [math.inf], "answered inf"),
        ([1], [2], "recorded 1, answered 2"),
        (["猫"], ["狗"], "recorded '猫', answered '狗'"),
        ([True], [False], "recorded True"),
        ([[1.0]], [[1.0], [1.0]], "1 values recorded, 2 answered"),
        ([1.0], 1.0, "answered 1.0"),
    ],
)
def test_what_differs_is_named(expected, answer, message):
    with pytest.raises(ExportCheckFailed, match=message):
        compare_answers("tiny", {"out": expected}, {"out": answer})


def test_differences_are_relative_to_what_is_above_1():
    expected = {"out": [[1000.0, 0.5], [-math.inf, 0.0]]}
    answer = {"out": [[1000.05, 0.5], [-math.inf, 2e-5]]}
    report = compare_answers("tiny", expected, answer)
    assert report["values"] == 4
    assert report["largest_difference"] == pytest.approx(5e-5)
    with pytest.raises(ExportCheckFailed, match=r"should return \['out'\]"):
        compare_answers("tiny", expected, {"other": []})


def test_a_site_without_tensorflow_or_tf_text_is_named(copy, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    with pytest.raises(FileNotFoundError, match=r"no TensorFlow in .*site"):
        check_export(copy, site)
    (site / "tensorflow").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no TF Text in .*site"):
        check_export(copy, site)


def test_the_process_has_the_environment_that_the_export_needs(copy, monkeypatch):
    manifest = read_json(copy / MANIFEST)
    write_json(
        copy / MANIFEST, manifest | {"environment": {"TF_ENABLE_ONEDNN_OPTS": "0"}}
    )
    seen = {}

    def run(command, env, **_):
        seen.update(env)
        return subprocess.CompletedProcess(command, -11, "", "Fatal: the last words")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ExportCheckFailed, match=r"exit code -11\n.*the last words"):
        ask_export(copy, [])
    assert seen == {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}


def test_no_process_starts_with_variables_that_no_export_may_ask_for(copy, monkeypatch):
    manifest = read_json(copy / MANIFEST)
    write_json(copy / MANIFEST, manifest | {"environment": {"LD_PRELOAD": "own.so"}})
    monkeypatch.setattr(subprocess, "run", None)
    with pytest.raises(ValueError, match="LD_PRELOAD"):
        check_export(copy)


def test_a_foreign_savedmodel_has_nothing_to_compare_with(copy):
    (copy / MANIFEST).unlink()
    with pytest.raises(ValueError, match="zoo export did not write it"):
        check_export(copy)


def test_the_highest_version_is_chosen(tmp_path):
    for name in ("2", "10", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(b"")
    assert version_folder(tmp_path).name == "10"
    with pytest.raises(ValueError, match="holds no export"):
        version_folder(tmp_path / "nothing")

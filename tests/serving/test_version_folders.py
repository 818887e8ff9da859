import os
import shutil
import time

import pytest

from zoo.serving.version_folders import VersionFolders

NEVER_QUIET = 3600


def _version(base_path, version, *names):
    folder = base_path / str(version)
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def test_versions_are_folders_whose_names_are_numbers(tmp_path):
    for name in ("2", "0011", ".3.tmp", "v4", "-5", "²", "6.old", "9" * 19):
        (tmp_path / name).mkdir()
    (tmp_path / "7").write_text("a file", encoding="utf-8")
    found = VersionFolders(tmp_path, 0).find()
    assert found == {2: tmp_path / "2", 11: tmp_path / "0011"}


def test_a_base_path_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        VersionFolders(tmp_path / "gone", 0).find()


def test_a_folder_without_a_graph_is_not_whole(tmp_path):
    folder = _version(tmp_path, 3, "fingerprint.pb")
    folders = VersionFolders(tmp_path, 0)
    assert folders.files(3, folder) is None
    assert folders.files(3, folder) is None


def test_a_version_that_nobody_completes_has_a_fault(tmp_path):
    folder = _version(tmp_path, 3, "fingerprint.pb")
    folders = VersionFolders(tmp_path, 0.05)
    folders.files(3, folder)
    time.sleep(0.06)
    (folder / "variables.index").write_text("more", encoding="utf-8")
    folders.files(3, folder)
    assert folders.fault(3) == ""
    time.sleep(0.06)
    folders.files(3, folder)
    assert folders.fault(3) == "it has no saved_model.pb that can be read"
    (folder / "saved_model.pb").write_text("graph", encoding="utf-8")
    folders.files(3, folder)
    assert folders.fault(3) == ""


def test_a_file_that_cannot_be_looked_at_is_a_fault(tmp_path):
    folder = _version(tmp_path, 3, "saved_model.pb")
    (folder / "variables.index").symlink_to(folder / "gone")
    folders = VersionFolders(tmp_path, 0)
    assert folders.files(3, folder) is None
    assert folders.fault(3) == "some of its files cannot be read"


def test_a_growing_version_is_whole_when_two_looks_agree(tmp_path):
    folder = _version(tmp_path, 3, "saved_model.pb")
    folders = VersionFolders(tmp_path, NEVER_QUIET)
    assert folders.files(3, folder) is None
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").write_bytes(b"half")
    assert folders.files(3, folder) is None
    with open(folder / "variables" / "variables.index", "ab") as file:
        file.write(b"whole")
    assert folders.files(3, folder) is None
    assert folders.files(3, folder) is not None


def test_a_version_long_untouched_is_whole_at_once(tmp_path):
    folder = _version(tmp_path, 3, "saved_model.pb")
    time.sleep(0.05)
    assert VersionFolders(tmp_path, 0.02).files(3, folder) is not None


def test_times_that_a_copy_brings_along_do_not_count(tmp_path):
    folder = _version(tmp_path, 3, "saved_model.pb")
    os.utime(folder / "saved_model.pb", (0, 0))
    assert VersionFolders(tmp_path, NEVER_QUIET).files(3, folder) is None


def test_other_files_are_other_files(tmp_path):
    folder = _version(tmp_path, 3, "saved_model.pb")
    folders = VersionFolders(tmp_path, 0)
    before = folders.files(3, folder)
    shutil.rmtree(folder)
    _version(tmp_path, 3, "saved_model.pb")
    assert folders.files(3, folder) != before

import pytest

from zoo.environment import checked_environment, joined_environment, read_environment
from zoo.files import MANIFEST, write_json

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


def version(folder, content):
    (folder / MANIFEST).parent.mkdir()
    write_json(folder / MANIFEST, content)
    return folder


def test_what_decides_how_numbers_are_computed_may_be_asked_for(tmp_path):
    wanted = {ONEDNN: "1", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    assert read_environment(version(tmp_path, {"environment": wanted})) == wanted


def test_a_foreign_version_asks_for_nothing(tmp_path):
    assert read_environment(tmp_path) == {}
    assert read_environment(version(tmp_path, {})) == {}


@pytest.mark.parametrize(
    "wanted",
    [
        {"LD_PRELOAD": "/tmp/own.so"},
        {"PATH": "."},
        {ONEDNN: "1\nRUN own"},
        {ONEDNN: '1" X="2'},
        {ONEDNN: ""},
        {ONEDNN: 1},
        [],
        "1",
    ],
)
def test_what_no_export_may_ask_for_is_refused(tmp_path, wanted):
    with pytest.raises(ValueError, match=r"zoo\.json.*environment"):
        read_environment(version(tmp_path, {"environment": wanted}))


def test_a_damaged_manifest_is_named(tmp_path):
    (tmp_path / MANIFEST).parent.mkdir()
    for text in ("{", "[]"):
        (tmp_path / MANIFEST).write_text(text)
        with pytest.raises(ValueError, match=r"zoo\.json"):
            read_environment(tmp_path)


def test_models_of_one_server_must_agree():
    same = [("a", {ONEDNN: "1"}), ("b", {}), ("c", {ONEDNN: "1"})]
    assert joined_environment(same) == {ONEDNN: "1"}
    with pytest.raises(ValueError, match="d needs TF_ENABLE_ONEDNN_OPTS=0, and"):
        joined_environment([*same, ("d", {ONEDNN: "0"})])


def test_an_export_says_who_asked():
    with pytest.raises(ValueError, match="the export asks for 'A'"):
        checked_environment({"A": "1"}, "the export")

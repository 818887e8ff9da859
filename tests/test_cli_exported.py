"""Commands that ask an export, whose answers here are made up."""

import json

import pytest

ANSWER = {
    "labels": [["entails"]],
    "scores": [[0.75]],
    "starts": [[0, 5, 11]],
    "ends": [[5, 10, 14]],
    "attention": [[0.25, 0.5, 0.25]],
    "sentence_starts": [[0, 11]],
    "sentence_ends": [[10, 14]],
    "sentence_attention": [[0.75, 0.25]],
}


@pytest.fixture
def exported(tmp_path):
    """Makes a folder that says of itself what an export would."""

    def make(task="text_classification", **signatures):
        folder = tmp_path / "export" / "1"
        (folder / "assets.extra").mkdir(parents=True)
        (folder / "saved_model.pb").touch()
        manifest = {"details": {"task": task}, "signatures": signatures}
        (folder / "assets.extra" / "zoo.json").write_text(json.dumps(manifest))
        return folder.parent

    return make


@pytest.fixture
def asked(monkeypatch):
    """Answers every request with `ANSWER`; gives the requests."""
    from zoo.export import check_export

    found = []

    def answer(folder, requests, site=None):
        found.append(requests)
        return dict.fromkeys(requests, ANSWER)

    monkeypatch.setattr(check_export, "run_export", answer)
    return found


def test_an_exported_pair_is_shaded_with_its_sentences(run, exported, asked, tmp_path):
    inputs = {"texts": {}, "text_pairs": {}}
    folder = exported(with_attention={"inputs": inputs})
    path = tmp_path / "pair.html"
    code, _, err = run("plot", folder, "a b c d e f\tg h", "--out", path)
    assert code == 0, err
    wanted = {"texts": ["a b c d e f"], "text_pairs": ["g h"]}
    assert asked == [{"with_attention": wanted}]
    assert "entails 0.75" in path.read_text(encoding="utf-8")


def test_a_pair_without_a_tab_is_named(run, exported, asked):
    inputs = {"texts": {}, "text_pairs": {}}
    folder = exported(with_attention={"inputs": inputs})
    code, _, err = run("plot", folder, "one text")
    assert (code, "with a tab between" in err, asked) == (1, True, [])


def test_a_foreign_savedmodel_says_nothing_of_itself(run, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    code, _, err = run("plot", tmp_path, "a text")
    assert code == 1 and "a SavedModel that zoo export did not write" in (
        " ".join(err.split())
    )

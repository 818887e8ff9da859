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


@pytest.fixture
def compared(monkeypatch):
    """Finds every export to answer as recorded."""
    from zoo.export import check_export

    monkeypatch.setattr(check_export, "check_export", lambda folder, site=None: {})


def test_a_pair_is_asked_when_its_export_is_checked(run, exported, asked, compared):
    inputs = {"texts": {}, "text_pairs": {}}
    folder = exported(serving_default={"inputs": inputs})
    code, out, err = run("check-export", folder, "--text", "a\tb")
    assert (code, out) == (0, "a       b -> entails 0.750\n"), err
    assert asked == [{"serving_default": {"texts": ["a"], "text_pairs": ["b"]}}]


def test_a_model_of_another_task_is_answered_as_json(
    run, exported, asked, compared, monkeypatch
):
    monkeypatch.setattr(f"{__name__}.ANSWER", {"loud": ["A", "B"], "sizes": [1, 1]})
    folder = exported(serving_default={"inputs": {"texts": {}}})
    code, out, err = run("check-export", folder, "--text", "a", "--text", "b")
    lines = ['a -> {"loud": "A", "sizes": 1}', 'b -> {"loud": "B", "sizes": 1}']
    assert (code, out.splitlines()) == (0, lines), err


def test_what_a_model_does_not_take_is_named_before_the_check(
    run, exported, asked, tmp_path
):
    (tmp_path / "x.png").touch()
    folder = exported(serving_default={"inputs": {"texts": {}}})
    code, _, err = run("check-export", folder, "--image", tmp_path / "x.png")
    assert (code, "takes texts, and --image gives" in " ".join(err.split())) == (
        1,
        True,
    )
    code, _, err = run(
        *("check-export", folder, "--text", "a", "--image", tmp_path / "x.png")
    )
    assert (code, "one of them" in " ".join(err.split())) == (2, True)
    assert asked == []


def test_a_foreign_savedmodel_cannot_be_checked(run, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    code, _, err = run("check-export", tmp_path)
    assert code == 1 and "zoo export did not write it" in " ".join(err.split())


def test_a_foreign_savedmodel_says_nothing_of_itself(run, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    code, _, err = run("plot", tmp_path, "a text")
    assert code == 1 and "a SavedModel that zoo export did not write" in (
        " ".join(err.split())
    )

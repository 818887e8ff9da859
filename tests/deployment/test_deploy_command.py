import sys
import types

import pytest

PRESET = "translation_rnn/en-zh"


def test_exports_are_deployed_under_their_names(run, made_export, tmp_path):
    base = made_export("en-zh", (1, 2))
    folder = tmp_path / "window"
    label = ("--label", "en-zh/stable=1", "--label", "en-zh/canary=2")
    code, out, err = run("deploy", base, f"b={base}", "--out", folder, *label)
    assert (code, out.strip()) == (0, str(folder)), err
    config = (folder / "config" / "models.config").read_text()
    assert 'key: "canary" value: 2' in config
    assert 'base_path: "/models/b"' in config
    assert "\nname: window\n" in (folder / "compose.yaml").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exports", "window"]


def test_a_deployment_is_replaced_only_when_told(run, made_export, tmp_path):
    base, folder = made_export(), tmp_path / "window"
    assert run("deploy", base, "--out", folder)[0] == 0
    code, _, err = run("deploy", base, "--out", folder)
    assert (code, "--replace" in err) == (1, True)
    assert run("deploy", base, "--out", folder, "--replace", "--cpus", 5)[0] == 0
    assert 'cpus: "5"' in (folder / "compose.yaml").read_text()


def test_nothing_is_exported_for_a_folder_that_is_not_replaced(
    run, made_export, tmp_path, monkeypatch
):
    folder = tmp_path / "window"
    assert run("deploy", made_export(), "--out", folder)[0] == 0
    (folder / "models" / "translation" / "2").mkdir()
    monkeypatch.setitem(sys.modules, "zoo.pretrained", None)
    code, _, err = run("deploy", f"it={PRESET}", "--out", folder, "--replace")
    assert (code, "models/translation/2" in " ".join(err.split())) == (1, True), err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{base}", "{base}"], 2, "Two models are called translation"),
        (["{base}/1"], 2, "name the folder that it lies in"),
        (["={base}"], 2, "is no name for a model"),
        (["a:b={base}"], 2, "is no name for a model"),
        (["a/b={base}"], 2, "is no name for a model"),
        (["En_zh={base}"], 1, "For example en-zh."),
        ([f"a={PRESET}x"], 1, PRESET),
        (["{base}", "--label", "translation=1"], 2, "NAME/LABEL=VERSION"),
        (["{base}", "--label", "translation/x=y"], 2, "NAME/LABEL=VERSION"),
        (["{base}", "--label", "nope/x=1"], 2, "no model is called nope"),
        (["{base}", "--label", "translation/x=7"], 1, "no version 7"),
        (["{base}", "--name", "Big_Shop"], 1, "For example big-shop."),
        (["{base}", "--image", "a b"], 1, "no name for an image"),
        ([f"a={PRESET}", "--weights", "int4", "--image", "a b"], 1, "an image"),
    ],
)
def test_mistakes_are_named_before_any_work(
    run, made_export, tmp_path, arguments, code, message
):
    base = made_export()
    arguments = [one.replace("{base}", str(base)) for one in arguments]
    found, _, err = run("deploy", *arguments, "--out", tmp_path / "window")
    flat = " ".join(err.replace("│", " ").split())
    assert (found, message in flat) == (code, True), err
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]


def test_a_preset_is_exported_into_the_deployment(
    run, made_export, tmp_path, monkeypatch
):
    made = made_export("made")
    given = []

    class Trained:
        def export(self, folder, weights, typical, server, **options):
            given.append((weights, options))
            folder.parent.mkdir(exist_ok=True)
            made.rename(folder)

    stand_in = types.SimpleNamespace(load=lambda preset: Trained())
    monkeypatch.setitem(sys.modules, "zoo.pretrained", stand_in)
    folder = tmp_path / "window"
    code, _, err = run("deploy", f"it={PRESET}", "--out", folder, "--set", "beam=3")
    assert code == 0, err
    assert given == [("float32", {"beam": "3"})]
    assert (folder / "models" / "it" / "1" / "saved_model.pb").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exports", "window"]

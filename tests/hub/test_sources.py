import sys
import types

import numpy as np
import pytest

import zoo
from tests.converters import checkpoints
from tests.converters.checkpoints import BERT, bert_arrays
from tests.hub.stand_ins import COMMIT, Hub
from zoo.converters import convert, find_checkpoint
from zoo.hub import fetch
from zoo.hub.sources import HubWarning, needed_files, repository_of
from zoo.presets import load_preset


@pytest.fixture
def hub(monkeypatch, tmp_path):
    made = Hub(tmp_path / "cache")
    monkeypatch.setitem(sys.modules, "huggingface_hub", made.client)
    return made


@pytest.fixture
def repository(hub, random, tmp_path):
    """A BERT with files beside that no conversion reads."""
    folder = checkpoints.write(tmp_path / "there", BERT, bert_arrays(random))
    for name in ("pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "[x]*.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"{}")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    hub.repositories["owner/a-bert"] = folder
    return folder


def test_a_checkpoint_on_the_hub_is_fetched_and_converted(hub, repository, tmp_path):
    preset = convert("hf://owner/a-bert@v1.0")
    expected = convert(repository)
    for one, other in zip(preset.model.weights, expected.model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert preset.card["source"] == expected.card["source"] | {
        "name": "owner/a-bert",
        "address": "hf://owner/a-bert@v1.0",
        "revision": COMMIT,
    }
    assert preset.card["licence"] == "mit (model card)"
    assert [call[:3] for call in hub.calls[:2]] == [
        ("list", "owner/a-bert", "v1.0"),
        ("fetch", "owner/a-bert", "v1.0"),
    ]
    # Of the files only those that are read, and nothing elsewhere.
    fetched = fetch("hf://owner/a-bert").path
    names = {path.name for path in fetched.rglob("*")}
    assert names == {
        "config.json", "model.safetensors", "vocab.txt", "README.md", "[x]*.json"
    }  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "there"}


@pytest.mark.parametrize("beside, is_bare", [("README.md", True), ("b.pth", False)])
def test_a_bare_pickle_is_the_checkpoint(beside, is_bare, hub, tmp_path):
    hub.repositories["owner/detr"] = tmp_path / "there"
    (tmp_path / "there").mkdir()
    for name in ("ours.pth", beside):
        (tmp_path / "there" / name).touch()
    if is_bare:
        found = find_checkpoint("hf://owner/detr")
        assert (found.path.name, found.family.name) == ("ours.pth", "detr_authors")
        assert found.origin["name"] == "owner/detr"
        assert found.origin["revision"] == COMMIT
    else:
        assert fetch("hf://owner/detr").path.name == COMMIT


def test_without_a_network_the_cache_will_do(hub, repository):
    before = fetch("hf://owner/a-bert")
    hub.online = False
    for hub.keeps_lists in (True, False):
        with pytest.warns(HubWarning, match="a-bert is taken from the cache"):
            assert fetch("hf://owner/a-bert") == before


@pytest.mark.parametrize("keeps_lists", [True, False])
def test_half_a_checkpoint_in_the_cache_will_not_do(keeps_lists, hub, repository):
    folder = fetch("hf://owner/a-bert").path
    (folder / "vocab.txt").unlink()
    (folder.parents[1] / "blobs" / "0a1b.incomplete").touch()
    hub.online, hub.keeps_lists = False, keeps_lists
    with pytest.raises(ConnectionError, match="is not as a whole in the cache"):
        fetch("hf://owner/a-bert")


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), ValueError("a bad name"), 403, 500]
)
def test_the_cache_is_for_when_the_hub_does_not_answer(
    error, hub, repository, monkeypatch
):
    def fails(*_, **__):
        raise hub._error("HfHubHTTPError", error) if error in (403, 500) else error

    before = fetch("hf://owner/a-bert")
    monkeypatch.setattr(hub, "list_repo_files", fails)
    if error == 500:
        with pytest.warns(HubWarning, match="500"):
            assert fetch("hf://owner/a-bert") == before
    else:
        with pytest.raises(ConnectionError, match=r"cannot be fetched \("):
            fetch("hf://owner/a-bert")


def test_without_a_network_it_is_said_how_to_go_on(hub, run, tmp_path):
    hub.online = False
    code, out, err = run("convert", "hf://owner/a-bert", "--out", tmp_path / "mine")
    assert (code, out) == (1, "")
    assert "does not answer ([Errno -3] Temporary failure in name resolution)" in err
    assert "hf download owner/a-bert --local-dir a-bert" in err
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    "name, message",
    [
        ("RepositoryNotFoundError", "There is no hf://owner/a-bert"),
        ("RevisionNotFoundError", "There is no hf://owner/a-bert"),
        ("GatedRepoError", "accepts its terms"),
    ],
)
def test_what_the_hub_says_is_told_in_words(name, message, hub, monkeypatch):
    def refuse(*_, **__):
        raise hub._error(name, 404)

    monkeypatch.setattr(hub, "list_repo_files", refuse)
    with pytest.raises(ValueError, match=message):
        fetch("hf://owner/a-bert")


def test_without_the_client_it_is_said_what_to_install(monkeypatch):
    for name, source in (
        ("huggingface_hub", "hf://owner/name"),
        ("kagglehub", "kaggle://owner/bert/keras/tiny"),
    ):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match=rf"attention-zoo\[hub\].*{name}"):
            fetch(source)


@pytest.mark.parametrize(
    "address",
    [
        *("hf://name", "hf://a/b/c", "hf://a/..", "hf://../b", "hf://a/b@"),
        *("hf://a b/c", "kaggle://a/b/c", "kaggle://a/b/c/../d", "http://a/b"),
        "kaggle://a/b/c/d/e",
    ],
)
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(ValueError, match=r"is named|begins with"):
        fetch(address)


def test_an_address_is_read():
    assert repository_of("hf://Owner.x/my_name-1") == ("Owner.x/my_name-1", None)
    assert repository_of("hf://a/b@refs/pr/3") == ("a/b", "refs/pr/3")


@pytest.mark.parametrize(
    "names, weights",
    [
        (["model.safetensors", "pytorch_model.bin"], ["model.safetensors"]),
        (["pytorch_model.bin", "flax_model.msgpack"], ["pytorch_model.bin"]),
        (
            ["model-00001-of-00001.safetensors", "model.safetensors.index.json"],
            None,
        ),
        (
            ["pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json"],
            None,
        ),
        (["model.enpt.intgemm.alphas.bin", "vocab.enpt.spm"], None),
        (["onnx/model.safetensors", "../model.safetensors"], []),
    ],
)  # fmt: skip
def test_one_form_of_the_weights_is_fetched(names, weights):
    beside = ["config.json", "source.spm", "vocabulary/task.json", "LICENSE"]
    found = needed_files([*names, *beside, "a.py", "img/x.png", "vocabulary/../../x"])
    assert found == sorted([*beside, *(names if weights is None else weights)])


# Kaggle


def test_a_model_of_kaggle_is_what_its_client_fetches(monkeypatch, random, tmp_path):
    folder = checkpoints.write(tmp_path / "1", BERT, bert_arrays(random))
    asked = []
    client = types.ModuleType("kagglehub")
    client.model_download = lambda handle: asked.append(handle) or str(folder)
    monkeypatch.setitem(sys.modules, "kagglehub", client)
    source = convert("kaggle://owner/bert/keras/tiny/2").card["source"]
    assert asked == ["owner/bert/keras/tiny/2"]
    assert source["name"] == "owner/bert/keras/tiny/2"
    assert source["address"] == "kaggle://owner/bert/keras/tiny/2"

    def fails(handle):
        raise OSError("no route")

    client.model_download = fails
    with pytest.raises(ConnectionError, match=r"no route.*bring the folder here"):
        fetch("kaggle://owner/bert/keras/tiny")


# Presets


def test_commands_take_a_preset_from_the_hub(hub, repository, run, tmp_path):
    code, _, _ = run("convert", repository, "--out", tmp_path / "there" / "mine")
    hub.repositories["me/mine"] = tmp_path / "there" / "mine"
    assert code == 0
    code, out, _ = run("describe", "hf://me/mine")
    assert code == 0
    assert "text_classification_bert" in out
    assert load_preset("hf://me/mine").name == "me/mine"


def test_a_checkpoint_that_is_no_preset_is_to_be_converted(hub, repository):
    with pytest.raises(ValueError, match="another project: zoo convert"):
        zoo.load("hf://owner/a-bert")

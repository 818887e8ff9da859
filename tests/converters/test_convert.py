"""The contract of all families: what is recognised, what is refused, what is left."""

import json
import os
import pickle
import struct
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.converters import checkpoints, torch_files
from tests.converters.checkpoints import BERT, bert_arrays
from tests.converters.test_efficientnet_lite import checkpoint, found  # noqa: F401
from zoo.converters import convert
from zoo.converters.convert import FAMILIES, Checkpoint, find_checkpoint
from zoo.presets import load_preset
from zoo.weights import model_arrays, read_arrays

CARD = """---
language: en
license: apache-2.0
tags: [a, b]
datasets:
- one
---
# A model
license: mit
"""


@pytest.fixture
def folder(random, tmp_path):
    return checkpoints.write(tmp_path / "bert", BERT, bert_arrays(random))


def refused(source, message, kind=ValueError):
    with pytest.raises(kind, match=message):
        convert(source)


# Recognised


def test_no_two_families_are_one_and_none_raises(folder, tmp_path):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_bytes(b"\xff{")
    (tmp_path / "efficientnet-lite0-1.pth").touch()
    known = [family.name for family in FAMILIES]
    assert len(known) == len(set(known))
    for path in (tmp_path, tmp_path / "none", tmp_path / "odd", folder):
        names = [one.name for one in FAMILIES if one.recognises(path)]
        assert names == (["bert"] if path == folder else [])
    path = tmp_path / "efficientnet-lite0-1.pth"
    assert find_checkpoint(path).family.name == "efficientnet_lite"
    path = path.rename(tmp_path / "detr-r50.pth")
    assert find_checkpoint(path).family.name == "detr_authors"


def test_an_unknown_folder_is_told_what_each_family_looks_for(tmp_path):
    with pytest.raises(ValueError, match="of no family that is known here") as error:
        convert(tmp_path)
    for family in FAMILIES:
        assert f"\n  {family.name}: {family.looks_for}" in str(error.value)


# Provenance


def test_a_card_says_family_checksum_and_the_stated_licence(folder):
    import hashlib

    (folder / "README.md").write_text(CARD, encoding="utf-8")
    card = convert(folder).card
    octets = (folder / "model.safetensors").read_bytes()
    assert card["source"] == {
        "name": "bert",
        "architecture": "BertModel",
        "family": "bert",
        "weights_sha256": hashlib.sha256(octets).hexdigest(),
    }
    assert card["licence"] == "apache-2.0 (model card)"


@pytest.mark.parametrize(
    "files, licence",
    [
        ({}, "unknown: see the source"),
        ({"README.md": "license: mit\n"}, "unknown: see the source"),
        ({"README.md": "---\nlicense: mit\n"}, "unknown: see the source"),
        ({"LICENSE": "\n  MIT License\n\nCopyright"}, "MIT License (LICENSE)"),
        (
            {"README.md": "---\nlicense: 'other' # x\nlicense_name: own\n---\n"},
            "own (model card)",
        ),
    ],
)
def test_a_licence_is_looked_for_where_it_is_stated(files, licence, folder):
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert convert(folder).card["licence"] == licence


def test_each_shard_has_its_checksum(random, tmp_path):
    folder = checkpoints.write(tmp_path / "b", BERT, bert_arrays(random), shards=2)
    sums = convert(folder).card["source"]["weights_sha256"]
    assert sorted(sums) == [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]


# A pickle


class Creates:
    """Would create a file when it is loaded by `pickle`."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def write_bin(folder, content, index=False):
    folder.joinpath("model.safetensors").unlink()
    torch_files.write(folder / "pytorch_model.bin", content)
    if index:
        name = "pytorch_model-00001-of-00001.bin"
        (folder / "pytorch_model.bin").rename(folder / name)
        places = json.dumps({"weight_map": dict.fromkeys(content, name)})
        (folder / "pytorch_model.bin.index.json").write_text(places)


@pytest.mark.parametrize("index", [False, True])
def test_tensors_of_torch_are_read_without_torch(index, folder, random):
    expected = model_arrays(convert(folder).model)
    write_bin(folder, bert_arrays(np.random.default_rng(7)), index)
    preset = convert(folder)
    for name, array in model_arrays(preset.model).items():
        np.testing.assert_array_equal(array, expected[name])
    assert "torch" not in sys.modules or "torch" in BEFORE
    assert len(preset.card["source"]["weights_sha256"]) == 64


BEFORE = set(sys.modules)


def test_a_malicious_pickle_is_refused_by_name_and_creates_nothing(folder, tmp_path):
    created = tmp_path / "created"
    octets = pickle.dumps({"embeddings.weight": Creates(created)}, protocol=2)
    write_bin(folder, {})
    (folder / "pytorch_model.bin").write_bytes(octets)
    refused(folder, "is refused: it names .*open' to be imported")
    assert not created.exists()
    # The same inside of an archive of today's torch.
    (folder / "pytorch_model.bin").unlink()
    import zipfile

    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", octets)
    refused(folder, "is refused: it names .*open' to be imported")
    assert not created.exists()
    # It would have.
    pickle.loads(octets)["embeddings.weight"].close()
    assert created.exists()


def test_a_pickle_of_something_else_than_tensors_is_refused(folder):
    write_bin(folder, {"epoch": 3})
    refused(folder, "must hold tensors by name")


# Safetensors


def header(content: dict, numbers: bytes = b"") -> bytes:
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text + numbers


LIES = {
    "offsets outside of the file": header(
        {"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
    ),
    "offsets that go back": header(
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}, bytes(8)
    ),
    "a shape larger than its numbers": header(
        {"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, bytes(8)
    ),
    "a header longer than the file": struct.pack("<Q", 1 << 62) + b"{}",
    "an overflowing shape": header(
        {"a": {"dtype": "F32", "shape": [1 << 62, 1 << 62], "data_offsets": [0, 0]}}
    ),
    "no header": b"",
    "a header that is no JSON": struct.pack("<Q", 4) + b"nope",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused(lie, folder):
    (folder / "model.safetensors").write_bytes(LIES[lie])
    refused(folder, "model.safetensors is damaged or was not copied whole")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_file_cut_short_is_refused(share, folder):
    path = folder / "model.safetensors"
    octets = path.read_bytes()
    path.write_bytes(octets[: int(len(octets) * share)])
    refused(folder, "is damaged or was not copied whole")


NAME = "embeddings.word_embeddings.weight"


def numbers_of(kind):
    def change(arrays):
        arrays[NAME] = arrays[NAME].astype(kind)

    return change


def unfinite(value):
    def change(arrays):
        arrays[NAME][3, 5] = value

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (numbers_of("int64"), f"{NAME} is of int64, not of floats"),
        (numbers_of("bool"), f"{NAME} is of bool"),
        (unfinite(np.nan), f"{NAME} holds numbers that are not finite"),
        (unfinite(-np.inf), f"{NAME} holds numbers that are not finite"),
        (
            lambda arrays: arrays.update({NAME: arrays[NAME].T.copy()}),
            r"Of another shape: .* is \(12, 16\)",
        ),
    ],
)
def test_tensors_that_are_no_such_weights_are_refused(change, message, folder, random):
    arrays = bert_arrays(random)
    change(arrays)
    save_file(arrays, folder / "model.safetensors")
    refused(folder, message)


# Shards


@pytest.mark.parametrize(
    "name", ["../stolen.safetensors", "/etc/passwd", "a/b.safetensors", "..\\x", ".."]
)
def test_an_index_cannot_name_files_elsewhere(name, random, tmp_path):
    folder = checkpoints.write(tmp_path / "b", BERT, bert_arrays(random), shards=2)
    save_file(bert_arrays(random), tmp_path / "stolen.safetensors")
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"][NAME] = name
    path.write_text(json.dumps(index))
    refused(folder, "shards are beside their index")


@pytest.mark.parametrize("content", ["[]", '{"weight_map": [1]}', "{}", "nope"])
def test_an_index_of_another_form_is_refused(content, random, tmp_path):
    folder = checkpoints.write(tmp_path / "b", BERT, bert_arrays(random), shards=2)
    (folder / "model.safetensors.index.json").write_text(content)
    refused(folder, "weight_map|not readable JSON")


def test_a_tensor_in_two_shards_is_refused(random, tmp_path):
    arrays = bert_arrays(random)
    folder = checkpoints.write(tmp_path / "b", BERT, arrays, shards=2)
    for path in folder.glob("*-of-*"):
        own, _ = read_arrays(path)
        save_file(own | {NAME: arrays[NAME]}, path)
    refused(folder, f"{NAME} in two shards")


# Links


@pytest.mark.parametrize("name", ["vocab.txt", "model.safetensors", "more/LICENSE"])
def test_a_link_out_of_the_folder_is_refused(name, folder, tmp_path):
    (folder / "more").mkdir()
    path = folder / name
    if path.exists():
        path.rename(tmp_path / "elsewhere")
    else:
        (tmp_path / "elsewhere").touch()
    path.symlink_to("../elsewhere" if path.parent == folder else tmp_path / "elsewhere")
    refused(folder, f"{path} is a link that leads out of the folder")


def test_links_as_a_hub_s_cache_has_them_are_followed(folder, tmp_path):
    cache = tmp_path / "models--a--b"
    snapshot = cache / "snapshots" / ("f" * 40)
    snapshot.parent.mkdir(parents=True)
    (cache / "blobs").mkdir()
    folder.rename(snapshot)
    for number, path in enumerate(snapshot.iterdir()):
        path.rename(cache / "blobs" / str(number))
        path.symlink_to(f"../../blobs/{number}")
    assert convert(snapshot).card["source"]["family"] == "bert"


# Config


@pytest.mark.parametrize(
    "change, message",
    [
        ({"hidden_size": 10**12}, "Of another shape"),
        ({"intermediate_size": 10**12}, "Of another shape"),
        ({"num_hidden_layers": 10**12}, "num_hidden_layers=1000000000000, and there"),
        ({"max_position_embeddings": 10**12}, "Of another shape"),
        ({"type_vocab_size": 10**12}, "Of another shape"),
        ({"num_attention_heads": 10**12}, "num_heads|heads"),
        ({"num_attention_heads": 0}, "must say how many num_attention_heads"),
        ({"hidden_size": -3}, "must say how many hidden_size"),
        ({"hidden_size": True}, "must say how many hidden_size"),
        ({"hidden_size": "12"}, "must say how many hidden_size"),
        ({"hidden_size": None}, "must say how many hidden_size"),
        ({"hidden_act": {"a": 1}}, "is damaged, or not of the family bert"),
        ({"layer_norm_eps": "small"}, "epsilon"),
        ({"hidden_dropout_prob": [1]}, "dropout"),
        ({"architectures": 3}, "is damaged, or not of the family bert"),
    ],
)
def test_sizes_and_options_that_are_none_are_refused(change, message, folder):
    (folder / "config.json").write_text(json.dumps(BERT | change))
    refused(folder, message)


@pytest.mark.parametrize(
    "content, message",
    [
        ("[]", "must be an object of JSON. Received: list"),
        ("3", "must be an object of JSON. Received: int"),
        ("{", "not readable JSON"),
        ("[" * 100_000, "not readable JSON"),
        (" " * (17 << 20), "bytes: it is no config"),
    ],
)
def test_a_config_that_is_none_is_refused(content, message, folder):
    (folder / "config.json").write_text(content)
    refused(folder, message)


def test_a_config_of_another_family_is_refused(folder):
    config = BERT | {"model_type": "detr", "id2label": {"0": "cat"}}
    (folder / "config.json").write_text(json.dumps(config))
    refused(folder, "not those of a DETR")
    config = {"registered_name": "keras_hub>BertBackbone", "config": {}}
    (folder / "config.json").write_text(json.dumps(config))
    refused(folder, r"model\.weights\.h5")
    config["config"] = {"hidden_dim": 10**6, "vocabulary_size": 10**6}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.weights.h5").write_bytes(bytes(100))
    refused(folder, "asks for 5,000,003,000,000 weights")


# What is left


def test_a_preset_of_a_newer_version_is_refused_by_name(folder, run, tmp_path):
    run("convert", folder, "--out", tmp_path / "mine")
    path = tmp_path / "mine" / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"format": 2}))
    with pytest.raises(ValueError, match=r"another format than 1.*newer version"):
        load_preset(tmp_path / "mine")
    path.write_text(json.dumps(config | {"recipe": "translation_by_thought"}))
    with pytest.raises(ValueError, match="No recipe 'translation_by_thought'"):
        load_preset(tmp_path / "mine")


@pytest.mark.parametrize("place", ["vocabulary", "weights", "card"])
def test_nothing_is_left_of_a_preset_that_could_not_be_written(
    place, folder, run, monkeypatch, tmp_path
):
    """An older one stays as it was."""
    import zoo.presets

    names = {"weights": "write_arrays", "card": "write_json"}

    def fails(*_, **__):
        raise OSError("No space left on device")

    def write():
        if older:
            # The command overwrites nothing; what it calls may.
            with pytest.raises(OSError, match="No space left"):
                zoo.presets.save_preset(preset, tmp_path / "mine")
        else:
            code, _, _ = run("convert", folder, "--out", tmp_path / "mine")
            assert code == 1

    def state():
        return {
            path.relative_to(tmp_path): path.read_bytes()
            for path in tmp_path.rglob("*")
            if path.is_file()
        }

    # Of an older one, and of none.
    preset = convert(folder)
    monkeypatch.setattr(Checkpoint, "convert", lambda _: preset)
    for older in (False, True):
        before = state()
        with monkeypatch.context() as patch:
            if place == "vocabulary":
                patch.setattr(preset.task, "save", fails)
            else:
                patch.setattr(zoo.presets, names[place], fails)
            write()
        assert state() == before
        assert (tmp_path / "mine").exists() == older
        zoo.presets.save_preset(preset, tmp_path / "mine")


def test_a_killed_conversion_leaves_no_preset(folder, tmp_path):
    """What was begun beside it has a name that no preset has."""
    code = (
        "import os, sys, zoo.presets\n"
        "def die(*_, **__): os._exit(9)\n"
        "zoo.presets.write_arrays = die\n"
        f"sys.argv = ['zoo', 'convert', {str(folder)!r}, '--out', 'mine']\n"
        "from zoo.cli import main; main()\n"
    )
    pid = os.fork()
    if pid == 0:
        os.chdir(tmp_path)
        exec(code)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    names = sorted(path.name for path in tmp_path.iterdir())
    assert "mine" not in names
    assert [name for name in names if not name.startswith(".mine.")] == ["bert"]


# A backbone


def test_a_backbone_becomes_a_file_to_start_from(checkpoint, found, run, tmp_path):  # noqa: F811
    source = tmp_path / "efficientnet-lite0-5.pth"
    given = {
        name: np.asarray(array, "int64" if array.dtype.kind == "i" else "float32")
        for name, array in checkpoint.items()
    }
    torch_files.write(source, given)
    code, _, err = run("convert", source, "--out", tmp_path / "mine")
    assert code == 1
    assert "one that ends in .safetensors" in err
    code, out, _ = run("convert", source, "--out", tmp_path / "mine.safetensors")
    assert (code, out.strip()) == (0, str(tmp_path / "mine.safetensors"))
    arrays, card = read_arrays(tmp_path / "mine.safetensors")
    for name, array in found.items():
        np.testing.assert_allclose(arrays[name], array, rtol=1e-6)
    assert card["source"]["family"] == "efficientnet_lite"
    assert len(card["source"]["weights_sha256"]) == 64
    with pytest.raises(ValueError, match="is a backbone without a task"):
        import zoo

        zoo.convert(source)

"""Files of a version that are for whoever runs a server."""

import base64
import json
import re
import shlex
import subprocess

import pytest
import tensorflow as tf

from zoo.export import CLASSIFY, Exportable, export
from zoo.export.server_files import CARD
from zoo.files import BATCHING
from zoo.serving.batching_parameters import read_batching


def function(method, *specs):
    return tf.function(method, input_signature=specs, autograph=False)


def texts(name):
    return tf.TensorSpec([None], tf.string, name=name)


def classify(inputs):
    feature = {"text": tf.io.FixedLenFeature([], tf.string)}
    found = tf.io.parse_example(inputs, feature)["text"][:, None]
    return {"classes": found, "scores": tf.zeros_like(found, tf.float32)}


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    example = tf.train.Example()
    example.features.feature["text"].bytes_list.value.append(b"it's")
    pixels = tf.TensorSpec([None, None, 3], tf.uint8, name="pixels")
    signatures = {
        "serving_default": function(lambda texts: {"copies": texts}, texts("texts")),
        "pairs": function(
            lambda one, other: {"joined": one + other}, texts("one"), texts("other")
        ),
        "files": function(
            lambda files: {"sizes": tf.strings.length(files)}, texts("image_bytes")
        ),
        "from_pixels": function(
            lambda p: {"sums": tf.reduce_sum(tf.cast(p, tf.int32), axis=[1, 2])}, pixels
        ),
        "classify": function(classify, texts("inputs")),
    }
    samples = {
        "serving_default": {"texts": ["it's", "很好", "third"]},
        "pairs": {"one": ["a", "b"], "other": ["c", "d"]},
        "files": {"image_bytes": [b"\xff" * 1000]},
        "from_pixels": {"pixels": [[[1, 2, 3]] * 200]},
        "classify": {"inputs": [example.SerializeToString()]},
    }
    exportable = Exportable(
        *(tf.Module(), signatures, samples, {"task": "copying"}),
        environment={"TF_ENABLE_ONEDNN_OPTS": "1"},
        forms={"classify": CLASSIFY},
        meanings={"copies": "What was sent, as UTF-8."},
        largest_batch=7,
    )
    card = {
        "description": "It copies.",
        "licence": "MIT (weights)",
        "limits": "It does nothing else.",
        "data": {"sources": ["Nothing, https://example.org"]},
    }
    folder = tmp_path_factory.mktemp("exports") / "copier"
    return export(exportable, folder, card, server="2.18")


def commands(version) -> list[str]:
    card = (version / CARD).read_text(encoding="utf-8")
    return re.findall(r"^\$ (.*(?:curl).*)$", card, re.MULTILINE)


def body(command: str, folder) -> dict:
    """What the command sends, as a shell makes it."""
    shown = re.sub(r"curl -d @- \S+", "cat", command)
    shown = re.sub(r"curl -d (.*) \S+$", r"printf %s \1", shown)
    done = subprocess.run(
        ["sh", "-c", shown], capture_output=True, check=True, cwd=folder
    )
    return json.loads(done.stdout)


def test_its_commands_are_requests_by_rows_and_columns(version, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8" * 100)
    bodies = [body(command, tmp_path) for command in commands(version)]
    photo = {"b64": base64.b64encode(b"\xff\xd8" * 100).decode()}
    assert bodies == [
        {"instances": ["it's", "很好"]},
        {"inputs": {"texts": ["it's", "很好"]}},
        {
            "signature_name": "pairs",
            "instances": [{"one": "a", "other": "c"}, {"one": "b", "other": "d"}],
        },
        {"signature_name": "pairs", "inputs": {"one": ["a", "b"], "other": ["c", "d"]}},
        {"signature_name": "files", "instances": [photo]},
        {"signature_name": "files", "inputs": {"image_bytes": [photo]}},
        {"signature_name": "from_pixels", "instances": [[[0, 0, 0]]]},
        {"signature_name": "from_pixels", "inputs": {"pixels": [[[0, 0, 0]]]}},
        {"signature_name": "classify", "examples": [{"text": "it's"}]},
    ]


def test_its_commands_ask_the_model_by_its_folders_name(version):
    addresses = [shlex.split(command)[-1] for command in commands(version)]
    start = "http://localhost:8501/v1/models/copier:"
    assert addresses == [start + "predict"] * 8 + [start + "classify"]


def test_its_card_says_how_to_serve_what_it_means_and_whose_it_is(version):
    card = (version / CARD).read_text(encoding="utf-8")
    assert (
        "-e MODEL_NAME=copier -e TF_ENABLE_ONEDNN_OPTS=1 tensorflow/serving:2.18.0"
        in (card)
    )
    assert "docker run -p 127.0.0.1:8501:8501 -p 127.0.0.1:8500:8500 -v" in card
    assert "environment must have `TF_ENABLE_ONEDNN_OPTS=1`" in card
    assert "| output | `copies` | string | (any) | What was sent, as UTF-8. |" in card
    for words in ("It copies.", "MIT (weights)", "It does nothing else.", "- Nothing,"):
        assert words in card
    assert "2.12, 2.13, " in card


def test_its_batching_parameters_are_those_of_the_exportable(version):
    found = read_batching(version / BATCHING)
    assert found.max_batch_size == 7
    assert found.batch_timeout_micros == 5_000
    assert found.allowed_batch_sizes == ()


def test_a_loader_passes_over_the_servers_files(version):
    loaded = tf.saved_model.load(str(version))
    answer = loaded.signatures["serving_default"](texts=tf.constant(["x"]))
    assert answer["copies"].numpy().tolist() == [b"x"]

"""The client against the embedded server, over both protocols."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.client.canned import alignment
from tests.serving.tiny_exports import export_tiny
from zoo.client import Client, ServerError, TensorSpec
from zoo.plots import plot_alignment
from zoo.serving.model_config import ModelConfig, VersionPolicy
from zoo.serving.models import Models
from zoo.serving.server import Server

ROOT = Path(__file__).parents[2]
CODE = """
import json, sys
from zoo.client import Client

for number, url in enumerate(sys.argv[2:]):
    with Client(url, "aligner") as client:
        client.align("the cat").plot(f"{sys.argv[1]}/{number}.png", title="the cat")
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


class Aligner(tf.Module):
    """Answers the same to every text, as a translation model's export would."""

    def __init__(self):
        answer = alignment("with_alignment", {"texts": ["the cat"]})
        self.answer = {name: tf.constant(value) for name, value in answer.items()}

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, "texts")], autograph=False
    )
    def align(self, texts):
        return {
            name: tf.repeat(value, tf.size(texts), axis=0)
            for name, value in self.answer.items()
        }

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")],
        autograph=False,
    )
    def sizes(self, image_bytes):
        return {
            "sizes": tf.strings.length(image_bytes),
            "same_bytes": image_bytes,
        }


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    base = tmp_path_factory.mktemp("served")
    for version in (1, 2):
        export_tiny(base / "tiny", version)
    aligner = Aligner()
    signatures = {"serving_default": aligner.align, "with_alignment": aligner.align}
    signatures["sizes"] = aligner.sizes
    tf.saved_model.save(aligner, str(base / "aligner" / "1"), signatures)
    policy = VersionPolicy(every=True)
    configs = [ModelConfig("tiny", base / "tiny", policy, {"stable": 1})]
    configs.append(ModelConfig("aligner", base / "aligner"))
    with Server(Models(configs), rest_port=0, grpc_port=0) as server:
        yield [
            f"http://127.0.0.1:{server.rest_port}",
            f"grpc://127.0.0.1:{server.grpc_port}",
        ]


@pytest.fixture(params=["rest", "grpc"])
def connect(running, request):
    """Makes clients of a model over either protocol."""
    clients = []

    def connected(model, *version, **options):
        url = running[request.param == "grpc"]
        clients.append(Client(url, model, *version, **options))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def test_answers_are_those_of_the_model(connect):
    texts = ["", "很好，下次再来。", 'naïve 🙂\0\n"\\']
    found = connect("tiny", max_batch=2).predict({"text": texts})
    assert found["label"].tolist() == [f"{text}|2" for text in texts]
    lengths = np.array([len(text.encode()) for text in texts])
    np.testing.assert_array_equal(found["scores"], lengths[:, None] * [1, 0.5, 0.25])


def test_bytes_go_and_come_whole(connect):
    content = [bytes(range(256)), b"", b"\0\0"]
    found = connect("aligner").predict({"image_bytes": content}, "sizes")
    assert found["sizes"].tolist() == [256, 0, 2]
    assert found["same_bytes"].tolist() == content


def test_versions_and_labels_choose(connect):
    for choice, answer in (({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1)):
        client = connect("tiny", **choice)
        assert client.predict({"text": ["é"]})["label"].tolist() == [f"é|{answer}"]
        assert client.metadata().version == answer
    assert [(one.version, one.state) for one in connect("tiny").status()] == [
        (2, "AVAILABLE"),
        (1, "AVAILABLE"),
    ]


def test_signatures_are_told(connect):
    signature = connect("tiny").metadata().signatures["pictures"]
    assert signature.inputs == {
        "pixels": TensorSpec("float", (None, None)),
        "names": TensorSpec("string", (None,)),
    }


def test_single_outputs_scalars_filters_and_no_rows(connect):
    client = connect("tiny")
    numbers = {"numbers": np.array([1.5, 2.0], "float32")}
    assert client.predict(numbers, "total")["total"] == 3.5
    assert list(client.predict({"text": ["a"]}, outputs=["scores"])) == ["scores"]
    assert client.predict({"text": []})["label"].shape == (0,)


def test_refusals_come_in_the_servers_words(connect):
    for client, words in (
        (connect("nope"), "Servable not found for request: Latest(nope)"),
        (connect("tiny", 7), "Servable not found for request: Specific(tiny, 7)"),
        (connect("tiny", label="x"), "Unrecognized servable version label: x"),
    ):
        with pytest.raises(ServerError) as caught:
            client.predict({"text": ["a"]})
        assert caught.value.message == words
    with pytest.raises(ServerError, match=r"takes text: string \('\?',\)"):
        connect("tiny").predict({"txt": ["a"]})
    with pytest.raises(ServerError, match=r"Signatures of model 'tiny': checked, "):
        connect("tiny").predict({"text": ["a"]}, "nope")
    with pytest.raises(ServerError, match="Could not find any versions of model nope"):
        connect("nope").status()


def test_a_served_heatmap_is_drawn_by_a_process_without_tensorflow(running, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path), *running],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert not {"tensorflow", "tensorflow_serving", "keras"} & set(
        json.loads(done.stdout)
    )
    answer = alignment("with_alignment", {"texts": ["the cat"]})
    own = plot_alignment(
        answer["source_pieces"][0][:3],
        answer["target_pieces"][0][:3],
        answer["alignment"][0, :3, :3],
        tmp_path / "own.png",
        title="the cat",
    )
    for name in ("0.png", "1.png"):
        assert (tmp_path / name).read_bytes() == own.read_bytes()

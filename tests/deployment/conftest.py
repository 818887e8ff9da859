"""Folders that look like exports, which is all that a deployment looks at."""

import json

import pytest

from zoo.deployment import DeployedModel, Deployment


@pytest.fixture
def made_export(tmp_path):
    """Makes a base path with versions, which say of themselves what is given."""

    def make(name="translation", versions=(1,), batching=False, **manifest):
        base = tmp_path / "exports" / name
        for version in versions:
            folder = base / str(version)
            (folder / "assets.extra").mkdir(parents=True)
            (folder / "variables").mkdir()
            (folder / "saved_model.pb").write_bytes(b"graph of %d" % version)
            (folder / "variables" / "variables.index").write_bytes(b"index")
            path = folder / "assets.extra" / "zoo.json"
            path.write_text(json.dumps(manifest), encoding="utf-8")
            if batching:
                (folder / "batching_params.pbtxt").write_text("max_batch_size {}")
        return base

    return make


@pytest.fixture
def deployment(made_export):
    """Two models, of which one has labels and the other an environment."""
    signatures = {"serving_default": {"sample": {"texts": ["It's a cat.", "So."]}}}
    first = made_export("translation", (1, 2, 10), signatures=signatures)
    second = made_export("fast", environment={"TF_ENABLE_ONEDNN_OPTS": "1"})
    models = [
        DeployedModel("translation", first, {"stable": 2, "canary": 10}),
        DeployedModel("fast", second),
    ]
    return Deployment("shop-window", models, cpus=3, memory=5, replicas=7)


@pytest.fixture(scope="session")
def deployed_folder(tmp_path_factory):
    """A deployment of a real model that upper-cases texts, and of one for pairs.

    The first needs an operation of TF Text, and tells a variable of its environment.
    """
    import tensorflow as tf

    from zoo.deployment import write_deployment

    folder = tmp_path_factory.mktemp("deployed")
    texts = tf.TensorSpec([None], tf.string, name="texts")
    pairs = tf.TensorSpec([None], tf.string, name="text_pairs")
    _save(folder / "exports" / "loud" / "1", lambda texts: {"loud": texts}, texts)
    _save(folder / "exports" / "loud" / "10", _loud, texts)
    _save(folder / "exports" / "joined" / "1", _joined, texts, pairs)
    models = [
        DeployedModel(name, folder / "exports" / name) for name in ("loud", "joined")
    ]
    return write_deployment(Deployment("tiny", models), folder / "tiny")


def _save(folder, function, *specs):
    import tensorflow as tf

    module = tf.Module()
    function = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(folder), {"serving_default": function})


def _loud(texts):
    import tensorflow as tf
    import tensorflow_text

    # Without form NFKC the letter would have no capital.
    loud = tf.strings.upper(tensorflow_text.normalize_utf8(texts, "NFKC"))
    return {"loud": loud, "lengths": tf.strings.length(texts)}


def _joined(texts, text_pairs):
    return {"joined": texts + b"+" + text_pairs}

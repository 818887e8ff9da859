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

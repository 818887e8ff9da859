import base64
import json
import shlex
import subprocess

from zoo.deployment import DeployedModel
from zoo.deployment.example_request import example_request


def request_of(made_export, sample):
    signatures = {"serving_default": {"sample": sample}}
    return example_request(DeployedModel("it", made_export(signatures=signatures)))


def test_a_request_survives_the_shell(made_export):
    texts = ['It\'s a "cat" for $5 \\ 猫', "more"]
    words = shlex.split(request_of(made_export, {"texts": texts}))
    assert words[:3] == ["$", "curl", "-d"]
    assert json.loads(words[3]) == {"inputs": {"texts": texts[:1]}}
    assert words[4] == "localhost:8501/v1/models/it:predict"


def test_an_image_is_named_and_not_written_out(made_export, tmp_path):
    found = request_of(made_export, {"image_bytes": [{"b64": "aGk="}]})
    assert "aGk=" not in found
    assert "photo.jpg" in found and "-w" not in found
    (tmp_path / "photo.jpg").write_bytes(bytes(range(256)) * 7)
    made, _, _ = found.removeprefix("$ ").rpartition(" | curl")
    done = subprocess.run(["sh", "-c", made], cwd=tmp_path, capture_output=True)
    ((image,),) = json.loads(done.stdout)["inputs"].values()
    assert base64.b64decode(image["b64"]) == bytes(range(256)) * 7
    assert found.endswith("localhost:8501/v1/models/it:predict")


def test_a_foreign_model_is_asked_for_its_inputs(made_export):
    base = made_export()
    (base / "1" / "assets.extra" / "zoo.json").unlink()
    found = example_request(DeployedModel("it", base))
    assert found == "$ curl localhost:8501/v1/models/it/metadata"


def test_a_sample_that_fills_a_page_is_left_out(made_export):
    assert request_of(made_export, {"texts": ["x" * 997]}).endswith("/metadata")

import json
import shlex

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


def test_an_image_is_named_and_not_written_out(made_export):
    found = request_of(made_export, {"image_bytes": [{"b64": "aGk="}]})
    assert "aGk=" not in found
    assert "photo.jpg" in found
    assert found.endswith("localhost:8501/v1/models/it:predict")


def test_a_foreign_model_is_asked_for_its_inputs(made_export):
    base = made_export()
    (base / "1" / "assets.extra" / "zoo.json").unlink()
    found = example_request(DeployedModel("it", base))
    assert found == "$ curl localhost:8501/v1/models/it/metadata"


def test_a_sample_that_fills_a_page_is_left_out(made_export):
    assert request_of(made_export, {"texts": ["x" * 997]}).endswith("/metadata")

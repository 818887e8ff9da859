import ast
import json
import math

import pytest

from zoo.deployment import DeployedModel, Deployment
from zoo.deployment.rendering import render


@pytest.fixture
def texts(deployment):
    return render(deployment)


def documents(text):
    yaml = pytest.importorskip("yaml")
    return [document for document in yaml.safe_load_all(text) if document]


def by_kind(texts):
    return {one["kind"]: one for one in documents(texts["kubernetes.yaml"])}


def test_no_field_is_left_in_any_file(texts):
    for path, text in texts.items():
        assert "{{" not in text.replace("{{ $labels.", ""), path


def test_scripts_are_python_without_this_package(texts):
    for path in ("ray_app.py", "beam_job.py"):
        for node in ast.walk(ast.parse(texts[path])):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] != "zoo" for alias in node.names)
            if isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] != "zoo"


def test_ray_makes_no_array_larger_than_a_request_may_be(texts):
    import tensorflow as tf

    tree = ast.parse(texts["ray_app.py"])
    (function,) = (
        node for node in tree.body if getattr(node, "name", "") == "from_proto"
    )
    names = {"math": math, "MOST_BYTES": 1000}
    exec(compile(ast.Module([function], []), "ray_app.py", "exec"), names)
    read = names["from_proto"]
    for values in (["é", ""], [[1.5, 2.5]], [True]):
        proto = tf.make_tensor_proto(values)
        assert read("x", proto).tolist() == tf.make_ndarray(proto).tolist()
    for value, most in ((b"", 125), (0.5, 250), (True, 1000)):
        proto = tf.make_tensor_proto(value)
        proto.tensor_shape.dim.add(size=most)
        assert read("x", proto).shape == (most,)
        proto.tensor_shape.dim[0].size += 1
        with pytest.raises(ValueError, match="x is no tensor: more than 1000 bytes"):
            read("x", proto)
    proto.tensor_shape.dim[0].size = -1
    with pytest.raises(ValueError, match="x has no shape"):
        read("x", proto)


def test_the_servers_own_reader_reads_models_config(texts):
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    found = text_format.Parse(texts["config/models.config"], ModelServerConfig())
    one, two = found.model_config_list.config
    assert (one.name, one.base_path) == ("translation", "/models/translation")
    assert one.model_platform == two.model_platform == "tensorflow"
    assert list(one.model_version_policy.specific.versions) == [2, 10]
    assert dict(one.version_labels) == {"stable": 2, "canary": 10}
    assert (two.name, two.base_path) == ("fast", "/models/fast")
    assert two.model_version_policy.latest.num_versions == 1
    assert not two.version_labels


def test_zoo_serve_reads_the_same_configuration(texts, tmp_path):
    from zoo.serving.model_config import read_models

    path = tmp_path / "models.config"
    path.write_text(texts["config/models.config"], encoding="utf-8")
    one, two = read_models(path)
    assert one.policy.choose([1, 2, 3, 10]) == [10, 2]
    assert one.labels == {"stable": 2, "canary": 10}
    assert two.policy.choose([1, 2]) == [2]


def test_the_environment_reaches_every_way_of_serving(texts):
    assert "\nTF_ENABLE_ONEDNN_OPTS=1\n" in texts["environment"]
    assert '\nENV TF_ENABLE_ONEDNN_OPTS="1"\n' in texts["Dockerfile"]
    services = documents(texts["kserve.yaml"])
    found = [one["spec"]["predictor"]["model"]["env"] for one in services]
    assert found == [[], [{"name": "TF_ENABLE_ONEDNN_OPTS", "value": "1"}]]


def test_the_server_is_reached_from_its_host_alone(texts):
    (compose,) = documents(texts["compose.yaml"])
    for service in compose["services"].values():
        for port in service["ports"]:
            assert port.startswith(("127.0.0.1:", "${PROXY_ADDRESS:-127.0.0.1}:"))
    volumes = compose["services"]["serving"]["volumes"]
    assert volumes == ["./models:/models:ro", "./config:/config:ro"]


def test_every_way_starts_the_server_with_the_same_flags(texts, deployment):
    (compose,) = documents(texts["compose.yaml"])
    serving = compose["services"]["serving"]
    _, _, command = texts["Dockerfile"].partition("\nCMD ")
    assert serving["command"] == deployment.flags
    assert json.loads(command.replace("\\\n", "")) == deployment.flags
    limits = serving["deploy"]["resources"]["limits"]
    assert (limits["cpus"], limits["memory"]) == ("3", "5G")


def test_docker_asks_for_every_model(texts):
    (compose,) = documents(texts["compose.yaml"])
    asked = ["bash", "/config/healthy.sh", "translation", "fast"]
    health = compose["services"]["serving"]["healthcheck"]["test"]
    assert health == ["CMD", *asked]
    assert f"CMD {json.dumps(asked)}\n" in texts["Dockerfile"]


def test_kubernetes_objects_fit_together(texts):
    found = by_kind(texts)
    spec = found["Deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/name": "shop-window"}
    assert found["Service"]["spec"]["selector"] == labels
    assert spec["selector"]["matchLabels"] == labels
    budget = found["PodDisruptionBudget"]["spec"]
    assert budget["selector"]["matchLabels"] == labels
    policy = found["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    scaler = found["HorizontalPodAutoscaler"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (7, 28)
    (container,) = spec["template"]["spec"]["containers"]
    named = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in found["Service"]["spec"]["ports"]} == named
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked == {"path": "/v1/models/translation", "port": "rest"}


def test_a_pod_is_told_to_stop_only_after_requests_went_elsewhere(texts):
    pod = by_kind(texts)["Deployment"]["spec"]["template"]["spec"]
    wait = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1]
    assert int(wait) < pod["terminationGracePeriodSeconds"]


def test_each_model_is_a_service_of_kserve(texts):
    services = documents(texts["kserve.yaml"])
    assert [one["metadata"]["name"] for one in services] == ["translation", "fast"]
    for one in services:
        model = one["spec"]["predictor"]["model"]
        assert model["runtimeVersion"] == "2.20.0"
        assert model["storageUri"].endswith(f"/models/{one['metadata']['name']}")


def test_kserve_batches_only_models_that_say_how(made_export):
    own = DeployedModel("own", made_export("own", batching=True))
    none = DeployedModel("none", made_export("none"))
    services = documents(render(Deployment("a", [own, none]))["kserve.yaml"])
    args = [one["spec"]["predictor"]["model"]["args"] for one in services]
    assert ["--enable_batching=true" in one for one in args] == [True, False]


def test_batching_is_said_once(made_export):
    own = DeployedModel("own", made_export("own", batching=True))
    none = DeployedModel("none", made_export("none"))
    path = "config/batching_params.pbtxt"
    mixed = render(Deployment("a", [own, none], cpus=5))[path]
    alone = render(Deployment("a", [none], cpus=5))[path]
    settings = [
        {line.split(" ")[0] for line in text.splitlines() if line[0] != "#"}
        for text in (mixed, alone)
    ]
    assert settings[0] == {"num_batch_threads"}
    assert settings[1] > {"num_batch_threads", "max_batch_size"}
    assert "num_batch_threads { value: 5 }" in mixed
    assert "num_batch_threads { value: 5 }" in alone


@pytest.mark.parametrize("own", [True, False])
def test_zoo_serve_reads_how_to_batch(made_export, tmp_path, own):
    from zoo.serving.batching_parameters import read_batching

    model = DeployedModel("it", made_export(batching=own))
    path = tmp_path / "batching_params.pbtxt"
    found = render(Deployment("a", [model], cpus=5))["config/batching_params.pbtxt"]
    path.write_text(found, encoding="utf-8")
    parameters = read_batching(path)
    assert parameters.num_batch_threads == 5
    assert own or parameters.max_batch_size == 64


def test_the_readme_names_every_file(texts):
    readme = texts["README.md"]
    for path in texts.keys() - {"README.md", ".dockerignore"}:
        assert f"`{path}`" in readme, path


def test_the_readme_asks_the_first_model(texts):
    assert (
        '$ curl -d \'{"inputs": {"texts": ["It\'"\'"\'s a cat."]}}\''
        in (texts["README.md"])
    )
    assert "10 as `canary`, 2 as `stable`" in texts["README.md"]

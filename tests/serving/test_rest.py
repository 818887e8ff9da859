import json

import httpx
import pytest

PREDICT = "/v1/models/tiny:predict"


@pytest.fixture(scope="module")
def rest(recorded_server):
    address = f"http://127.0.0.1:{recorded_server.rest_port}"
    with httpx.Client(base_url=address, timeout=20) as client:
        yield client


def _error(answer):
    return answer.status_code, answer.json()["error"]


def test_paths_are_of_any_case_but_what_is_asked_for_is_not(rest):
    assert rest.get("/V1/Models/tiny").status_code == 200
    body = {"instances": ["bad"]}
    assert rest.post("/V1/MODELS/tiny:predict", json=body).status_code == 200
    assert rest.post("/v1/models/TINY:predict", json=body).status_code == 404
    assert rest.post("/v1/models/tiny:Predict", json=body).status_code == 400


def test_names_and_labels_may_be_escaped(rest):
    assert rest.get("/v1/models/t%69ny").status_code == 200
    assert rest.get("/v1/models/a%2Fb").json() == {
        "error": "Could not find any versions of model a/b"
    }
    labelled = rest.post(
        "/v1/models/multi/labels/c%61nary:predict", json={"inputs": ["bad"]}
    )
    assert labelled.status_code == 200


def test_versions_and_labels_choose_who_answers(rest):
    for path, version in [
        ("/v1/models/multi/metadata", "2"),
        ("/v1/models/multi/labels/stable/metadata", "1"),
        ("/v1/models/multi/versions/1/metadata", "1"),
    ]:
        assert rest.get(path).json()["model_spec"]["version"] == version


def test_a_version_that_is_no_number_of_64_bits_is_refused(rest):
    for number in ("9" * 19, "9" * 30, "9" * 5000, "0" * 5000 + "1"):
        assert _error(rest.get(f"/v1/models/tiny/versions/{number}")) == (
            400,
            f"Failed to convert version: {number} to numeric.",
        )
    largest = f"/v1/models/tiny/versions/{2**63 - 1}"
    assert rest.get(largest).status_code == 404
    assert rest.get("/v1/models/tiny/versions/0001").status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "PATCH"])
def test_other_methods_are_malformed_requests(rest, method):
    answer = rest.request(method, "/v1/models/tiny")
    assert answer.status_code == 400
    if method != "HEAD":
        assert _error(answer)[1] == f"Malformed request: {method} /v1/models/tiny"
    else:
        assert answer.content == b""


def test_what_is_outside_of_the_interface_is_a_page(rest):
    for path in ("/", "/v1", "/v2/models/tiny", "/favicon.ico"):
        answer = rest.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "text/html"


def test_a_faulty_body_goes_before_a_missing_model(rest):
    assert _error(rest.post("/v1/models/nope:predict", content=b"{"))[0] == 400
    body = {"instances": ["a"]}
    assert _error(rest.post("/v1/models/nope:predict", json=body))[0] == 404


def test_the_initialisation_is_no_signature_to_ask(rest):
    body = {"signature_name": "__saved_model_init_op", "inputs": []}
    assert _error(rest.post(PREDICT, json=body)) == (
        400,
        "Failed to get input map for signature: __saved_model_init_op",
    )


def test_the_metadata_is_the_signatures_with_every_field(rest):
    answer = rest.get("/v1/models/multi/metadata").json()
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert signatures["classify"]["method_name"] == "tensorflow/serving/classify"
    assert signatures["classify"]["inputs"] == {
        "inputs": {
            "name": "classify_inputs:0",
            "dtype": "DT_STRING",
            "tensor_shape": {
                "dim": [{"size": "-1", "name": ""}],
                "unknown_rank": False,
            },
        }
    }
    assert all(signature["defaults"] == {} for signature in signatures.values())


def test_requests_are_counted_but_not_names_that_clients_make_up(rest):
    def count(model, status):
        start = f':tensorflow:serving:request_count{{model_name="{model}"'
        start += f',status="{status}"}} '
        lines = rest.get("/monitoring/prometheus/metrics").text.splitlines()
        found = [line.removeprefix(start) for line in lines if line.startswith(start)]
        return float(found[0]) if found else 0

    before = count("tiny", "OK"), count("", "NOT_FOUND")
    for name in ("tiny", "made_up", "made_up_too"):
        rest.post(f"/v1/models/{name}:predict", json={"instances": ["bad"]})
    assert (count("tiny", "OK"), count("", "NOT_FOUND")) == (
        before[0] + 1,
        before[1] + 2,
    )
    assert "made_up" not in rest.get("/monitoring/prometheus/metrics").text


def test_loads_and_runs_are_counted_but_not_the_warm_up(rest):
    def lines():
        return rest.get("/monitoring/prometheus/metrics").text.splitlines()

    loads = [of for of in lines() if of.startswith(":tensorflow:cc:saved_model:load_a")]
    assert len(loads) == 3
    assert all(of.endswith(',status="success"} 1.0') for of in loads)

    def sums():
        start = 'zoo_serving_batch_size_sum{model_name="multi"} '
        return sum(float(of.split()[1]) for of in lines() if of.startswith(start))

    before = sums()
    rest.post("/v1/models/multi:predict", json={"instances": ["a"] * 5})
    assert sums() == before + 5


def test_answers_are_json_for_any_reader(rest):
    body = {"signature_name": "normalize", "inputs": [{"b64": "//4="}, "\u2028\0å"]}
    answer = rest.post(PREDICT, json=body)
    assert json.loads(answer.content.decode("utf-8"))["outputs"][1] == "\u2028\0å"

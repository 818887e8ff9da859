"""What both protocols do, against servers that answer and misbehave as told."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.client.stand_ins import aborting, failing, resetting
from zoo.client import Client, Retries, ServerError, TensorSpec

SIGNATURES = {
    "serving_default": (
        {"texts": ("DT_STRING", [-1])},
        {"scores": ("DT_FLOAT", [-1, 3]), "texts": ("DT_STRING", [-1])},
    ),
    "length": ({"texts": ("DT_STRING", [-1])}, {"lengths": ("DT_INT32", [-1])}),
}
WITHOUT_RETRY = Retries(0)


def echo(signature, inputs):
    """Texts as they came, and their lengths three times."""
    texts = inputs["texts"]
    lengths = [len(text) for text in texts]
    if signature == "length":
        return {"lengths": np.array(lengths, "int32")}
    scores = np.array([[length, 0.5, -1] for length in lengths], "float32")
    return {"texts": texts, "scores": scores.reshape(-1, 3)}


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def patient(server, pauses):
    """A client that tries twice again, without waiting."""
    server.answer, server.metadata = echo, SIGNATURES
    retries = Retries(2, sleep=pauses.append, draw=lambda: 1.0)
    with Client(server.url, "tiny", retries=retries, timeout=20) as client:
        yield client


def unavailable(server, words="busy"):
    is_rest = server.url.startswith("http")
    return failing(503, words) if is_rest else aborting("UNAVAILABLE", words)


def refusing(server, words="wrong", code="INVALID_ARGUMENT", status=400):
    is_rest = server.url.startswith("http")
    return failing(status, words) if is_rest else aborting(code, words)


def test_text_in_any_script_makes_the_round_trip(server, patient):
    texts = ["", "Where is the cat?", "很好，下次再来。", 'naïve 🙂\0\n\t"\\', "\u2028"]
    found = patient.predict({"texts": texts})
    assert server.asked == [("serving_default", {"texts": texts})]
    assert found["texts"].tolist() == texts
    assert found["scores"].shape == (5, 3)
    assert found["scores"][2].tolist() == [8, 0.5, -1]


def test_an_output_that_is_alone_has_its_name(server, patient):
    for _ in range(2):
        found = patient.predict({"texts": ["ab", "c"]}, "length")
        assert {name: value.tolist() for name, value in found.items()} == {
            "lengths": [2, 1]
        }
    # Answers over REST leave the name out; metadata is asked for it once.
    assert len(server.requests) == (3 if server.url.startswith("http") else 2)


def test_only_what_is_wanted_is_given(patient):
    assert list(patient.predict({"texts": ["a"]}, outputs=["texts"])) == ["texts"]


def test_no_rows_are_asked_and_answered(patient):
    found = patient.predict({"texts": []})
    assert found["texts"].shape == (0,)


def test_large_batches_go_in_parts_and_come_back_in_order(server):
    server.answer = echo
    texts = [chr(97 + number) * number for number in range(7)]
    with Client(server.url, "tiny", max_batch=3) as client:
        found = client.predict({"texts": texts})
    assert [len(inputs["texts"]) for _, inputs in server.asked] == [3, 3, 1]
    assert found["texts"].tolist() == texts
    assert found["scores"][:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_metadata_names_types_and_shapes(patient):
    found = patient.metadata()
    assert (found.model, found.version) == ("tiny", 3)
    assert list(found.signatures) == ["length", "serving_default"]
    signature = found.signatures["serving_default"]
    assert signature.inputs == {"texts": TensorSpec("string", (None,))}
    assert signature.outputs["scores"] == TensorSpec("float", (None, 3))
    assert str(signature.outputs["scores"]) == "float ('?', 3)"
    assert signature.method == "tensorflow/serving/predict"


@pytest.mark.parametrize("failures", [1, 2])
def test_a_busy_server_is_asked_again(server, patient, pauses, failures):
    server.steps = [unavailable(server)] * failures
    assert patient.predict({"texts": ["a"]})["texts"].tolist() == ["a"]
    assert pauses == [0.1, 0.2][:failures]


def test_a_server_that_stays_busy_is_given_up(server, patient, pauses):
    server.steps = [unavailable(server, "one"), unavailable(server, "two")]
    server.steps.append(unavailable(server, "three"))
    with pytest.raises(ServerError, match="three") as caught:
        patient.predict({"texts": ["a"]})
    assert caught.value.code == "UNAVAILABLE"
    assert caught.value.message == "three"
    assert len(pauses) == 2
    assert "Tried 3 times" in str(caught.value)


def test_where_nobody_listens_is_tried_again_and_told(server, pauses):
    address = server.url.rpartition(":")[0] + ":9"
    retries = Retries(2, sleep=pauses.append, draw=lambda: 1.0)
    with (
        Client(address, "tiny", retries=retries) as client,
        pytest.raises(ServerError, match=r"refused.*server running") as caught,
    ):
        client.predict({"texts": ["a"]})
    assert caught.value.code == "UNAVAILABLE"
    assert caught.value.status is None
    assert address in str(caught.value)
    assert pauses == [0.1, 0.2]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("INVALID_ARGUMENT", 400),
        ("UNAUTHENTICATED", 401),
        ("PERMISSION_DENIED", 403),
        ("NOT_FOUND", 404),
        ("RESOURCE_EXHAUSTED", 429),
        ("INTERNAL", 500),
        ("UNIMPLEMENTED", 501),
        ("DEADLINE_EXCEEDED", 504),
    ],
)
def test_other_errors_come_at_once_in_the_servers_words(
    server, patient, pauses, code, status
):
    server.steps = [refusing(server, f"That is {code}.", code, status)]
    with pytest.raises(ServerError) as caught:
        patient.predict({"texts": ["a"]})
    assert caught.value.code == code
    assert caught.value.message == f"That is {code}."
    assert caught.value.status == (status if server.url.startswith("http") else None)
    assert pauses == []
    assert server.asked == []


def test_a_wrong_model_is_told_with_what_was_asked(server):
    words = "Servable not found for request: Specific(nope, 7)"
    server.steps = [refusing(server, words, "NOT_FOUND", 404)]
    with (
        Client(server.url, "nope", 7) as client,
        pytest.raises(ServerError) as caught,
    ):
        client.predict({"texts": ["a"]})
    assert caught.value.message == words
    shown = str(caught.value)
    assert "model 'nope', version 7" in shown
    assert server.url in shown
    assert "status()" in shown


def test_wrong_inputs_are_told_with_what_was_expected(server, patient):
    server.steps = [refusing(server, "Expects arg[0] to be string")]
    with pytest.raises(ServerError, match=r"Expects arg\[0\]") as caught:
        patient.predict({"ids": [[1.5, 2.5]]})
    assert "takes texts: string ('?',)" in caught.value.hint
    assert "Sent was ids: float32 (1, 2)" in caught.value.hint


def test_a_wrong_signature_is_told_with_those_there_are(server, patient):
    words = 'Serving signature key "nope" not found.'
    server.steps = [refusing(server, words, "FAILED_PRECONDITION", 400)]
    with pytest.raises(ServerError, match="length, serving_default"):
        patient.predict({"texts": ["a"]}, "nope")


def test_a_refusal_stands_where_the_server_says_no_more(server, patient):
    server.steps = [refusing(server, "wrong"), refusing(server, "no metadata either")]
    with pytest.raises(ServerError) as caught:
        patient.predict({"texts": ["a"]})
    assert caught.value.message == "wrong"
    assert caught.value.hint == ""


def test_a_server_that_hangs_is_left_in_time(server):
    def hanging(_):
        server.released.wait(5)

    server.steps = [hanging]
    retries = Retries(4, sleep=lambda _: pytest.fail("a deadline is no chance"))
    with (
        Client(server.url, "tiny", timeout=0.2, retries=retries) as client,
        pytest.raises(ServerError, match=r"in time.*timeout") as caught,
    ):
        client.predict({"texts": ["a"]})
    assert caught.value.code == "DEADLINE_EXCEEDED"


def test_each_thread_gets_its_own_answers(server):
    server.answer = echo
    start = threading.Barrier(8)

    def ask(number):
        start.wait(10)
        return [
            client.predict({"texts": [f"{number} {turn}"]})["texts"].tolist()
            for turn in range(5)
        ]

    with Client(server.url, "tiny") as client, ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8)))
    assert found == [[[f"{number} {turn}"] for turn in range(5)] for number in range(8)]
    assert len(server.asked) == 40


def test_headers_go_with_each_request(server):
    server.answer = echo
    headers = {"Authorization": "Bearer key"}
    with Client(server.url, "tiny", headers=headers) as client:
        client.predict({"texts": ["a"]})
    place = 2 if server.url.startswith("http") else 1
    sent = {name.lower(): value for name, value in server.requests[0][place].items()}
    assert sent["authorization"] == "Bearer key"


def test_a_closed_client_says_so(server):
    client = Client(server.url, "tiny")
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.predict({"texts": ["a"]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": None},
        {"timeout": True},
        {"max_batch": 0},
        {"max_batch": 2.5},
        {"retries": -1},
    ],
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="Received"):
        Client("http://localhost:8501", "tiny", **wrong)


def test_a_reset_connection_is_tried_again(rest):
    rest.answer = echo
    rest.steps = [resetting]
    retries = Retries(1, sleep=lambda _: None)
    with Client(rest.url, "tiny", retries=retries) as client:
        assert client.predict({"texts": ["a"]})["texts"].tolist() == ["a"]
    assert len(rest.requests) == 2

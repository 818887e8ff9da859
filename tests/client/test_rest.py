"""What is of REST alone."""

import base64
import json
import threading

import httpx
import pytest

from tests.client.stand_ins import failing
from zoo.client import Client, Retries, ServerError, VersionStatus

STATUS = b"""{
 "model_version_status": [
  {"version": "2", "state": "LOADING",
   "status": {"error_code": "OK", "error_message": ""}},
  {"version": "1", "state": "END",
   "status": {"error_code": "NOT_FOUND", "error_message": "no file"}}
 ]
}
"""
ANSWER = b'{"outputs": {"texts": ["a"], "scores": [0.5]}}'


def ask(rest, model="tiny", pauses=None, **options):
    """One request for a prediction, with pauses noted and not slept."""
    sleep = [].append if pauses is None else pauses.append
    retries = Retries(2, sleep=sleep, draw=lambda: 1.0)
    with Client(rest.url, model, retries=retries, **options) as client:
        return client.predict({"texts": ["a"]})


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "/v1/models/tiny:predict"),
        ({"version": 3}, "/v1/models/tiny/versions/3:predict"),
        ({"label": "stable"}, "/v1/models/tiny/labels/stable:predict"),
        (
            {"model": "a/b c", "label": "ü"},
            "/v1/models/a%2Fb%20c/labels/%C3%BC:predict",
        ),
    ],
)
def test_a_prediction_is_asked_as_the_protocol_says(rest, options, path):
    rest.steps = [(200, ANSWER)]
    ask(rest, **options)
    ((method, asked, headers, body),) = rest.requests
    assert (method, asked) == ("POST", path)
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "signature_name": "serving_default",
        "inputs": {"texts": ["a"]},
    }


def test_a_path_before_the_api_is_kept(rest):
    rest.steps = [(200, ANSWER)]
    with Client(f"{rest.url}/proxied/", "tiny") as client:
        client.predict({"texts": ["a"]})
    assert rest.requests[0][1] == "/proxied/v1/models/tiny:predict"


def test_bytes_go_in_base64(rest):
    rest.steps = [(200, ANSWER)]
    with Client(rest.url, "tiny") as client:
        client.predict({"image_bytes": [b"\x89PNG\0\xff"]})
    (sent,) = json.loads(rest.requests[0][3])["inputs"]["image_bytes"]
    assert base64.b64decode(sent["b64"]) == b"\x89PNG\0\xff"


def test_bytes_come_out_of_base64(rest):
    rest.steps = [(200, b'{"outputs": {"a_bytes": [{"b64": "/wA="}], "n": [1]}}')]
    assert ask(rest)["a_bytes"].tolist() == [b"\xff\0"]


def test_numbers_that_are_none_are_read(rest):
    rest.steps = [(200, b'{"outputs": {"n": [1], "x": [NaN, Infinity, -Infinity]}}')]
    assert str(ask(rest)["x"].tolist()) == "[nan, inf, -inf]"


def test_what_is_no_text_comes_back_whole(rest):
    rest.steps = [(200, b'{"outputs": {"n": [1], "texts": ["a\xff"]}}')]
    (text,) = ask(rest)["texts"]
    assert text.encode("utf-8", "surrogateescape") == b"a\xff"


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "/v1/models/tiny"),
        ({"version": 2}, "/v1/models/tiny/versions/2"),
        ({"label": "stable"}, "/v1/models/tiny"),
    ],
)
def test_status_is_of_all_versions_or_of_one(rest, options, path):
    rest.steps = [(200, STATUS)]
    with Client(rest.url, "tiny", **options) as client:
        assert client.status() == [
            VersionStatus(2, "LOADING", "OK", ""),
            VersionStatus(1, "END", "NOT_FOUND", "no file"),
        ]
    assert rest.requests[0][:2] == ("GET", path)


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_says_when_to_come_back_is_believed(rest, status):
    rest.steps = [failing(status, Retry_After="7"), (200, ANSWER)]
    pauses = []
    ask(rest, pauses=pauses)
    assert pauses == [7.1]


def test_a_date_to_come_back_at_is_read(rest):
    rest.steps = [failing(503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")]
    rest.steps += [failing(503, Retry_After="Fri, 01 Jan 2100 00:00:00 GMT")]
    pauses = []
    with pytest.raises(ServerError, match="Tried 2 times"):
        ask(rest, pauses=pauses)
    assert pauses == [0.1]


def test_a_server_that_wants_us_back_too_late_is_not_waited_for(rest):
    rest.steps = [failing(429, "quota", Retry_After="3600")]
    pauses = []
    with pytest.raises(ServerError, match=r"RESOURCE_EXHAUSTED \(429\): quota"):
        ask(rest, pauses=pauses)
    assert pauses == []


@pytest.mark.parametrize("header", ["soon", "nan", "", "inf"])
def test_too_many_requests_without_a_time_are_not_repeated(rest, header):
    rest.steps = [failing(429, "quota", Retry_After=header)]
    pauses = []
    with pytest.raises(ServerError, match="quota"):
        ask(rest, pauses=pauses)
    assert pauses == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"outputs": {"n": [1', "is no JSON"),
        (b"", "is no JSON"),
        (b"null", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b'{"predictions": [1]}', "no outputs in"),
        (b"[1]", "no outputs in"),
        (b'{"outputs": {"n": [[1], [2, 3]], "m": [1]}}', "'n' is no even array"),
    ],
)
def test_an_answer_that_is_none_is_told(rest, content, words):
    rest.steps = [(200, content)]
    with pytest.raises(ServerError, match=words) as caught:
        ask(rest)
    assert caught.value.code == "INTERNAL"


@pytest.mark.parametrize(
    "content", [b"{}", b"[]", b'{"model_version_status": [{"version": "1"}]}', b"3"]
)
def test_a_status_that_is_none_is_told(rest, content):
    rest.steps = [(200, content)] * 2
    with Client(rest.url, "tiny") as client:
        with pytest.raises(ServerError, match="no status in"):
            client.status()
        with pytest.raises(ServerError, match="no metadata in"):
            client.metadata()


def test_a_page_is_no_answer(rest):
    page = b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD></HTML>\n"
    rest.steps = [lambda handler: handler.reply(404, page, Content_Type="text/html")]
    with pytest.raises(ServerError) as caught:
        ask(rest)
    assert (caught.value.code, caught.value.status) == ("NOT_FOUND", 404)
    shown = str(caught.value)
    assert "text/html" in shown
    assert "<TITLE>404 Not Found</TITLE>" in shown
    assert f"{rest.url}/v1/models/tiny:predict" in shown


def test_a_redirection_is_told_and_not_followed(rest):
    rest.steps = [lambda handler: handler.reply(302, b"", Location="/elsewhere")]
    with pytest.raises(ServerError, match=r"UNKNOWN \(302\)"):
        ask(rest)
    assert len(rest.requests) == 1


def test_an_answer_that_does_not_end_is_left_in_time(rest):
    left = threading.Event()

    def trickling(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        try:
            for _ in range(100):
                handler.wfile.write(b" ")
                rest.released.wait(0.03)
        except OSError:
            left.set()

    rest.steps = [trickling]
    with Client(rest.url, "tiny", timeout=0.3) as client:
        with pytest.raises(ServerError, match="DEADLINE_EXCEEDED"):
            client.predict({"texts": ["a"]})
        # Its connection is not kept for another request.
        assert left.wait(2)


def test_an_answer_that_is_packed_badly_is_told(rest):
    rest.steps = [lambda handler: handler.reply(200, b"{}", Content_Encoding="gzip")]
    with pytest.raises(ServerError, match="INTERNAL"):
        ask(rest)


def test_headers_that_cannot_be_sent_are_refused(rest):
    with pytest.raises(ValueError, match="cannot be sent"):
        ask(rest, headers={"X-Key": "a\nb"})


def test_a_connection_that_is_not_made_in_time_is_tried_again(rest, monkeypatch):
    seen, send = [], httpx.Client.send

    def slow_at_first(client, request, **options):
        seen.append(request.extensions["timeout"]["connect"])
        if len(seen) == 1:
            raise httpx.ConnectTimeout("timed out")
        return send(client, request, **options)

    monkeypatch.setattr(httpx.Client, "send", slow_at_first)
    rest.steps = [(200, ANSWER)]
    pauses = []
    ask(rest, pauses=pauses, timeout=60)
    assert pauses == [0.1]
    # Far below the whole budget, or there would be no time for another try.
    assert seen == [5.0, 5.0]


def test_an_idle_connection_that_the_server_ended_is_made_anew(rest):
    def ending(handler):
        handler.reply(200, ANSWER)
        handler.close_connection = True

    rest.steps = [ending, (200, ANSWER)]
    with Client(rest.url, "tiny", retries=Retries(1, sleep=lambda _: None)) as client:
        for _ in range(2):
            client.predict({"texts": ["a"]})
    assert rest.connections == 2


def test_connections_are_kept(rest):
    rest.steps = [
        (200, ANSWER),
        failing(404),
        (200, ANSWER),
        (200, b"{"),
        (200, ANSWER),
    ]
    with Client(rest.url, "tiny") as client:
        for fails in (False, True, False, True, False):
            try:
                client.predict({"texts": ["a"]})
            except ServerError:
                assert fails
    assert len(rest.requests) == 5
    assert rest.connections == 1


def test_an_output_that_there_is_not_is_told_with_those_there_are(rest):
    rest.steps = [(200, ANSWER)]
    with (
        Client(rest.url, "tiny") as client,
        pytest.raises(ServerError, match=r"no output 'labels'.*scores, texts"),
    ):
        client.predict({"texts": ["a"]}, outputs=["labels"])

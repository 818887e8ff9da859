"""TF Serving's REST interface, as an ASGI application.

Paths are read as they were sent: a query belongs to the name before it, a slash at
the end belongs to nothing. What the server does not know is a malformed request, as
long as it begins with /v1/.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from zoo.serving.bodies import BodyRefused, read_body, unpacked
from zoo.serving.errors import ServingError, as_serving_error, invalid
from zoo.serving.json_answers import (
    classifications_text,
    error_text,
    outputs_text,
    predictions_text,
    regressions_text,
)
from zoo.serving.json_examples import read_examples
from zoo.serving.json_tensors import is_row_form, read_tensors, signature_name
from zoo.serving.json_text import read_json
from zoo.serving.metrics import Metrics
from zoo.serving.model_messages import metadata_text, status_message, status_text
from zoo.serving.models import Models
from zoo.serving.servable import DEFAULT_SIGNATURE
from zoo.serving.workers import Workers, timed_out

METRICS_PATH = "/monitoring/prometheus/metrics"
_VERSION = r"(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_CALL = re.compile(
    rf"/v1/models/([^/:]+){_VERSION}:((?-i:predict|classify|regress))", re.IGNORECASE
)
_LOOK = re.compile(rf"/v1/models(?:/([^/:]+))?{_VERSION}(?:/(metadata))?", re.I)
_LARGEST_VERSION = 2**63 - 1
_NOT_FOUND = """\
<HTML><HEAD>
<TITLE>404 Not Found</TITLE>
</HEAD><BODY>
<H1>Not Found</H1>
</BODY></HTML>
"""
_log = logging.getLogger(__name__)


class _Target(NamedTuple):
    """What a path names: a model, a version of it, and what is wanted of it."""

    name: str
    version: int | None
    label: str | None
    wanted: str


def rest_app(models: Models, workers: Workers, metrics: Metrics) -> Callable:
    """The application of a server.

    Args:
        models: what is served.
        workers: the threads that answer; their limits are the requests'.
        metrics: told of every request to a model, and shown at `METRICS_PATH`.
    """
    api = _Rest(models, workers, metrics)

    async def app(scope, receive, send):
        if scope["type"] == "http":
            response = await api.answer(Request(scope, receive))
            await response(scope, receive, send)

    return app


class _Rest:
    def __init__(self, models: Models, workers: Workers, metrics: Metrics):
        self._models = models
        self._workers = workers
        self._metrics = metrics
        self._limits = workers.limits

    async def answer(self, request: Request) -> Response:
        path = _path(request)
        if path == METRICS_PATH:
            page = await asyncio.to_thread(self._metrics.page)
            return _response(page, "text/plain; version=0.0.4; charset=utf-8")
        if not path.lower().startswith("/v1/"):
            return _response(_NOT_FOUND, "text/html", 404)
        try:
            text = await self._text(request, path)
            return _response(text, "application/json")
        except BodyRefused as error:
            return _refusal(error, {"Connection": "close"})
        except ServingError as error:
            busy = {"Retry-After": "1"} if error.code == "UNAVAILABLE" else {}
            return _refusal(error, busy)
        except asyncio.CancelledError:
            # After the grace of a stop, and only then.
            stopping = ServingError("UNAVAILABLE", "The server is stopping.")
            return _refusal(stopping, {"Connection": "close"})
        except Exception as error:
            _log.exception("%s %s failed: %s", request.method, path, error)
            return _refusal(as_serving_error(error), {})

    async def _text(self, request: Request, path: str) -> str:
        form = {"GET": _LOOK, "POST": _CALL}.get(request.method)
        match = form and form.fullmatch(path)
        if not match:
            raise invalid(f"Malformed request: {request.method} {path}")
        target = _target(match)
        if request.method == "GET":
            return await asyncio.to_thread(self._look, target)
        return await self._call(request, target)

    def _look(self, target: _Target) -> str:
        if not target.name:
            raise invalid("Missing model name in request.")
        if not target.wanted:
            # A label does not narrow it, and need not exist: so the server has it.
            status = status_message(self._models, target.name, target.version)
            return status_text(status)
        with self._models.servable(target.name, target.version, target.label) as of:
            return metadata_text(of)

    async def _call(self, request: Request, target: _Target) -> str:
        start = time.monotonic()
        model = target.name if target.name in self._models.names else ""
        try:
            text = await self._answered(request, target)
        except Exception as error:
            refused = isinstance(error, BodyRefused)
            code = "INVALID_ARGUMENT" if refused else as_serving_error(error).code
            self._metrics.count_request(model, code)
            raise
        self._metrics.count_request(model, "OK")
        api, seconds = target.wanted.capitalize(), time.monotonic() - start
        self._metrics.time_request(model, api, "REST", seconds)
        return text

    async def _answered(self, request: Request, target: _Target) -> str:
        seconds = self._limits.timeout_seconds
        until = time.monotonic() + seconds
        place = self._workers.enter()
        try:
            reading = read_body(
                request.headers, request.stream(), self._limits.max_body_bytes
            )
            body = await asyncio.wait_for(reading, seconds)
            future = place.submit(
                lambda: self._run(target, body, request.headers, until)
            )
            return await asyncio.wait_for(asyncio.wrap_future(future), _left(until))
        except asyncio.TimeoutError:
            raise timed_out(seconds) from None
        except ClientDisconnect:
            raise ServingError("CANCELLED", "The client went away.") from None
        finally:
            place.leave()

    def _run(self, target: _Target, body: bytes, headers, until: float) -> str:
        body = unpacked(body, headers, self._limits.max_body_bytes)
        content = read_json(body)
        signature = signature_name(content)
        if target.wanted == "predict":
            return self._predict(target, content, signature, until)
        examples = read_examples(content)
        with self._models.servable(target.name, target.version, target.label) as of:
            if target.wanted == "classify":
                _, results = of.classify(signature, examples, _left(until))
                return classifications_text(results)
            return regressions_text(of.regress(signature, examples, _left(until))[1])

    def _predict(
        self, target: _Target, content: dict, signature: str, until: float
    ) -> str:
        with self._models.servable(target.name, target.version, target.label) as of:
            name = signature or DEFAULT_SIGNATURE
            if name not in of.signatures:
                raise invalid(
                    f'Serving signature name: "{name}" not found in signature def'
                )
            tensors = read_tensors(content, of.signatures[name].inputs)
            _, outputs = of.predict(name, tensors, timeout_seconds=_left(until))
        return (predictions_text if is_row_form(content) else outputs_text)(outputs)


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _path(request: Request) -> str:
    path = request.scope.get("raw_path") or request.scope["path"].encode("utf-8")
    query = request.scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def _target(match: re.Match) -> _Target:
    name, version, label, wanted = match.groups()
    # Python reads numbers up to some thousand digits.
    if version and (len(version) > 30 or int(version) > _LARGEST_VERSION):
        raise invalid(f"Failed to convert version: {version} to numeric.")
    return _Target(
        unquote(name or ""),
        int(version) if version else None,
        unquote(label) if label else None,
        wanted or "",
    )


def _response(
    content: str | bytes,
    media_type: str,
    status: int = 200,
    headers: dict | None = None,
) -> Response:
    body = content.encode("utf-8", "replace") if isinstance(content, str) else content
    return Response(body, status, {"Content-Type": media_type, **(headers or {})})


def _refusal(error: ServingError | BodyRefused, headers: dict) -> Response:
    return _response(
        error_text(error.message), "application/json", error.http_status, headers
    )

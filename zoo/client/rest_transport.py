"""TF Serving's REST API, by httpx."""

import json
import math
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx
import numpy as np

from zoo.client.address import Address, Target
from zoo.client.descriptions import (
    INIT_OP,
    Metadata,
    Signature,
    spec_of,
)
from zoo.client.errors import Retryable, ServerError, no_answer, overdue
from zoo.client.json_tensors import from_json, is_bytes, to_json
from zoo.protocol.codes import code_of
from zoo.protocol.version_status import VersionStatus

# Seconds until another try is better than waiting for a connection.
_CONNECT = 5.0
_QUOTED = 300  # characters of an answer in a message


class RestTransport:
    """One try at a request over REST; many threads may call at once.

    Args:
        address: of the server.
        target: the model that is asked.
        headers: sent with each request.
    """

    def __init__(self, address: Address, target: Target, headers: Mapping[str, str]):
        self.address = address
        self.target = target
        self._http = httpx.Client(headers=dict(headers), limits=httpx.Limits())
        self._single_outputs: dict[str, str] = {}

    def close(self) -> None:
        """Ends all connections."""
        self._http.close()

    def status(self, seconds: float) -> list[VersionStatus]:
        """Status of the versions; of a label too of all, as servers ignore it here."""
        answer = self._json("GET", self._url(of_label=False), seconds)
        try:
            return [
                VersionStatus(
                    int(found["version"]),
                    found["state"],
                    found["status"]["error_code"],
                    found["status"]["error_message"],
                )
                for found in answer["model_version_status"]
            ]
        except (KeyError, TypeError, ValueError):
            raise no_answer(f"no status in {_quoted(str(answer))!r}") from None

    def metadata(self, seconds: float) -> Metadata:
        """The signatures."""
        answer = self._json("GET", f"{self._url()}/metadata", seconds)
        try:
            spec = answer["model_spec"]
            found = answer["metadata"]["signature_def"]["signature_def"]
            signatures = {
                name: Signature(
                    _specs(one["inputs"]), _specs(one["outputs"]), one["method_name"]
                )
                for name, one in sorted(found.items())
                if name != INIT_OP
            }
            return Metadata(spec["name"], int(spec["version"]), signatures)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise no_answer(f"no metadata in {_quoted(str(answer))!r}") from None

    def predict(
        self,
        inputs: Mapping[str, np.ndarray],
        signature: str,
        outputs: tuple[str, ...],
        seconds: float,
    ) -> dict[str, np.ndarray]:
        """What a signature answers.

        Args:
            inputs: arrays by name.
            signature: its name.
            outputs: of which outputs are wanted; all if none is named.
            seconds: that are left.

        Raises:
            Retryable: it may go well next time.
            ServerError: it will not.
        """
        end = time.monotonic() + seconds
        # In columns: rows would need as many in each output, and one row at least.
        columns = {name: to_json(array) for name, array in inputs.items()}
        body = {"signature_name": signature, "inputs": columns}
        answer = self._json("POST", f"{self._url()}:predict", seconds, body)
        if not isinstance(answer, dict) or "outputs" not in answer:
            raise no_answer(f"no outputs in {_quoted(str(answer))!r}")
        found = answer["outputs"]
        if not isinstance(found, dict) or is_bytes(found):
            left = max(end - time.monotonic(), 0.001)
            found = {self._single_output(signature, left): found}
        if missing := sorted(set(outputs) - set(found)):
            raise ServerError(
                "INVALID_ARGUMENT",
                f"Signature {signature!r} has no output {missing[0]!r}. It has: "
                f"{', '.join(sorted(found))}.",
            )
        return {name: from_json(found[name], name) for name in outputs or found}

    def _single_output(self, signature: str, seconds: float) -> str:
        """The name of a signature's only output, which answers leave out."""
        if signature not in self._single_outputs:
            found = self.metadata(seconds).signatures.get(signature)
            if found is None or len(found.outputs) != 1:
                raise no_answer(f"one output, and metadata has others: {found}")
            self._single_outputs[signature] = next(iter(found.outputs))
        return self._single_outputs[signature]

    def _url(self, of_label: bool = True) -> str:
        url = f"{self.address}/v1/models/{quote(self.target.model, safe='')}"
        if self.target.version is not None:
            return f"{url}/versions/{self.target.version}"
        if self.target.label is not None and of_label:
            return f"{url}/labels/{quote(self.target.label, safe='')}"
        return url

    def _json(self, method: str, url: str, seconds: float, body=None):
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False).encode()
        response, answer = self._answer(method, url, seconds, content)
        # Bytes that are no text come back whole, as over gRPC.
        text = answer.decode("utf-8", "surrogateescape")
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if response.status_code != 200:
            raise _failure(response, found, text)
        if found is None:
            raise no_answer(f"{_quoted(text)!r} is no JSON")
        return found

    def _answer(self, method, url, seconds, content) -> tuple[httpx.Response, bytes]:
        """The response and its whole body.

        The time is looked at after each piece of the body, and a pause between two is
        cut off after as many seconds.
        """
        end = time.monotonic() + seconds
        timeout = httpx.Timeout(seconds, connect=min(seconds, _CONNECT))
        request = self._http.build_request(
            method,
            url,
            content=content,
            headers={"Content-Type": "application/json"} if content else None,
            timeout=timeout,
        )
        try:
            response = self._http.send(request, stream=True)
            try:
                chunks = []
                for chunk in response.iter_bytes():
                    chunks.append(chunk)
                    if time.monotonic() > end:
                        raise overdue(self.address)
            finally:
                response.close()
            return response, b"".join(chunks)
        except httpx.ConnectTimeout:
            if seconds <= _CONNECT:
                raise overdue(self.address) from None
            raise Retryable(self._unreachable("no connection in time")) from None
        except httpx.TimeoutException:
            raise overdue(self.address) from None
        except httpx.LocalProtocolError as error:
            raise ValueError(f"The request cannot be sent: {error}.") from error
        except httpx.DecodingError as error:
            raise no_answer(str(error)) from error
        except httpx.TransportError as error:
            raise Retryable(self._unreachable(str(error))) from error

    def _unreachable(self, why: str) -> ServerError:
        return ServerError(
            "UNAVAILABLE",
            f"No answer from {self.address}: {why}.",
            hint="Is the server running, and is this the port of its REST API?",
        )


def _failure(response: httpx.Response, found, text: str) -> Exception:
    """The error of an answer that is none."""
    status = response.status_code
    if isinstance(found, dict) and isinstance(found.get("error"), str):
        error = ServerError(code_of(status), found["error"], status)
    else:
        kind = response.headers.get("content-type", "no content type")
        words = f"{response.reason_phrase} ({kind}): {_quoted(text)}"
        hint = f"This is not TF Serving's REST API. Asked was {response.url}."
        error = ServerError(code_of(status), words, status, hint)
    after = _seconds_to_wait(response.headers.get("retry-after"))
    # Of too many requests a server says when to come back, or does not want them.
    if status in (502, 503) or (status == 429 and after is not None):
        return Retryable(error, after)
    return error


def _seconds_to_wait(header: str | None) -> float | None:
    """What `Retry-After` says: seconds, or a date."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = parsedate_to_datetime(header)
            if date.tzinfo is None:
                date = date.replace(tzinfo=timezone.utc)
            seconds = (date - datetime.now(timezone.utc)).total_seconds()
        except ValueError:
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _specs(found: Mapping) -> dict:
    return {
        name: spec_of(
            one["dtype"],
            [dim["size"] for dim in one["tensor_shape"]["dim"]],
            one["tensor_shape"]["unknown_rank"],
        )
        for name, one in sorted(found.items())
    }


def _quoted(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _QUOTED else f"{words[:_QUOTED]}…"

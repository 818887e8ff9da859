"""Compares a server's answers with those of TF Serving that `data/` holds."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import grpc
import httpx
import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict, ParseDict
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tests.serving.recorded_models import DATA

REQUESTS = {
    "Predict": PredictRequest,
    "Classify": ClassificationRequest,
    "Regress": RegressionRequest,
    "GetModelMetadata": GetModelMetadataRequest,
    "GetModelStatus": GetModelStatusRequest,
}
# Beside "answer", which is a whole one, how an answer was noted.
_PARTIAL = ("begins", "begins_without_breaks", "answer_without_breaks")


class Comparison(NamedTuple):
    """One request, answered twice.

    Attributes:
        name: of the request, in the records.
        expected: the recorded status, or gRPC code.
        found: the server's.
        same_value: whether the answers say the same, whatever the order of names.
        same_lines: whether they are the same lines, whatever their order.
        same_text: whether they are the same characters.
        difference: both answers, where they do not say the same.
    """

    name: str
    expected: str
    found: str
    same_value: bool
    same_lines: bool
    same_text: bool
    difference: str = ""

    @property
    def is_error(self) -> bool:
        return self.expected not in ("200", "OK")

    @property
    def same_status(self) -> bool:
        return self.expected == self.found


def compare_rest(address: str) -> Iterator[Comparison]:
    """Sends every recorded request to a REST port, such as http://127.0.0.1:8501."""
    records = json.loads((DATA / "rest.json").read_text(encoding="utf-8"))
    with httpx.Client(base_url=address, timeout=30) as client:
        for record in records:
            body = record.get("body", "").encode("utf-8")
            answer = client.request(record["method"], record["path"], content=body)
            kind = answer.headers.get("content-type", "").split(";")[0]
            text = answer.content.decode("utf-8", "replace")
            yield Comparison(
                record["name"],
                str(record["status"]),
                str(answer.status_code),
                *_compared(record, text, kind == record["content_type"]),
            )


def _compared(record: dict, text: str, same_kind: bool) -> tuple[bool, bool, bool, str]:
    key = next(key for key in ("answer", *_PARTIAL) if key in record)
    expected = record[key]
    if key.endswith("without_breaks"):
        text = text.replace("\n", "")
    if key.startswith("begins"):
        # Where names are in a hash table's order, only the length of it counts.
        text = "# TYPE " if "\n# TYPE " in "\n" + text else text[: len(expected)]
    same_text = text == expected
    same_value = same_text or _value(text) == _value(expected) is not None
    difference = "" if same_value and same_kind else f"{expected}\n{text}"
    same_lines = same_text or _lines(text) == _lines(expected)
    same = (same_value, same_lines, same_text)
    return *(each and same_kind for each in same), difference


def _lines(text: str) -> list[str]:
    # Where breaks were not noted, indents tell them.
    return sorted(re.split(r",?(?:\n| {4,})\s*", text))


def _value(text: str):
    try:
        return json.loads(text)
    except ValueError:
        return None


def compare_grpc(address: str) -> Iterator[Comparison]:
    """Makes every recorded call at a gRPC port, such as 127.0.0.1:8500."""
    records = json.loads((DATA / "grpc.json").read_text(encoding="utf-8"))
    with grpc.insecure_channel(address) as channel:
        services = (PredictionServiceStub(channel), ModelServiceStub(channel))
        for record in records:
            request = ParseDict(record["request"], REQUESTS[record["method"]]())
            service = services[record["method"] == "GetModelStatus"]
            try:
                response = getattr(service, record["method"])(request, timeout=30)
                code, found = "OK", _told(record, response)
            except grpc.RpcError as error:
                code, found = error.code().name, {"details": error.details()}
            keys = ("details", "response", "outputs", "signatures", "model_spec")
            expected = {key: record[key] for key in keys if key in record}
            same = expected == found
            difference = "" if same else f"{expected}\n{found}"
            yield Comparison(
                record["name"], record["code"], code, same, same, same, difference
            )


def _told(record: dict, response) -> dict:
    """A response in the form of its record."""
    if "response" in record:
        return {"response": _dictionary(response)}
    told = {"model_spec": _dictionary(response.model_spec)}
    if "signatures" in record:
        signatures = SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return {"signatures": sorted(signatures.signature_def), **told}
    outputs = {name: tf.make_ndarray(of) for name, of in response.outputs.items()}
    return {"outputs": {name: _lists(of) for name, of in outputs.items()}, **told}


def _dictionary(message) -> dict:
    return MessageToDict(message, preserving_proto_field_name=True)


def _lists(values: np.ndarray) -> list:
    if values.dtype == object:
        return [value.decode("utf-8") for value in values]
    return values.tolist()


def summary(comparisons: list[Comparison]) -> dict[str, tuple[int, int]]:
    """Of each kind of agreement, how many requests have it and how many could."""
    errors = [of for of in comparisons if of.is_error]
    answers = [of for of in comparisons if not of.is_error]
    return {
        "status": (sum(of.same_status for of in comparisons), len(comparisons)),
        "answer, by value": (sum(of.same_value for of in answers), len(answers)),
        "answer, by line": (sum(of.same_lines for of in answers), len(answers)),
        "answer, by character": (sum(of.same_text for of in answers), len(answers)),
        "error, by character": (sum(of.same_text for of in errors), len(errors)),
    }

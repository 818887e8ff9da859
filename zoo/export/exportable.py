"""What a task gives to be exported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# The forms of TF Serving's own requests: tensorflow/python/saved_model/
# signature_constants.py.
PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


@dataclass(frozen=True)
class Exportable:
    """What a task gives to be exported.

    Attributes:
        module: a `tf.Module`; tracks the variables and resources of the signatures.
        signatures: functions of named `tf.TensorSpec`s that return dictionaries.
        samples: an input of each signature, whose answers are recorded.
        details: labels, vocabularies and the like, for the manifest.
        environment: variables that the server's environment must have.
        forms: which signatures answer TF Serving's own requests, `CLASSIFY` or
            `REGRESS`; the others answer its predict requests.
        labels: names of classes, a line each in `assets.extra/labels.txt`; no file if
            there are none.
        meanings: a sentence about each input and output by name, with units, for the
            export's card.
        largest_batch: rows that a server with batching joins, and takes from one
            request, at most.
    """

    module: Any
    signatures: Mapping[str, Any]
    samples: Mapping[str, Mapping[str, list]]
    details: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    labels: Sequence[str] = ()
    meanings: Mapping[str, str] = field(default_factory=dict)
    largest_batch: int = 64

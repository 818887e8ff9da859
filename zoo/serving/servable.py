"""One loaded version of a model, answering by the names of its signatures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zoo.serving.batching import BatchQueue
from zoo.serving.batching_parameters import BatchingParameters
from zoo.serving.environment import tell_environment
from zoo.serving.errors import ServingError, invalid
from zoo.serving.metrics import Metrics
from zoo.serving.saved_session import SavedSession
from zoo.serving.signatures import (
    feeds_of,
    fetches_of,
    has_batches,
    shape_name,
    type_name,
)
from zoo.serving.warm_up import warm_up

DEFAULT_SIGNATURE = "serving_default"
_METHOD = "tensorflow/serving/"


class Servable:
    """One version of a model; any number of threads may ask it.

    The messages of errors are TF Serving's, as its answers were recorded; that of a
    wrong shape is not, for TF Serving leaves it to the operations of the graph.

    Args:
        name: of the model.
        version: its number.
        folder: with `saved_model.pb`.
        batching: how requests of several callers are joined; not at all without.

    Attributes:
        signatures: `SignatureDef`s by name, that of the initialisation included.
        metrics: told how many examples are run at once; may be replaced.

    Raises:
        ServingError: it does not load, or a warm-up record fails.
    """

    def __init__(
        self,
        name: str,
        version: int,
        folder,
        batching: BatchingParameters | None = None,
    ):
        self.name = name
        self.version = version
        self.folder = Path(folder)
        self.metrics = Metrics()
        tell_environment(self.folder)
        self._session = SavedSession(self.folder)
        self.signatures = self._session.signatures
        self._queues = {}
        try:
            if batching is not None:
                self._queues = {
                    name: self._queue(signature, batching)
                    for name, signature in self.signatures.items()
                    if has_batches(signature)
                }
            warm_up(self)
        except BaseException:
            self.close()
            raise

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        output_filter: Sequence[str] = (),
        timeout_seconds: float | None = None,
    ) -> tuple[str, dict[str, np.ndarray]]:
        """Runs a signature.

        Args:
            signature: its name; empty for `serving_default`.
            inputs: by name, strings as objects of `bytes`.
            output_filter: names of the outputs wanted; all if empty.
            timeout_seconds: how long it may take; no limit if none.

        Returns:
            The name of the signature, and its outputs by name.

        Raises:
            ServingError: what was asked is not what the signature takes or gives, or
                the graph failed.
        """
        name = signature or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise ServingError(
                "FAILED_PRECONDITION", f'Serving signature key "{name}" not found.'
            )
        definition = self.signatures[name]
        feeds = feeds_of(definition.inputs, inputs)
        fetches = fetches_of(definition.outputs, output_filter)
        return name, self._run(name, feeds, fetches, timeout_seconds)

    def classify(
        self,
        signature: str,
        examples: Sequence[bytes],
        timeout_seconds: float | None = None,
    ) -> tuple[str, list[list[tuple[str, float]]]]:
        """Classifies examples.

        Args:
            signature: its name; empty for `serving_default`.
            examples: `tf.train.Example`s as bytes.
            timeout_seconds: how long it may take; no limit if none.

        Returns:
            The name of the signature, and for each example its labels and scores. A
            label is empty, or a score 0, if the signature does not give it.
        """
        name, definition = self._of_form(signature, "classify", "classification")
        if not 1 <= len(definition.outputs) <= 2:
            raise invalid(
                f"Expected one or two output Tensors, found {len(definition.outputs)}"
            )
        wanted = [key for key in ("classes", "scores") if key in definition.outputs]
        if not wanted:
            raise ServingError(
                "FAILED_PRECONDITION",
                "Expected classification signature outputs to contain at least one of "
                f'"classes" or "scores". It has: {", ".join(definition.outputs)}',
            )
        outputs = self._run_examples(name, examples, wanted, timeout_seconds)
        for key in wanted:
            _check_table(key, outputs[key], len(examples))
        scores = outputs.get("scores")
        classes = outputs.get("classes")
        if scores is None:
            scores = np.zeros(classes.shape, np.float32)
        if classes is None:
            classes = np.full(scores.shape, b"", object)
        if classes.shape != scores.shape:
            raise invalid(
                "Tensors class and score should match in dim_size(1). Got "
                f"{classes.shape[1]} vs. {scores.shape[1]}"
            )
        return name, [
            [(_text(label), float(score)) for label, score in zip(*row, strict=True)]
            for row in zip(classes, scores, strict=True)
        ]

    def regress(
        self,
        signature: str,
        examples: Sequence[bytes],
        timeout_seconds: float | None = None,
    ) -> tuple[str, list[float]]:
        """Gives each example a number.

        Args:
            signature: its name; empty for `serving_default`.
            examples: `tf.train.Example`s as bytes.
            timeout_seconds: how long it may take; no limit if none.
        """
        name, definition = self._of_form(signature, "regress", "regression")
        if len(definition.outputs) != 1:
            raise invalid("Expected one output Tensor.")
        if "outputs" not in definition.outputs:
            raise ServingError(
                "FAILED_PRECONDITION",
                f"No regression outputs found in SignatureDef: {definition}",
            )
        values = self._run_examples(name, examples, ["outputs"], timeout_seconds)
        values = values["outputs"]
        if values.ndim not in (1, 2) or values.shape[1:] not in ((), (1,)):
            raise invalid(
                "Expected output Tensor shape to be either [batch_size] or "
                f"[batch_size, 1] but got {shape_name(values.shape)}"
            )
        if len(values) != len(examples):
            raise invalid(
                "Input batch size did not match output batch size: "
                f"{len(examples)} vs. {len(values)}"
            )
        if values.dtype != np.float32:
            raise invalid(
                f"Expected output Tensor of DT_FLOAT.  Got: {type_name(values.dtype)}"
            )
        return name, [float(value) for value in values.ravel()]

    def close(self) -> None:
        """Ends what waits in queues, then frees the session."""
        for queue in self._queues.values():
            queue.close()
        self._session.close()

    def _queue(self, definition, batching) -> BatchQueue:
        fetches = fetches_of(definition.outputs, ())
        return BatchQueue(
            lambda feeds, seconds: self._run_graph(feeds, fetches, seconds), batching
        )

    def _run(self, name, feeds, fetches, timeout_seconds) -> dict:
        queue = self._queues.get(name)
        if queue is not None and len(fetches) == len(self.signatures[name].outputs):
            return queue.run(feeds, timeout_seconds)
        return self._run_graph(feeds, fetches, timeout_seconds)

    def _run_graph(self, feeds, fetches, timeout_seconds) -> dict:
        lengths = {len(value) for value in feeds.values() if np.ndim(value)}
        if len(lengths) == 1:
            self.metrics.note_batch(self.name, lengths.pop())
        return self._session.run(feeds, fetches, timeout_seconds)

    def _of_form(self, signature: str, form: str, noun: str):
        name = signature or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise invalid(f"No signature was found with the name: {name}")
        definition = self.signatures[name]
        if definition.method_name != _METHOD + form:
            raise invalid(
                f"Expected {noun} signature method_name to be {_METHOD}{form}. "
                f"Was: {definition.method_name}"
            )
        if len(definition.inputs) != 1:
            raise invalid("Expected one input Tensor.")
        if "inputs" not in definition.inputs:
            raise ServingError(
                "FAILED_PRECONDITION",
                f"No {noun} inputs found in SignatureDef: {definition}",
            )
        return name, definition

    def _run_examples(
        self, name: str, examples, wanted, timeout_seconds
    ) -> dict[str, np.ndarray]:
        if not examples:
            raise invalid("Input is empty.")
        definition = self.signatures[name]
        values = np.empty(len(examples), object)
        values[:] = list(examples)
        feeds = {definition.inputs["inputs"].name: values}
        fetches = fetches_of(definition.outputs, wanted)
        return self._run(name, feeds, fetches, timeout_seconds)


def _check_table(key: str, values: np.ndarray, examples: int) -> None:
    wanted = np.dtype(object if key == "classes" else np.float32)
    if values.ndim != 2:
        raise invalid(
            "Expected Tensor shape: [batch_size num_classes] but got "
            f"{shape_name(values.shape)}"
        )
    if values.dtype != wanted:
        name = "DT_STRING" if key == "classes" else "DT_FLOAT"
        raise invalid(
            f"Expected {key} Tensor of {name}. Got: {type_name(values.dtype)}"
        )
    if len(values) != examples:
        raise invalid(
            f"Expected {key} output batch size of {examples}. Got: {len(values)}"
        )


def _text(label: bytes) -> str:
    return label.decode("utf-8", "replace")

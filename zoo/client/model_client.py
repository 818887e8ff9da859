"""Asking one model of a server, whatever its task."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from zoo.client import arrays
from zoo.client.address import Address, Target
from zoo.client.descriptions import Metadata
from zoo.client.errors import Retryable, ServerError
from zoo.client.retries import Retries
from zoo.protocol.version_status import VersionStatus

_EXPLAIN = 2.0  # seconds at most to ask what a signature takes, after a refusal


class ModelClient:
    """What a `zoo.client.Client` does for models of any task; the arguments are its."""

    def __init__(
        self,
        url: str,
        model: str,
        version: int | None = None,
        label: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int | Retries = 4,
        max_batch: int | None = None,
        headers: Mapping[str, str] | None = None,
    ):
        self.address = Address.parse(url)
        self.target = Target(model, version, label)
        self.timeout = _positive("timeout", timeout)
        self.max_batch = max_batch
        if max_batch is not None and (not isinstance(max_batch, int) or max_batch < 1):
            raise ValueError(f"max_batch must be at least 1. Received: {max_batch!r}.")
        self._retries = retries if isinstance(retries, Retries) else Retries(retries)
        self._closed = False
        # Only what is used is loaded.
        if self.address.scheme.startswith("grpc"):
            from zoo.client.grpc_transport import GrpcTransport as Transport
        else:
            from zoo.client.rest_transport import RestTransport as Transport
        self._transport = Transport(self.address, self.target, headers or {})

    def __enter__(self) -> "ModelClient":
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.target} at {self.address}>"

    def close(self) -> None:
        """Ends all connections; what is under way fails."""
        self._closed = True
        self._transport.close()

    def status(self) -> list[VersionStatus]:
        """What the server says of the model's versions, or of the chosen version.

        A label chooses none here, as servers ignore it.

        Raises:
            ServerError: the server has never heard of the model, or did not answer.
        """
        return self._run(self._transport.status)

    def metadata(self) -> Metadata:
        """The model's signatures, with types and shapes.

        Raises:
            ServerError: the server does not serve the model, or did not answer.
        """
        return self._run(self._transport.metadata)

    def predict(
        self,
        inputs: Mapping,
        signature: str = "serving_default",
        outputs: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """What a signature answers.

        Args:
            inputs: arrays, or lists nested evenly, by name. Strings are `str`, or
                `bytes` for what is no text. Of lists integers become int32 (int64
                where they must) and other numbers float32; arrays keep their types.
                An empty list is one of strings.
            signature: its name.
            outputs: names of those that are wanted; all by default. The server leaves
                out the others over gRPC, the client over REST.

        Returns:
            Arrays by name; strings are `str`, but `bytes` where the output's name ends
            in "_bytes", in arrays of objects. Over REST numbers are float64 or int64,
            as JSON does not say of what type they were. Of joined batches of different
            lengths the shorter ones are padded on, with 0, `False` or "".

        Raises:
            TypeError, ValueError: inputs that nobody could send.
            ServerError: the server refused, failed or did not answer. If it refused
                the inputs, it is asked what it would take, and the hint says so.
        """
        found = arrays.as_arrays(inputs)
        return arrays.joined(
            list(self._answers(found, signature, tuple(outputs), self.max_batch))
        )

    def batches(
        self, inputs: Mapping, signature: str, names: Sequence[str], size: int
    ) -> Iterator[dict]:
        """Answers to inputs of a task, batch by batch; none to no rows.

        Args:
            inputs: lists of equal lengths by name.
            signature: that is asked.
            names: outputs that the answers must have.
            size: rows of a batch at most.

        Raises:
            ValueError: the model is of another task.
        """
        if not next(iter(inputs.values())):
            return
        found = arrays.as_arrays(inputs)
        for answer in self._answers(found, signature, (), size):
            if missing := [name for name in names if name not in answer]:
                raise ValueError(
                    f"Signature {signature!r} of {self.target} answers "
                    f"{', '.join(sorted(answer))}; expected {', '.join(missing)}. Is "
                    "this a model of another task? Its metadata() says what it does."
                )
            yield answer

    def _answers(self, inputs, signature, outputs, size) -> Iterator[dict]:
        """Answers to inputs in parts of a size at most."""
        for part in arrays.parts_of(inputs, size):
            try:
                yield self._run(
                    lambda seconds, part=part: self._transport.predict(
                        part, signature, outputs, seconds
                    )
                )
            except ServerError as error:
                if error.code not in ("INVALID_ARGUMENT", "FAILED_PRECONDITION"):
                    raise
                hint = self._expected(signature, part)
                raise (error.with_hint(hint) if hint else error) from None

    def _run(self, attempt):
        if self._closed:
            raise RuntimeError("This client is closed. Make another one.")
        try:
            return self._retries.run(attempt, self.timeout)
        except ServerError as error:
            if error.code != "NOT_FOUND":
                raise
            hint = (
                f"Asked was {self.target} at {self.address}. Servers do not list their "
                "models: their configuration does (--model_name, models.config). "
                "status() of a client without version and label says which versions "
                "of a model there are."
            )
            raise error.with_hint(hint) from None

    def _expected(self, signature: str, inputs: Mapping[str, np.ndarray]) -> str:
        """What the server would have taken, in words; "" if it does not say."""
        try:
            known = self._transport.metadata(min(self.timeout, _EXPLAIN)).signatures
        except (ServerError, Retryable):
            return ""
        if signature not in known:
            return f"Signatures of {self.target}: {', '.join(known) or 'none'}."
        takes = [f"{name}: {spec}" for name, spec in known[signature].inputs.items()]
        sent = [
            f"{name}: {'string' if array.dtype.kind == 'O' else array.dtype} "
            f"{array.shape}"
            for name, array in inputs.items()
        ]
        return (
            f"Signature {signature!r} takes {', '.join(takes) or 'nothing'}. Sent was "
            f"{', '.join(sent) or 'nothing'}."
        )


def _positive(name: str, value) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        raise ValueError(
            f"{name} must be a number of seconds above 0. Received: {value!r}."
        )
    return float(value)

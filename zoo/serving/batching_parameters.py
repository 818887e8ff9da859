"""Parameters of batching, in TF Serving's text file."""

import os
import re
from dataclasses import dataclass, field, fields
from pathlib import Path


@dataclass(frozen=True)
class BatchingParameters:
    """How requests are joined; the defaults are TF Serving's.

    Attributes:
        max_batch_size: rows of a run, and of a request.
        batch_timeout_micros: how long the first request of a batch waits for others.
        max_enqueued_batches: batches that may wait; further requests are refused.
        num_batch_threads: batches that run at the same time.
        allowed_batch_sizes: a run is filled up to one of these; empty for any size.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    allowed_batch_sizes: tuple[int, ...] = ()

    def __post_init__(self):
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it starts at 1.")
        if self.batch_timeout_micros < 0:
            raise ValueError(
                f"batch_timeout_micros is {self.batch_timeout_micros}; no time is 0."
            )
        sizes = list(self.allowed_batch_sizes)
        if sizes and (sizes != sorted(set(sizes)) or sizes[-1] != self.max_batch_size):
            raise ValueError(
                f"allowed_batch_sizes are {sizes}; they must rise to max_batch_size, "
                f"which is {self.max_batch_size}."
            )


_KNOWN = {each.name for each in fields(BatchingParameters)}
_KNOWN |= {"pad_variable_length_inputs", "thread_pool_name"}


def read_batching(path) -> BatchingParameters:
    """Reads the parameters of batching, as TF Serving's `--batching_parameters_file`.

    `thread_pool_name` is allowed and without effect.

    Raises:
        ValueError: it is no such file, or names a field that is not known here.
        OSError: it cannot be read.
    """
    path = Path(path)
    try:
        values = _fields(path.read_text(encoding="utf-8"))
        values.pop("thread_pool_name", None)
        if values.pop("pad_variable_length_inputs", False):
            raise ValueError(
                "pad_variable_length_inputs is not served here: it changes what a "
                "request asks"
            )
        return BatchingParameters(**values)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: {str(error).rstrip('.')}.") from error


_TOKEN = re.compile(
    r'\s+|#[^\n]*|(?P<token>[A-Za-z_]\w*|[-+]?\d+|"[^"\n]*"|\'[^\'\n]*\'|[{}<>\[\]:,;])'
)


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            line = text.count("\n", 0, at) + 1
            raise ValueError(f"line {line}: {text[at:].split()[0]!r} is not understood")
        if match["token"]:
            found.append(match["token"])
        at = match.end()
    return found


def _fields(text: str) -> dict:
    """Fields of a protobuf text whose values are plain or wrapped: `{ value: 8 }`."""
    tokens, values = _tokens(text)[::-1], {}
    while tokens:
        name = tokens.pop()
        if not name.isidentifier():
            raise ValueError(f"{name!r} stands where the name of a field should")
        if name not in _KNOWN:
            raise ValueError(
                f"there is no field {name} here; there are {', '.join(sorted(_KNOWN))}"
            )
        value = _value(name, tokens)
        if name == "allowed_batch_sizes":
            values[name] = (*values.get(name, ()), *value)
        elif name in values or len(value) != 1:
            raise ValueError(f"{name} should have one value")
        else:
            values[name] = value[0]
        if tokens and tokens[-1] in ",;":
            tokens.pop()
    return values


def _value(name: str, tokens: list[str]) -> tuple:
    """The values after a field's name, taken off the end of the reversed tokens."""
    token = _next(name, tokens)
    if token == ":":
        token = _next(name, tokens)
        if token == "[":
            inside = _until(name, "]", tokens)
            return tuple(_plain(name, item) for item in inside if item != ",")
        if token not in "{<":
            return (_plain(name, token),)
    if token not in "{<":
        raise ValueError(f"{name} is followed by {token!r}, not by a value")
    inside = _until(name, "}" if token == "{" else ">", tokens)
    if inside[:2] != ["value", ":"] or len(inside) != 3:
        raise ValueError(f"{name} should hold `value: ...`, not {' '.join(inside)!r}")
    return (_plain(name, inside[2]),)


def _until(name: str, end: str, tokens: list[str]) -> list[str]:
    inside = []
    while (token := _next(name, tokens)) != end:
        inside.append(token)
    return inside


def _next(name: str, tokens: list[str]) -> str:
    if not tokens:
        raise ValueError(f"{name} is without an end")
    return tokens.pop()


def _plain(name: str, token: str):
    if name == "thread_pool_name":
        if token[0] in "\"'":
            return token[1:-1]
    elif name == "pad_variable_length_inputs":
        if token in ("true", "false"):
            return token == "true"
    elif re.fullmatch(r"[-+]?\d+", token):
        return int(token)
    raise ValueError(f"{name} has the value {token}, which is of the wrong kind")

"""Weights on disk, in safetensors: names, shapes and numbers, never code."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from zoo.files import written_whole

Precision = Literal["float32", "float16", "int8"]
# What a file in int8 says of itself, and what the scales of an array are called.
_INT8, _SCALE = "int8 groups", ":scale"
# Numbers that share a scale; smaller arrays are not worth the trouble.
_GROUP, _SMALLEST = 32, 4096
_FLOAT16_MAX = float(np.finfo(np.float16).max)


def write_arrays(
    path,
    arrays: Mapping[str, np.ndarray],
    metadata=None,
    precision: Precision | None = None,
) -> None:
    """Writes named arrays as safetensors; `metadata` is kept beside them as JSON.

    Args:
        path: the file, which is replaced.
        arrays: what to write.
        metadata: a dictionary of JSON.
        precision: of every array; `None` keeps each one's own type. "int8" is for
            matrices of at least 4,096 numbers: 8 bits a number, and a float16 scale for
            each 32 neighbours along the last axis. The other arrays are in float16
            then. What is beyond the range of a type stays in float32.

    Raises:
        OSError: the file cannot be written.
        ValueError: an unknown precision.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    header = {"json": json.dumps(metadata or {})}
    if precision is not None:
        arrays = _stored(arrays, precision)
    if precision == "int8":
        # A single entry: safetensors writes several in any order.
        content = {"format": _INT8, "group": _GROUP, "metadata": metadata or {}}
        header = {"zoo": json.dumps(content)}
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with written_whole(path) as beside:
        try:
            save_file(arrays, beside, metadata=header)
        except SafetensorError as error:
            raise OSError(f"Cannot write {path}: {error}.") from error


def read_arrays(path) -> tuple[dict[str, np.ndarray], dict]:
    """Reads what `write_arrays` wrote: the arrays and the metadata.

    Of a file in int8 all arrays come back in float32, of others as they were written.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, cut short, or of a format that is not known.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"No such weights file: {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged or was not copied whole ({error}). Get it again."
        ) from error
    if "zoo" not in header:
        return arrays, json.loads(header.get("json", "{}"))
    content = json.loads(header["zoo"])
    if content.get("format") != _INT8:
        raise ValueError(
            f"{path} has the format {content.get('format')!r}, and this version of "
            f"attention-zoo reads {_INT8!r}. Install a newer version."
        )
    return _restored(arrays, content["group"], path), content["metadata"]


def _stored(arrays: Mapping[str, np.ndarray], precision: Precision) -> dict:
    """Arrays as they lie on disk."""
    if precision not in get_args(Precision):
        raise ValueError(
            f"precision must be one of {', '.join(get_args(Precision))}. "
            f"Received: {precision!r}."
        )
    stored = {}
    for name, array in arrays.items():
        array = np.asarray(array, "float32")
        matrix = array.ndim > 1 and array.size >= _SMALLEST
        if precision == "int8" and matrix and _all_within(array, 127 * _FLOAT16_MAX):
            stored[name], stored[name + _SCALE] = _quantized(array)
        elif precision != "float32" and _all_within(array, _FLOAT16_MAX):
            stored[name] = array.astype("float16")
        else:
            stored[name] = array
    return stored


def _all_within(array, limit: float) -> bool:
    """Whether no number is larger than a limit, infinite, or none at all."""
    return bool((np.abs(array) <= limit).all())


def _quantized(array):
    """A matrix in int8, and the scales of its groups.

    Args:
        array: (..., units), float32.

    Returns:
        (..., units), int8, and (..., ceil(units / 32)), float16. A number is its
        integer times the scale of its group, and wrong by half a scale at most.
    """
    units = array.shape[-1]
    starts = np.arange(0, units, _GROUP)
    largest = np.maximum.reduceat(np.abs(array), starts, axis=-1).astype("float64")
    scales = (largest / 127).astype("float16")
    # Rounded up: the largest number must be within 127 scales, however small it is.
    short = 127 * scales.astype("float64") < largest
    np.nextafter(scales, np.float16(np.inf), out=scales, where=short)
    each = _for_each(scales, _GROUP, units).astype("float64")
    steps = np.divide(array, each, out=np.zeros_like(each), where=each > 0)
    return np.rint(steps).astype("int8"), scales


def _restored(arrays: Mapping[str, np.ndarray], group: int, path) -> dict:
    """Arrays in float32 from what lay on disk."""
    restored = {}
    for name, array in arrays.items():
        if array.dtype == np.int8:
            scales = arrays.get(name + _SCALE)
            groups = -(-array.shape[-1] // group)
            shape = (*array.shape[:-1], groups)
            if scales is None or scales.shape != shape or scales.dtype != np.float16:
                found = "none" if scales is None else f"{scales.dtype} {scales.shape}"
                raise ValueError(
                    f"{path} is damaged: {name} needs scales in float16 of the shape "
                    f"{shape}. Found: {found}. Get it again."
                )
            scales = _for_each(scales, group, array.shape[-1])
            restored[name] = array * scales.astype("float32")
        elif not name.endswith(_SCALE):
            restored[name] = array.astype("float32")
        elif name.removesuffix(_SCALE) not in arrays:
            raise ValueError(f"{path} is damaged: {name} are scales of nothing.")
    return restored


def _for_each(scales, group: int, units: int):
    """The scale of each number, (..., units), from those of groups."""
    return np.repeat(scales, group, axis=-1)[..., :units]


def weight_address(variable) -> str:
    """A weight's name in files: its path in the model, without the model's own name."""
    return variable.path.split("/", 1)[1]


def model_arrays(model) -> dict[str, np.ndarray]:
    """A model's weights by address, in float32."""
    arrays = {
        weight_address(weight): np.asarray(weight, "float32")
        for weight in model.weights
    }
    if len(arrays) != len(model.weights):
        raise AssertionError("Two weights share one address: name every sublayer.")
    return arrays


def assign_arrays(
    model, arrays: Mapping[str, np.ndarray], origin="the file", reset=()
) -> None:
    """Gives a model the weights read from a file. All must match.

    Args:
        model: a built model.
        arrays: weights by address.
        origin: where they come from, for messages.
        reset: regular expressions of whole addresses: what they match stays as the
            model has it, whatever the file holds.

    Raises:
        ValueError: weights missing on either side, or of another shape.
    """
    wanted, arrays = (
        {name: value for name, value in named.items() if not _is_reset(name, reset)}
        for named in (
            {weight_address(weight): weight for weight in model.weights},
            arrays,
        )
    )
    missing = sorted(set(wanted) - set(arrays))
    unexpected = sorted(set(arrays) - set(wanted))
    misshapen = [
        f"{name} is {arrays[name].shape}, not {tuple(weight.shape)}"
        for name, weight in wanted.items()
        if name in arrays and arrays[name].shape != tuple(weight.shape)
    ]
    if missing or unexpected or misshapen:
        raise ValueError(
            f"The weights in {origin} do not fit the model. "
            f"Missing: {', '.join(missing) or 'none'}. "
            f"Unexpected: {', '.join(unexpected) or 'none'}. "
            f"Of another shape: {'; '.join(misshapen) or 'none'}."
        )
    for name, weight in wanted.items():
        weight.assign(arrays[name].astype("float32"))


def _is_reset(name: str, reset) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in reset)

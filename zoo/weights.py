"""Weights on disk, in safetensors: names, shapes and numbers, never code."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo.files import written_whole


def write_arrays(path, arrays: Mapping[str, np.ndarray], metadata=None) -> None:
    """Writes named arrays as safetensors; `metadata` is kept beside them as JSON."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with written_whole(path) as beside:
        try:
            save_file(arrays, beside, metadata={"json": json.dumps(metadata or {})})
        except SafetensorError as error:
            raise OSError(f"Cannot write {path}: {error}.") from error


def read_arrays(path) -> tuple[dict[str, np.ndarray], dict]:
    """Reads what `write_arrays` wrote: the arrays and the metadata.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged or cut short.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise FileNotFoundError(f"No such weights file: {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = json.loads((file.metadata() or {}).get("json", "{}"))
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged or was not copied whole ({error}). Get it again."
        ) from error
    return arrays, metadata


def weight_address(variable) -> str:
    """A weight's name in files: its path in the model, without the model's own name."""
    return variable.path.split("/", 1)[1]


def model_arrays(model, half: bool = False) -> dict[str, np.ndarray]:
    """A model's weights by address, in half precision if asked for."""
    arrays = {
        weight_address(weight): np.asarray(weight, "float32")
        for weight in model.weights
    }
    if len(arrays) != len(model.weights):
        raise AssertionError("Two weights share one address: name every sublayer.")
    if half:
        arrays = {name: array.astype("float16") for name, array in arrays.items()}
    return arrays


def assign_arrays(model, arrays: Mapping[str, np.ndarray], origin="the file") -> None:
    """Gives a model the weights read from a file. All must match.

    Raises:
        ValueError: weights missing on either side, or of another shape.
    """
    wanted = {weight_address(weight): weight for weight in model.weights}
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

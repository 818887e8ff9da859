"""The whole state of a training, in files that are written whole or not at all."""

from pathlib import Path

import numpy as np

from zoo.weights import read_arrays, write_arrays

_FILE = "checkpoint.safetensors"


def save_checkpoint(folder, model, progress: dict) -> None:
    """Saves weights, seeds, optimizer and progress; replaces the last checkpoint."""
    arrays = {name: np.asarray(variable) for name, variable in _state(model).items()}
    write_arrays(Path(folder) / _FILE, arrays, progress)


def load_checkpoint(folder, model) -> dict:
    """Restores what `save_checkpoint` saved into a compiled model.

    Returns:
        The progress.

    Raises:
        FileNotFoundError: the folder has no checkpoint.
        ValueError: the checkpoint is of another model or damaged.
    """
    path = Path(folder) / _FILE
    arrays, progress = read_arrays(path)
    state = _state(model)
    if {name: array.shape for name, array in arrays.items()} != {
        name: tuple(variable.shape) for name, variable in state.items()
    }:
        raise ValueError(
            f"{path} is the state of another model. Resume with the options that the "
            "training was started with, or start anew in another folder."
        )
    for name, variable in state.items():
        variable.assign(arrays[name])
    return progress


def read_progress(folder) -> dict | None:
    """The progress that was saved with a checkpoint; `None` if there is none.

    Raises:
        ValueError: the checkpoint is damaged.
    """
    if not has_checkpoint(folder):
        return None
    return read_arrays(Path(folder) / _FILE)[1]


def has_checkpoint(folder) -> bool:
    return (Path(folder) / _FILE).is_file()


def _state(model) -> dict:
    """Every variable that training changes. Seed states and optimizer slots have no
    stable names, but a stable order."""
    model.optimizer.build(model.trainable_variables)
    state = {f"model/{n:04d}": v for n, v in enumerate(model.variables)}
    state |= {f"optimizer/{n:04d}": v for n, v in enumerate(model.optimizer.variables)}
    return state

"""Weights in the files of Hugging Face's hub."""

from pathlib import Path

import numpy as np

from zoo.files import read_json
from zoo.weights import read_arrays

_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def read_hub_arrays(folder) -> dict[str, np.ndarray]:
    """All tensors of a checkpoint, by name, in float32.

    Args:
        folder: with model.safetensors, or shards of it and their index.

    Raises:
        FileNotFoundError: neither is there, or a shard is missing.
        ValueError: a file is damaged.
    """
    folder = Path(folder)
    if (folder / _WHOLE).is_file():
        files = [_WHOLE]
    elif (folder / _INDEX).is_file():
        files = sorted(set(read_json(folder / _INDEX)["weight_map"].values()))
    else:
        raise FileNotFoundError(
            f"{folder} has no {_WHOLE}. Checkpoints of torch (.bin) are pickles, which "
            "may run code, and are not read here: save the model as safetensors first."
        )
    arrays: dict[str, np.ndarray] = {}
    for file in files:
        # A name from the index must not lead out of the folder.
        arrays |= read_arrays(folder / Path(file).name)[0]
    return {
        name: array.astype("float32") if array.dtype.kind not in "iub" else array
        for name, array in arrays.items()
    }


def take_all(arrays: dict, names: dict[str, str], ignored, origin) -> dict:
    """Tensors under the names of this project; nothing may be missing or left.

    Args:
        arrays: by their own names.
        names: own names by the addresses of the model.
        ignored: says of a name that is left over whether it has no use here.
        origin: of the tensors, for messages.

    Raises:
        ValueError: tensors missing or left over; the message lists both.
    """
    missing = sorted(set(names.values()) - set(arrays))
    left = sorted(
        name for name in set(arrays) - set(names.values()) if not ignored(name)
    )
    if missing or left:
        raise ValueError(
            f"The tensors in {origin} are not those of its config.json. "
            f"Missing: {', '.join(missing) or 'none'}. "
            f"Left over: {', '.join(left) or 'none'}."
        )
    return {address: arrays[name] for address, name in names.items()}

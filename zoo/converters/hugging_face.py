"""Weights in the files of Hugging Face's hub."""

from pathlib import Path

import numpy as np

from zoo.converters.torch_pickle import read_torch_pickle
from zoo.files import read_json
from zoo.weights import read_arrays

# Whole, and the index of shards; safetensors before pickles.
_FILES = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)


def read_hub_arrays(folder) -> dict[str, np.ndarray]:
    """All tensors of a checkpoint, by name; those of floats in float32.

    Pickles are read by `zoo.converters.torch_pickle`, which admits tensors alone.

    Args:
        folder: with model.safetensors or pytorch_model.bin, or shards of one of them
            and their index.

    Raises:
        FileNotFoundError: there is neither, or a shard is missing.
        ValueError: a file is damaged or asks for code, or an index names files that are
            not in the folder.
    """
    folder = Path(folder)
    for whole, index in _FILES:
        if (folder / whole).is_file():
            return _floats(_read(folder / whole))
        if (folder / index).is_file():
            return _floats(_read_shards(folder / index))
    raise FileNotFoundError(
        f"{folder} has no model.safetensors and no pytorch_model.bin, nor an index of "
        "shards of one of them."
    )


def _read_shards(index: Path) -> dict[str, np.ndarray]:
    content = read_json(index)
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not places:
        raise ValueError(f"{index} must say in weight_map which file has which tensor.")
    arrays: dict[str, np.ndarray] = {}
    for file in sorted({str(place) for place in places.values()}):
        if file in ("", "..") or Path(file).name != file or "\\" in file:
            raise ValueError(
                f"{index} names {file!r}: shards are beside their index, and no other "
                "file is read."
            )
        found = _read(index.parent / file)
        if twice := sorted(arrays.keys() & found.keys()):
            raise ValueError(f"{index.parent} has {', '.join(twice)} in two shards.")
        arrays |= found
    return arrays


def _read(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".safetensors":
        return read_arrays(path)[0]
    content = read_torch_pickle(path)
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(array, np.ndarray)
        for name, array in content.items()
    ):
        raise ValueError(f"{path} must hold tensors by name and nothing else.")
    return dict(content)


def _floats(arrays: dict) -> dict[str, np.ndarray]:
    return {
        name: array if array.dtype.kind in "iubc" else array.astype("float32")
        for name, array in arrays.items()
    }


def check_shapes(arrays: dict, shapes: dict[str, tuple], origin, of: str) -> None:
    """Compares tensors with the sizes that are stated, before a model is made of them.

    Args:
        arrays: by their own names.
        shapes: by the same; None goes with any size.
        origin: of the tensors, for messages.
        of: what states the sizes, for messages.

    Raises:
        ValueError: a tensor is missing, or has another shape.
    """
    missing = [name for name in shapes if name not in arrays]
    wrong = [
        f"{name} is {arrays[name].shape}, not {shape}"
        for name, shape in shapes.items()
        if name in arrays and not _is_of(arrays[name].shape, shape)
    ]
    said = [f"Missing: {', '.join(missing)}."] if missing else []
    said += [f"Of another shape: {'; '.join(wrong)}."] if wrong else []
    if said:
        raise ValueError(
            f"The tensors in {origin} are not those of its {of}. {' '.join(said)}"
        )


def _is_of(shape: tuple, wanted: tuple) -> bool:
    return len(shape) == len(wanted) and all(
        size in (None, found) for found, size in zip(shape, wanted, strict=True)
    )


def take_all(arrays: dict, names: dict[str, str], ignored, origin) -> dict:
    """Tensors under the names of this project; nothing may be missing or left.

    Args:
        arrays: by their own names.
        names: own names by the addresses of the model.
        ignored: says of a name that is left over whether it has no use here.
        origin: of the tensors, for messages.

    Raises:
        ValueError: tensors missing or left over, of which the message lists both; or
            such that hold no finite floats.
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
    found = {address: arrays[name] for address, name in names.items()}
    _check_numbers(found, names, origin)
    return found


def _check_numbers(found: dict, names: dict[str, str], origin) -> None:
    """Refuses what is no weight, though it has a weight's name."""
    wrong = []
    for address, array in found.items():
        if array.dtype.kind != "f":
            wrong.append(f"{names[address]} is of {array.dtype}, not of floats")
        elif not np.isfinite(array).all():
            wrong.append(f"{names[address]} holds numbers that are not finite")
    if wrong:
        raise ValueError(f"The tensors in {origin} are no weights: {'; '.join(wrong)}.")

"""Inputs as arrays; large batches in parts, and the answers to them together."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np


def as_arrays(inputs: Mapping) -> dict[str, np.ndarray]:
    """Inputs by name as arrays.

    Args:
        inputs: arrays, or lists nested evenly, by name. Of lists integers become
            int32 (int64 where they must) and other numbers float32; arrays keep their
            types. Strings are `str`, or `bytes` for what is no text, and become arrays
            of objects, as do empty lists: of no numbers pass an empty array.

    Raises:
        TypeError: no mapping, or what is neither number nor string.
        ValueError: lists nested unevenly, or text that is no Unicode.
    """
    if not isinstance(inputs, Mapping) or not all(
        isinstance(key, str) for key in inputs
    ):
        raise TypeError(
            "inputs must be a dictionary of arrays or lists by name, such as "
            f"{{'texts': ['Hello.']}}. Received: {_shown(inputs)}."
        )
    return {name: as_array(value, name) for name, value in inputs.items()}


def as_array(value, name: str) -> np.ndarray:
    """One input; see `as_arrays`."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return value
    if isinstance(value, np.ndarray | np.generic):
        # NumPy's own strings cannot end in zeros, so what they lost is lost already.
        value = value.tolist()
    leaf = _first_leaf(value)
    # Of what an empty list is empty nobody says; texts are asked most.
    if isinstance(leaf, str | bytes | list | tuple):
        return _strings(value, name)
    return _numbers(value, name)


def parts_of(arrays: Mapping[str, np.ndarray], size: int | None) -> Iterator[dict]:
    """Inputs in batches of at most so many rows; whole, if there is no common axis."""
    counts = {len(array) if array.ndim else None for array in arrays.values()}
    count = counts.pop() if len(counts) == 1 else None
    if not size or not count or count <= size:
        yield dict(arrays)
        return
    for start in range(0, count, size):
        yield {name: array[start : start + size] for name, array in arrays.items()}


def joined(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Answers to batches as one answer.

    Where batches were padded to different lengths, the shorter ones are padded on, with
    0, `False` or "".

    Raises:
        ValueError: an output without rows.
    """
    if len(parts) == 1:
        return dict(parts[0])
    return {name: _joined(name, [part[name] for part in parts]) for name in parts[0]}


def _joined(name: str, arrays: list[np.ndarray]) -> np.ndarray:
    ranks = {array.ndim for array in arrays}
    if len(ranks) != 1 or 0 in ranks:
        raise ValueError(
            f"Output {name!r} has no rows, so answers to several batches cannot be "
            "joined. Leave out max_batch, or send fewer rows at a time."
        )
    longest = np.max([array.shape[1:] for array in arrays], axis=0, initial=0)
    padded = []
    for array in arrays:
        more = [(0, 0)]
        more += [
            (0, int(long) - own)
            for long, own in zip(longest, array.shape[1:], strict=True)
        ]
        empty = _empty(array)
        padded.append(np.pad(array, more, constant_values=empty))
    return np.concatenate(padded)


def _empty(array):
    if array.dtype.kind != "O":
        return 0
    return b"" if any(isinstance(one, bytes) for one in array.flat) else ""


def _first_leaf(value):
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return value


def _shape(value) -> tuple[int, ...]:
    sizes = []
    while isinstance(value, list | tuple):
        sizes.append(len(value))
        value = value[0] if value else None
    return tuple(sizes)


def _strings(value, name: str) -> np.ndarray:
    shape = _shape(value)
    leaves = list(_leaves(value, shape, name))
    for index, leaf in enumerate(leaves):
        _check_string(leaf, f"{name}, string {index}")
    array = np.empty(len(leaves), object)
    array[:] = leaves
    return array.reshape(shape)


def _leaves(value, shape, name: str):
    is_list = isinstance(value, list | tuple)
    if is_list != bool(shape) or (is_list and len(value) != shape[0]):
        raise ValueError(
            f"{name} must be nested evenly, with as many entries in each list of a "
            f"depth. Received: {_shown(value)} beside others of shape {shape}."
        )
    if not shape:
        yield value
        return
    for one in value:
        yield from _leaves(one, shape[1:], name)


def _check_string(leaf, where: str) -> None:
    if not isinstance(leaf, str | bytes):
        raise TypeError(f"{where}: expected str or bytes. Received: {_shown(leaf)}.")
    if isinstance(leaf, str):
        try:
            leaf.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{where}: {leaf[:40]!r} holds half of a surrogate pair at "
                f"{error.start}, which is no text. Pass bytes, or mend the text."
            ) from None


def _numbers(value, name: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(
            f"{name} must be nested evenly, with as many entries in each list of a "
            f"depth. Received: {_shown(value)}."
        ) from None
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"{name} must be an array or a list of numbers, str or bytes. Received: "
            f"{_shown(value)}."
        )
    if array.dtype.kind == "f":
        return array.astype("float32")
    limits = np.iinfo("int32")
    fits = not array.size or limits.min <= array.min() <= array.max() <= limits.max
    return array.astype("int32") if array.dtype.kind == "i" and fits else array


def _shown(value) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text[:60]}{'…' if len(text) > 60 else ''}"

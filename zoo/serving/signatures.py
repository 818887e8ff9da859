"""What a request sends and wants, beside what a signature takes and gives."""

import numpy as np
import tensorflow as tf

from zoo.serving.errors import invalid

# As TensorFlow's own messages call them.
_TYPE_NAMES = {"float32": "float", "float64": "double", "float16": "half"}


def feeds_of(definitions, inputs) -> dict[str, np.ndarray]:
    """Values by the names of tensors, once names, types and shapes are right."""
    if len(inputs) != len(definitions):
        sent, wanted = sorted(inputs), sorted(definitions)
        extra = [key for key in sent if key not in definitions]
        missing = [key for key in wanted if key not in inputs]
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(wanted)} "
            f"len({_set(sent)}) != len({_set(wanted)}). "
            f"Sent extra: {_set(extra)}. Missing but required: {_set(missing)}."
        )
    feeds = {}
    for key in sorted(definitions):
        if key not in inputs:
            raise invalid(
                f"Signature input alias: {key}(feed name: {definitions[key].name}) not "
                "found in request and no default value provided. Inputs expected to be "
                f"in the request {_set(sorted(inputs))}, or default input alias set: "
            )
        feeds[definitions[key].name] = np.asarray(inputs[key])
    # TensorFlow counts its arguments in the order of their names.
    keys = sorted(definitions, key=lambda key: definitions[key].name)
    for place, key in enumerate(keys):
        _check(place, key, definitions[key], feeds[definitions[key].name])
    return feeds


def _check(place: int, key: str, definition, value: np.ndarray) -> None:
    wanted = tf.as_dtype(definition.dtype)
    given = type_name(value.dtype)
    if given != type_name(wanted):
        raise invalid(
            f"Expects arg[{place}] to be {type_name(wanted)} but {given} is provided"
        )
    if wanted == tf.string and not all(isinstance(item, bytes) for item in value.flat):
        raise invalid(f'Input "{key}" has a string that is not given as bytes.')
    shape = definition.tensor_shape
    if not shape.unknown_rank and not tf.TensorShape(shape).is_compatible_with(
        value.shape
    ):
        sizes = [dimension.size for dimension in shape.dim]
        raise invalid(
            f'Input "{key}" has the shape {shape_name(value.shape)}; the signature '
            f"takes {shape_name(sizes)}, where -1 is any size."
        )


def fetches_of(definitions, output_filter) -> dict[str, str]:
    for place, key in enumerate(output_filter):
        if key not in definitions:
            raise invalid(
                f"output tensor alias not found in signature: {key} Outputs expected "
                f"to be in the set {_set(sorted(definitions))}."
            )
        if key in output_filter[:place]:
            raise invalid(f"duplicate output tensor alias: {key}")
    return {key: definitions[key].name for key in output_filter or sorted(definitions)}


def has_batches(definition) -> bool:
    """Whether requests may be joined: axis 0 of every tensor is of any size."""
    tensors = [*definition.inputs.values(), *definition.outputs.values()]
    shapes = [tensor.tensor_shape for tensor in tensors]
    return bool(definition.inputs) and all(
        shape.unknown_rank or (shape.dim and shape.dim[0].size == -1)
        for shape in shapes
    )


def _set(keys) -> str:
    return "{" + ",".join(keys) + "}"


def shape_name(sizes) -> str:
    return "[" + ",".join(str(size) for size in sizes) + "]"


def type_name(dtype) -> str:
    """What TensorFlow's messages call a type of NumPy's or of its own."""
    if isinstance(dtype, np.dtype) and dtype.kind in "OSU":
        return "string"
    try:
        name = tf.as_dtype(dtype).name
    except TypeError:
        return str(dtype)
    return _TYPE_NAMES.get(name, name)

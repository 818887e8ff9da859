"""What Keras does not do alike on every backend: gradients and graphs."""

import importlib

import keras

BACKEND = keras.backend.backend()
HAS_GRAPHS = BACKEND != "torch"


def gradients(loss, sources: dict) -> dict:
    """Gradients of a number with respect to a dictionary of float arrays.

    Args:
        loss: makes a number from a dictionary of tensors.
        sources: where the gradients are taken.

    Returns:
        Arrays by the same names; `None` where the number does not depend on a source.
    """
    tensors = {name: keras.ops.convert_to_tensor(sources[name]) for name in sources}
    found = {"tensorflow": _by_tape, "jax": _by_function, "torch": _by_graph}[BACKEND](
        loss, tensors
    )
    # JAX gives dictionaries back in another order.
    return {
        name: None if found[name] is None else keras.ops.convert_to_numpy(found[name])
        for name in sources
    }


def _by_tape(loss, tensors):
    tf = importlib.import_module("tensorflow")
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        number = loss(tensors)
    found = tape.gradient(number, tensors)
    # The gradient of a lookup comes in slices.
    return {
        name: None if gradient is None else tf.convert_to_tensor(gradient)
        for name, gradient in found.items()
    }


def _by_function(loss, tensors):
    jax = importlib.import_module("jax")
    return jax.jit(jax.grad(loss))(tensors)


def _by_graph(loss, tensors):
    torch = importlib.import_module("torch")
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in tensors.items()}
    found = torch.autograd.grad(loss(leaves), list(leaves.values()), allow_unused=True)
    return dict(zip(leaves, found, strict=True))


def compiled(function, shapes: dict, dtypes: dict):
    """A function of one dictionary of tensors, as a graph.

    Args:
        function: what to compile.
        shapes: by name; `None` for a size that is not known beforehand. JAX knows
            every size.
        dtypes: by name.
    """
    if BACKEND == "jax":
        return importlib.import_module("jax").jit(function)
    tf = importlib.import_module("tensorflow")
    signature = {name: tf.TensorSpec(shapes[name], dtypes[name]) for name in shapes}
    return tf.function(function, input_signature=[signature])

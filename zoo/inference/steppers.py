"""Which layout of a trained model is exported."""

from zoo.decoding import ModelStepper
from zoo.inference.folded_ssru_transformer import FoldedSSRUTransformer
from zoo.inference.folded_transformer import FoldedTransformer
from zoo.inference.linear import Int8Linear, Linear, WatchedLinear, int8_works
from zoo.models import SSRUTransformer, Transformer

WEIGHTS = ("float32", "int8")
_LAYOUTS = {Transformer: FoldedTransformer, SSRUTransformer: FoldedSSRUTransformer}


def exported_stepper(model, max_positions: int, weights: str = "float32", watch=None):
    """The fastest stepper that there is for a model.

    Args:
        model: a built model.
        max_positions: longest source or target.
        weights: "float32", or "int8" for a `Transformer` or `SSRUTransformer`.
        watch: called with a float32 stepper, to decode typical sentences eagerly: the
            largest numbers seen become the ranges of int8.

    Returns:
        The stepper, and the variables that it needs: none if they became constants.

    Raises:
        ValueError: no such weights, or int8 of a model that has none or unseen.
        RuntimeError: this TensorFlow cannot run int8.
    """
    if weights not in WEIGHTS:
        raise ValueError(
            f"weights must be one of {', '.join(WEIGHTS)}. Received: {weights!r}."
        )
    if weights == "int8":
        return quantized(model, max_positions, watch), []
    if type(model) in _LAYOUTS:
        return _LAYOUTS[type(model)](model, max_positions), []
    return ModelStepper(model), model.variables


def quantized(model, max_positions: int, watch) -> FoldedTransformer:
    """A Transformer in int8; see `exported_stepper`."""
    if type(model) not in _LAYOUTS:
        raise ValueError(
            f"A {type(model).__name__} has no int8 layout. Export it in float32."
        )
    if watch is None:
        raise ValueError(
            "int8 takes its ranges from typical source texts, and none were given. "
            "Give some, in their own language."
        )
    if not int8_works():
        raise RuntimeError(
            "TensorFlow runs int8 products on x86 with oneDNN only. Start with "
            "TF_ENABLE_ONEDNN_OPTS=1 in the environment, or export in float32."
        )
    seen = []

    def watched(*parts):
        seen.append(WatchedLinear(*parts))
        return seen[-1]

    layout = _LAYOUTS[type(model)]
    watch(layout(model, max_positions, watched))
    # Both are made in the same order.
    ranges = iter([linear.largest for linear in seen])
    return layout(
        model, max_positions, lambda *parts: Int8Linear(Linear(*parts), next(ranges))
    )

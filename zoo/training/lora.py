"""Low-rank adaptation: thin factors are learnt beside kernels, and merged at the end.

Hu et al. (2021, https://arxiv.org/abs/2106.09685), with the factors of Keras's own
dense layers: W + (alpha / rank) A B, where B starts at zero.
"""

import random
import re

import keras
import numpy as np

from zoo.recipe import Recipe, TrainingPlan
from zoo.training.parts import frozen_weights, matched
from zoo.weights import assign_arrays, model_arrays, weight_address

_FACTOR = "lora_kernel_"


def add_lora(model, plan: TrainingPlan) -> None:
    """Gives a model's dense kernels the factors that a plan asks for.

    Args:
        model: a built model.
        plan: with a `lora_rank` above 0.

    Raises:
        ValueError: a pattern that matches no dense kernel.
    """
    kernels = dense_kernels(model)
    head = model.parts_by_depth()[-1]
    chosen = {name for name in kernels if not re.fullmatch(head, name)}
    if plan.lora:
        chosen = set().union(*(matched("lora", each, kernels) for each in plan.lora))
    outer_random = random.getstate()
    # Keras draws the default seeds of initializers from here.
    random.seed(plan.seed)
    try:
        for address in sorted(chosen):
            kernels[address].enable_lora(plan.lora_rank, lora_alpha=plan.lora_alpha)
    finally:
        random.setstate(outer_random)


def make_trainable(model, plan: TrainingPlan) -> list:
    """Gives a model what a plan asks for, and checks the plan's patterns.

    Args:
        model: a built model.
        plan: to train it by.

    Returns:
        The weights that stay as they are.

    Raises:
        ValueError: a pattern of the plan that matches nothing.
    """
    if plan.lora_rank:
        add_lora(model, plan)
    return frozen_weights(model, plan)


def dense_kernels(model) -> dict:
    """The dense layers of a model, by the address of their kernels."""
    return {
        weight_address(layer._kernel): layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Dense)
    }


def merged_arrays(model) -> dict[str, np.ndarray]:
    """A model's weights by address, with the factors merged into their kernels."""
    arrays = model_arrays(model)
    for address, layer in dense_kernels(model).items():
        if layer.lora_enabled:
            arrays[address] = np.asarray(layer.kernel, "float32")
    return {
        address: array
        for address, array in arrays.items()
        if not address.rpartition("/")[2].startswith(_FACTOR)
    }


def merged_model(model, recipe: Recipe, task_sizes):
    """A plain model that computes what one with factors does."""
    plain = recipe.build_model(task_sizes)
    assign_arrays(plain, merged_arrays(model))
    return plain

"""Parts of a model that do not start fresh: weights that ship with the package."""

import re

from zoo.presets import SHIPPED
from zoo.recipe import Recipe
from zoo.weights import assign_arrays, read_arrays, weight_address


def start_parts(model, recipe: Recipe) -> None:
    """Gives a model the weights that its recipe starts from, if it names some.

    Args:
        model: of the recipe, built.
        recipe: its `starts` name parts of the model and files in
            `saved_models/starts`, whose addresses are those within the part. Layers
            that the part does not have, as those behind the last map that is read, are
            left out.

    Raises:
        FileNotFoundError: the file is not there.
        ValueError: weights that do not fit.
    """
    for part, name in recipe.starts.items():
        path = SHIPPED / "starts" / f"{name}.safetensors"
        arrays, _ = read_arrays(path)
        arrays = {f"{part}/{address}": array for address, array in arrays.items()}
        layers = {_layer(weight_address(weight)) for weight in model.weights}
        known = {name: arrays[name] for name in arrays if _layer(name) in layers}
        # Of a part that does not exist all are named.
        arrays = known or arrays
        others = [f"(?!{re.escape(part)}/).*"]
        assign_arrays(model, arrays, path, reset=others)


def _layer(address: str) -> str:
    return address.rpartition("/")[0]

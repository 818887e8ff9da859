"""DETR as published (Carion et al., 2020), as a preset."""

from pathlib import Path

from zoo import registry
from zoo.converters.checkpoint_folder import peek_config
from zoo.converters.detr_checkpoint import DetrCheckpoint, read_detr
from zoo.converters.family import Family
from zoo.converters.parity import compare_with_transformers
from zoo.data.object_classes import ObjectClasses
from zoo.presets import Preset
from zoo.tasks.detection import DetectionTask
from zoo.weights import assign_arrays

# Sizes of the recipe by the blocks of the backbone.
_SIZES = {(3, 4, 6, 3): "r50", (3, 4, 23, 3): "r101"}


def convert_detr(
    source, names=None, dilation: bool | None = None, mask_padding: bool = True
) -> Preset:
    """A checkpoint of DETR as a preset of `detection_detr`.

    Its classes keep the names and ids that they have; outputs that are of no class
    stay, and are never reported.

    Args:
        source: see `read_detr`.
        names: see `read_detr`.
        dilation: see `read_detr`.
        mask_padding: see `read_detr`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: see `read_detr`; or sizes that the recipe does not have.
    """
    found = read_detr(source, names, dilation, mask_padding)
    recipe = registry.get("detection_detr", **_recipe_options(found, source))
    task = DetectionTask(
        ObjectClasses(found.names, tuple(range(len(found.names)))),
        found.options["num_queries"],
        classification="softmax",
        shortest=found.shortest,
        longest=found.longest,
    )
    model = recipe.build_model(task.model_options())
    _check_heads(model, found, source)
    assign_arrays(model, found.arrays, source)
    card = {"source": found.source, "recipe": recipe.name}
    return Preset(recipe, task, model, card, Path(source).stem)


def _recipe_options(found: DetrCheckpoint, source) -> dict:
    backbone = found.options["backbone"]
    if backbone["blocks"] not in _SIZES:
        known = ", ".join(f"{name} {blocks}" for blocks, name in _SIZES.items())
        raise ValueError(
            f"{source} has a backbone of {backbone['blocks']} blocks, which is no size "
            f"of the recipe. There is: {known}."
        )
    return {
        "size": _SIZES[backbone["blocks"]],
        "dilation": backbone["dilation"],
        "mask_padding": backbone["mask_padding"],
        "num_queries": found.options["num_queries"],
        "shortest": found.shortest,
        "longest": found.longest,
    }


def _check_heads(model, found: DetrCheckpoint, source) -> None:
    """What no weight tells: how often attention's vectors are parted."""
    heads = found.options["num_heads"]
    if model.num_heads != heads:
        raise ValueError(
            f"{source} has {heads} heads of attention, and the recipe's model "
            f"{model.num_heads}."
        )


HUB_FAMILY = Family(
    name="detr",
    looks_for="config.json with model_type detr; model.safetensors or "
    "pytorch_model.bin (DETR with a ResNet, from transformers)",
    recognises=lambda path: peek_config(path).get("model_type") == "detr",
    convert=convert_detr,
    compare=compare_with_transformers,
    needs="torch transformers timm",
)
AUTHORS_FAMILY = Family(
    name="detr_authors",
    looks_for="a .pth file (DETR from its authors' own code)",
    recognises=lambda path: path.suffix == ".pth" and path.is_file(),
    convert=convert_detr,
)

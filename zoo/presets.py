"""Presets on disk: a recipe's name and options, weights, vocabulary, and a card.

config.json            which recipe, with which options; data only, never code
weights.safetensors    the weights by address, in float32, float16 or int8; or what
                       differs from the weights of a shipped preset
vocabulary/            what the task learnt from data
card.json              data, licence, scores with their signatures, commands
test.*.gz              a test split, where its licence allows to pass it on
"""

import dataclasses
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from zoo import registry
from zoo.deltas import combined, difference
from zoo.files import folder_written_whole, read_json, write_json
from zoo.hub import address_name, fetch, is_remote
from zoo.recipe import Recipe
from zoo.values import unknown
from zoo.weights import (
    Precision,
    assign_arrays,
    model_arrays,
    read_arrays,
    weight_address,
    write_arrays,
)

FORMAT = 1
_TESTS = ("test.tsv.gz", "test.jsonl.gz", "test.zip")
WEIGHTS = "weights.safetensors"
# In folders for Hugging Face's hub, which looks for this name.
HUB_WEIGHTS = "model.safetensors"
_FILES = {"config.json", WEIGHTS, "vocabulary", "card.json", *_TESTS}
# Of the task's files, what says how it answers and not what it knows.
_SETTINGS = "task.json"
# Beside the package, in a checkout and in an installation alike.
SHIPPED = Path(__file__).resolve().parents[1] / "saved_models"


@dataclass
class Preset:
    """What a preset's folder holds, read and built.

    Attributes:
        recipe: the recipe.
        task: with its vocabularies or labels.
        model: the `keras.Model` with the trained weights.
        card: what is known of it.
        name: what it is called: "recipe/preset" if shipped, else the end of its path.
    """

    recipe: Recipe
    task: object
    model: object
    card: dict
    name: str = "unnamed"


def preset_names() -> list[str]:
    """The presets that ship with the package, as "recipe/preset"."""
    found = SHIPPED.glob("*/*/preset/config.json")
    return sorted("/".join(path.parts[-4:-2]) for path in found)


def preset_folder(name_or_path) -> Path:
    """The folder of a shipped preset, the folder given, or one fetched from a hub.

    Raises:
        ValueError: neither a preset's name, nor its folder or its address on a hub.
        ImportError, ConnectionError: of a hub whose client is not installed, or does
            not answer.
    """
    if is_remote(name_or_path):
        return fetch(name_or_path).path
    if str(name_or_path) in preset_names():
        return SHIPPED / str(name_or_path) / "preset"
    path = Path(name_or_path)
    if (path / "config.json").is_file():
        return path
    if path.is_dir():
        raise ValueError(
            f"{path} is no preset: it has no config.json. A preset's folder holds "
            "config.json, weights.safetensors, vocabulary/ and card.json."
        )
    raise ValueError(unknown("preset", str(name_or_path), preset_names()))


def find_test_split(folder) -> Path | None:
    """The test split in a preset's folder, if it has one."""
    found = [Path(folder) / name for name in _TESTS]
    return next((path for path in found if path.is_file()), None)


def read_card(name_or_path) -> dict:
    """A preset's card, without building its model."""
    path = preset_folder(name_or_path) / "card.json"
    return read_json(path) if path.is_file() else {}


def read_recipe(folder) -> Recipe:
    """The recipe that a preset or a run was made with.

    Raises:
        ValueError: a config.json of another format.
    """
    config = read_json(Path(folder) / "config.json")
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else None
        newer = isinstance(found, int) and found > FORMAT
        if isinstance(config, dict) and "model_type" in config:
            raise ValueError(
                f"{folder} is a checkpoint of another project: zoo convert makes a "
                "preset of it."
            )
        raise ValueError(
            f"{folder}/config.json has another format than {FORMAT}, the one that this "
            f"version of attention-zoo reads. Received: {found!r}"
            + (", of a newer version: install that one." if newer else ".")
        )
    recipe, options = config.get("recipe"), config.get("options")
    if not isinstance(recipe, str) or not isinstance(options, dict):
        raise ValueError(
            f"{folder}/config.json must name a recipe and hold its options by name. "
            f"Received: recipe={recipe!r}, options={options!r}."
        )
    return registry.get(recipe, **options, **config.get("training", {}))


def write_recipe(folder, recipe: Recipe) -> None:
    """Writes what `read_recipe` reads."""
    content = {
        "format": FORMAT,
        "recipe": recipe.name,
        "options": dict(recipe.options),
        "training": dataclasses.asdict(recipe.training),
    }
    write_json(Path(folder) / "config.json", content)


def load_preset(name_or_path) -> Preset:
    """Builds a preset's model and gives it its weights. Runs no code of the preset.

    Raises:
        FileNotFoundError, ValueError: a part is missing, damaged, or does not fit.
    """
    folder = preset_folder(name_or_path)
    recipe = read_recipe(folder)
    task = load_task(recipe, folder / "vocabulary")
    model = recipe.build_model(task.model_options())
    weights = _weights_of(folder)
    arrays, metadata = read_arrays(weights)
    if "base" in metadata:
        base = _base_arrays(metadata, weights)
        arrays = combined(arrays, base)
        own = {weight_address(weight) for weight in model.weights}
        arrays = {name: arrays[name] for name in arrays if name in own}
    assign_arrays(model, arrays, weights)
    path = folder / "card.json"
    card = read_json(path) if path.is_file() else {}
    name = address_name(name_or_path) or _name_of(folder)
    return Preset(recipe, task, model, card, name)


def _weights_of(folder: Path) -> Path:
    own, hub = folder / WEIGHTS, folder / HUB_WEIGHTS
    return hub if hub.is_file() and not own.is_file() else own


def _base_arrays(metadata: dict, origin) -> dict:
    """The weights of the shipped preset that another one is a difference to."""
    name = metadata["base"]
    if name not in preset_names():
        raise ValueError(
            f"{origin} is the difference to the preset {name!r}, which does not ship "
            "with this version of attention-zoo. Install the version it was made with."
        )
    path = preset_folder(name) / WEIGHTS
    if (found := _sha256(path)) != metadata.get("sha256"):
        raise ValueError(
            f"{origin} is the difference to another state of {name} (sha256 "
            f"{metadata.get('sha256')}, here {found}). Install the version of "
            "attention-zoo that it was made with."
        )
    return read_arrays(path)[0]


def _sha256(path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _name_of(folder: Path) -> str:
    """What a card may call a preset: no path of one machine."""
    parts = folder.resolve().parts
    return "/".join(parts[-3:-1] if folder.is_relative_to(SHIPPED) else parts[-2:])


def load_task(recipe: Recipe, folder):
    """A recipe's task with the vocabularies or labels of a folder.

    Raises:
        FileNotFoundError: the folder lacks a file.
    """
    return recipe.task.resolve().load(folder)


def save_preset(
    preset: Preset, folder, precision: Precision = "float32", base: str | None = None
) -> None:
    """Writes a preset, whole or not at all; replaces an older preset there.

    The test split of an older preset stays if it is the same one saved anew: of the
    same recipe and options, and with the same vocabulary.

    Args:
        preset: what to write.
        folder: a folder that is new, empty, or holds a preset.
        precision: of the weights on disk: "float32", "float16" or "int8", a half or
            a quarter as large.
        base: a shipped preset; only what differs from its weights is written, and
            products of thin matrices as such (`zoo.deltas`).

    Raises:
        ValueError: the folder holds something else, or the test split of another
            preset, or there is no such precision or base.
    """
    folder = Path(folder)
    if base is not None and base not in preset_names():
        raise ValueError(unknown("shipped preset", base, preset_names()))
    if folder.exists() and not _may_replace(folder):
        raise ValueError(
            f"{folder} exists and is no preset, or holds more than a preset's config, "
            "weights, vocabulary and card. Name a new folder to save in."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_written_whole(folder) as beside:
        write_recipe(beside, preset.recipe)
        write_json(beside / "card.json", preset.card)
        (beside / "vocabulary").mkdir()
        preset.task.save(beside / "vocabulary")
        if (test := find_test_split(folder)) is not None:
            _keep_test_split(test, beside)
        arrays, metadata = model_arrays(preset.model), {}
        if base is not None:
            path = preset_folder(base) / WEIGHTS
            arrays = difference(arrays, read_arrays(path)[0])
            metadata = {"base": base, "sha256": _sha256(path)}
        weights = beside / WEIGHTS
        write_arrays(weights, arrays, metadata, precision)


def _may_replace(folder: Path) -> bool:
    """Whether a folder holds nothing but what a preset holds."""
    return folder.is_dir() and {path.name for path in folder.iterdir()} <= _FILES


def _keep_test_split(test: Path, beside: Path) -> None:
    """Copies an older preset's test split, if it is a test of the new one too."""
    if _identity(test.parent) != _identity(beside):
        raise ValueError(
            f"{test.parent} holds the test split of another preset ({test.name}): its "
            "recipe, options or vocabulary differ. Name a new folder to save in."
        )
    shutil.copyfile(test, beside / test.name)


def _identity(folder: Path) -> tuple:
    """What makes two folders hold the same preset, however trained."""
    path = folder / "config.json"
    config = read_json(path) if path.is_file() else {}
    vocabulary = {
        path.name: path.read_bytes()
        for path in (folder / "vocabulary").glob("*")
        if path.name != _SETTINGS
    }
    return config.get("recipe"), config.get("options"), vocabulary

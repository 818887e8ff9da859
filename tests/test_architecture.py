"""The direction of imports, and which rooms may import TensorFlow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What each room may import of this project, besides itself.
MAY_IMPORT = {
    "ops": set(),
    "files": set(),
    "environment": {"files"},
    "plots": {"files"},
    "highlights": {"files", "plots"},
    "reliability_plot": {"files", "plots"},
    "pictures": {"files", "plots"},
    "recipe": {"values"},
    "values": set(),
    "registry": {"recipe", "recipes", "values"},
    "recipes": {"recipe", "registry"},
    "layers": {"ops"},
    "losses": {"ops"},
    "metrics": {"losses", "ops"},
    "models": {"layers", "ops"},
    "data": {"files", "ops"},
    "decoding": {"data"},
    "inference": {"data", "decoding", "models", "ops"},
    "weights": {"files"},
    "export": {"environment", "files"},
    "protocol": set(),
    "serving": {"environment", "files", "protocol"},
    "answers": {"highlights", "pictures", "plots"},
    "client": {"answers", "protocol"},
    "deployment": {"environment", "files"},
    "tasks": {"answers", "data", "decoding", "export", "files", "highlights"}
    | {"inference", "losses", "metrics", "ops", "values"},
    "presets": {"deltas", "files", "hub", "recipe", "registry", "values", "weights"},
    "deltas": set(),
    "training": {"files", "presets", "recipe", "registry", "values", "weights"},
    "converters": {"data", "files", "hub", "models", "presets", "registry", "tasks"}
    | {"weights"},
    "hub": set(),
    "sharing": {"files", "hub", "presets", "weights"},
    "surgery": {"data", "presets", "registry", "weights"},
    "pretrained": {
        "converters",
        "export",
        "presets",
        "recipe",
        "training",
        "values",
        "weights",
    },
    "studies": {"data", "decoding", "files", "layers", "losses", "metrics", "models"}
    | {"plots", "presets", "pretrained", "recipe", "registry", "training", "values"}
    | {"weights"},
    "cli": {"answers", "files", "plots", "presets", "pretrained", "recipe", "registry"}
    | {"converters", "data", "decoding", "highlights", "metrics", "reliability_plot"}
    | {"deployment", "export", "pictures", "serving", "studies", "tasks", "training"}
    | {"environment", "hub", "sharing", "surgery", "values"},
    "__init__": {"presets", "pretrained", "registry"},
    "__main__": {"cli"},
}
MAY_IMPORT_TENSORFLOW = {
    "converters",
    "data",
    "decoding",
    "export",
    "inference",
    "serving",
}
MAY_IMPORT_TENSORFLOW |= {"studies", "surgery", "tasks", "training"}


def _room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "recipes" if parts[0] == "recipes" else parts[1]


def _imports(path: Path):
    """Every module that a file imports, at whatever level of indentation."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            if node.module == "zoo":
                yield from (f"zoo.{alias.name}" for alias in node.names)


FILES = sorted([*ROOT.glob("zoo/**/*.py"), *ROOT.glob("recipes/*.py")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    room = _room(path)
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "recipes":
            imported = "recipes"
        elif parts[0] == "zoo" and len(parts) > 1:
            imported = parts[1]
        else:
            continue
        if imported != room:
            assert imported in MAY_IMPORT[room], f"{room} must not import {imported}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_some_rooms_import_tensorflow(path):
    if _room(path) in MAY_IMPORT_TENSORFLOW:
        return
    for name in _imports(path):
        assert name.split(".")[0] not in ("tensorflow", "tensorflow_text"), name


def test_no_two_rooms_import_each_other():
    pairs = {
        (room, other)
        for room, allowed in MAY_IMPORT.items()
        for other in allowed
        if room in MAY_IMPORT.get(other, ())
    }
    # The registry finds recipes by name, and a recipe registers itself.
    assert pairs == {("recipes", "registry"), ("registry", "recipes")}


def test_every_room_has_a_rule():
    assert {_room(path) for path in FILES} == set(MAY_IMPORT)


def test_a_recipe_imports_neither_keras_nor_tensorflow():
    code = (
        "import sys, zoo.registry; zoo.registry.entries();"
        "print([m for m in ('keras', 'tensorflow', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.strip() == "[]"

"""Variables of the environment that exports ask for.

An export is made by anybody, and a variable such as LD_PRELOAD runs what it names. So
an export may ask for a few that decide how numbers are computed, and for no others.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from zoo.files import MANIFEST, read_json

# Which of TensorFlow's kernels compute, and with which instructions.
ADMITTED = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def read_environment(folder) -> dict[str, str]:
    """Variables that a version of a model asks for; none of a foreign one.

    Args:
        folder: the version's.

    Raises:
        ValueError: what it says of itself is not readable, or it asks for a variable
            that no export may, or for a value that is more than letters and digits.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        return {}
    manifest = read_json(path)
    if not isinstance(manifest, dict):
        raise ValueError(f"{path} is no JSON object.")
    return checked_environment(manifest.get("environment", {}), path)


def checked_environment(environment, asks) -> dict[str, str]:
    """Variables that an export may ask for.

    Args:
        environment: values by name, from wherever.
        asks: who asks, for messages.

    Raises:
        ValueError: it holds anything else.
    """
    if not isinstance(environment, Mapping):
        raise ValueError(f"{asks}: the environment is no object of names and values.")
    for name, value in environment.items():
        if name not in ADMITTED:
            raise ValueError(
                f"{asks} asks for {name!r} in the environment, which is not set for an "
                f"export. It may ask for {' and '.join(ADMITTED)}."
            )
        if not isinstance(value, str) or not _PLAIN.fullmatch(value):
            raise ValueError(
                f"{asks} asks for {name}={value!r} in the environment; expected "
                "letters and digits, for example 1."
            )
    return dict(environment)


def joined_environment(wanted) -> dict[str, str]:
    """The variables of models that one server has, all together.

    Args:
        wanted: pairs of a model's name and its variables.

    Raises:
        ValueError: they differ.
    """
    found: dict[str, str] = {}
    for model, environment in wanted:
        for name, value in environment.items():
            if found.setdefault(name, value) != value:
                raise ValueError(
                    f"{model} needs {name}={value}, and another model "
                    f"{name}={found[name]}: they need servers of their own."
                )
    return found

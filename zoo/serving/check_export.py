"""Proves an export: it answers in a clean process, as recorded when it was made."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

from zoo.files import MANIFEST, read_json

_SCRIPT = Path(__file__).with_name("clean_process.py")
# Sums in another order, on another machine, may differ in the last digits.
TOLERANCE = 1e-4


class ExportCheckFailed(RuntimeError):
    """The export does not load, or does not answer as recorded."""


def version_folder(folder) -> Path:
    """The SavedModel in a folder: itself, or its highest version.

    Raises:
        ValueError: there is none.
    """
    folder = Path(folder)
    if (folder / "saved_model.pb").is_file():
        return folder
    versions = list(folder.glob("*/saved_model.pb"))
    versions = [path.parent for path in versions if path.parent.name.isdigit()]
    if not versions:
        raise ValueError(
            f"{folder} holds no export: neither a saved_model.pb nor a numbered "
            "version with one."
        )
    return max(versions, key=lambda path: int(path.name))


def run_export(folder, requests: dict) -> dict:
    """Runs signatures of an export in a clean process.

    Args:
        folder: an export, or a folder of versions.
        requests: inputs by signature: `{"serving_default": {"texts": ["..."]}}`.

    Returns:
        Outputs by signature, as nested lists.

    Raises:
        ExportCheckFailed: the process failed; the message is its own.
    """
    return dict(zip(requests, answer_export(folder, requests.items()), strict=True))


def answer_export(folder, requests) -> list[dict]:
    """Runs any number of requests, in order, in one clean process.

    Args:
        folder: an export, or a folder of versions.
        requests: pairs of a signature and its inputs.

    Returns:
        The outputs of each request, as nested lists.

    Raises:
        ExportCheckFailed: the process failed; the message is its own.
    """
    folder = version_folder(folder).resolve()
    done = subprocess.run(
        [sys.executable, "-I", str(_SCRIPT), str(folder)],
        input=json.dumps([list(request) for request in requests]),
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
        env=os.environ | read_json(folder / MANIFEST).get("environment", {}),
    )
    if done.returncode:
        raise ExportCheckFailed(
            f"{folder} does not answer in a clean process:\n{done.stderr[-2000:]}"
        )
    return json.loads(done.stdout)


def check_export(folder) -> dict:
    """Compares an export's answers with those recorded when it was made.

    Args:
        folder: an export, or a folder of versions.

    Returns:
        For each signature the `largest_difference` of its numbers, and how many
        `values` were compared, strings included.

    Raises:
        ExportCheckFailed: it does not load, or answers otherwise than recorded.
    """
    folder = version_folder(folder)
    recorded = read_json(folder / MANIFEST)["signatures"]
    answers = run_export(
        folder, {name: signature["sample"] for name, signature in recorded.items()}
    )
    return {
        name: _compare(name, recorded[name]["answer"], answers[name])
        for name in recorded
    }


def _compare(name, expected: dict, answer: dict) -> dict:
    if set(expected) != set(answer):
        raise ExportCheckFailed(
            f"{name} should return {sorted(expected)} and returned {sorted(answer)}."
        )
    largest, values = 0.0, 0
    for key in expected:
        pairs = list(_pairs(f"{name}.{key}", expected[key], answer[key]))
        values += len(pairs)
        for one, other in pairs:
            if isinstance(one, float) and isinstance(other, float):
                difference = abs(one - other) / max(1.0, abs(one))
                largest = max(largest, difference)
                if not math.isfinite(other) or difference > TOLERANCE:
                    raise ExportCheckFailed(
                        f"{name}.{key}: recorded {one}, answered {other}."
                    )
            elif one != other:
                raise ExportCheckFailed(
                    f"{name}.{key}: recorded {one!r}, answered {other!r}."
                )
    return {"values": values, "largest_difference": largest}


def _pairs(name, expected, answer):
    """Recorded and answered values, side by side, however deep in lists."""
    if isinstance(expected, list) and isinstance(answer, list):
        if len(expected) != len(answer):
            raise ExportCheckFailed(
                f"{name}: {len(expected)} values recorded, {len(answer)} answered."
            )
        for one, other in zip(expected, answer, strict=True):
            yield from _pairs(name, one, other)
    else:
        yield expected, answer

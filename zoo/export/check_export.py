"""Proves an export: in a clean process it answers as recorded when it was made."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

from zoo.environment import read_environment
from zoo.files import GRAPH, MANIFEST, WARM_UP, exports_in, read_json

_SCRIPT = Path(__file__).with_name("c_api.py")
_PACKAGES = {"tensorflow": "TensorFlow", "tensorflow_text": "TF Text"}
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
    if (folder / GRAPH).is_file():
        return folder
    versions = exports_in(folder)
    if not versions:
        raise ValueError(
            f"{folder} holds no export: neither a {GRAPH} nor a numbered "
            "version with one."
        )
    return versions[max(versions)]


def ask_export(folder, requests, warm_up: bool = False, site=None) -> dict:
    """Asks an export in a clean process, through TensorFlow's C API.

    Args:
        folder: an export, or a folder of versions.
        requests: pairs of a signature and its inputs by name, as nested lists;
            {"b64": "..."} stands for bytes.
        warm_up: whether the records of its warm-up file are replayed too.
        site: a site-packages folder with another TensorFlow and TF Text; those of
            this interpreter if `None`.

    Returns:
        `tensorflow`, its version; `answers`, the outputs by name of each request; if
        asked for, `warm_up`, pairs of a signature and its outputs, one a record.

    Raises:
        ExportCheckFailed: no answer; the message is TensorFlow's own.
        FileNotFoundError: no TensorFlow or no TF Text in the site, or no warm-up file.
        ValueError: it asks for variables that no export may.
    """
    folder = version_folder(folder).resolve()
    if warm_up and not (folder / WARM_UP).is_file():
        raise FileNotFoundError(f"{folder} has no warm-up file: {WARM_UP}.")
    environment = read_environment(folder)
    command = [sys.executable, "-I", "-S", _SCRIPT, folder, *_packages(site)]
    done = subprocess.run(
        command + ["--warm-up"] * warm_up,
        input=json.dumps([list(request) for request in requests]),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=os.environ | environment,
    )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = {"error": f"exit code {done.returncode}\n{done.stderr[-2000:]}"}
    if "error" in found:
        raise ExportCheckFailed(
            f"{folder} does not answer in a clean process: {found['error']}"
        )
    return found


def run_export(folder, requests: dict, site=None) -> dict:
    """Runs signatures of an export in a clean process.

    Args:
        folder: an export, or a folder of versions.
        requests: inputs by signature: `{"serving_default": {"texts": ["..."]}}`.
        site: as in `ask_export`.

    Returns:
        Outputs by signature, as nested lists.

    Raises:
        ExportCheckFailed, FileNotFoundError: as `ask_export`.
    """
    answers = answer_export(folder, requests.items(), site)
    return dict(zip(requests, answers, strict=True))


def answer_export(folder, requests, site=None) -> list[dict]:
    """The outputs of any number of requests, in order, in one clean process.

    Args:
        folder, requests, site: as in `ask_export`.

    Raises:
        ExportCheckFailed, FileNotFoundError: as `ask_export`.
    """
    return ask_export(folder, requests, site=site)["answers"]


def replay_warm_up(folder, site=None) -> list[tuple[str, dict]]:
    """Replays the warm-up file of an export, whose bad record would stop a server.

    Args:
        folder, site: as in `ask_export`.

    Returns:
        Pairs of a signature and its outputs, one a record.

    Raises:
        ExportCheckFailed, FileNotFoundError: as `ask_export`.
    """
    found = ask_export(folder, [], warm_up=True, site=site)["warm_up"]
    return [(name, answer) for name, answer in found]


def check_export(folder, site=None) -> dict:
    """Compares an export's answers with those recorded when it was made.

    Its warm-up file is replayed too, if it has one.

    Args:
        folder: an export, or a folder of versions.
        site: as in `ask_export`.

    Returns:
        For each signature the `largest_difference` of its numbers, how many `values`
        were compared, strings included, and how many `warm_up_records` it has.

    Raises:
        ExportCheckFailed: it does not load, or answers otherwise than recorded.
        FileNotFoundError: no TensorFlow or no TF Text in the site.
        ValueError: nothing is recorded: `zoo export` did not write it.
    """
    folder = version_folder(folder)
    if not (folder / MANIFEST).is_file():
        raise ValueError(
            f"{folder} has no {MANIFEST}: zoo export did not write it, so no answers "
            "are recorded to compare with. zoo serve serves it."
        )
    recorded = read_json(folder / MANIFEST)["signatures"]
    samples = [(name, signature["sample"]) for name, signature in recorded.items()]
    has_warm_up = (folder / WARM_UP).is_file()
    found = ask_export(folder, samples, has_warm_up, site)
    replayed = [name for name, _ in found.get("warm_up", [])]
    report = {}
    for (name, signature), answer in zip(
        recorded.items(), found["answers"], strict=True
    ):
        report[name] = compare_answers(name, signature["answer"], answer)
        report[name]["warm_up_records"] = replayed.count(name)
    return report


def _packages(site) -> list[Path]:
    """The folders of TensorFlow and TF Text."""
    folders = []
    for name, title in _PACKAGES.items():
        if site is not None:
            folder, where = Path(site).resolve() / name, f"in {site}"
        else:
            found = importlib.util.find_spec(name)
            places = found and found.submodule_search_locations
            folder = Path(places[0]) if places else None
            where = f"for {sys.executable}"
        if folder is None or not folder.is_dir():
            raise FileNotFoundError(
                f"There is no {title} {where}. An export is checked with the folder "
                "site-packages of an environment that has tensorflow and "
                "tensorflow-text."
            )
        folders.append(folder)
    return folders


def compare_answers(name: str, expected: dict, answer: dict) -> dict:
    """Compares outputs by name: numbers to `TOLERANCE`, all else exactly.

    Args:
        name: of what is compared, for messages.
        expected, answer: outputs by name, as nested lists.

    Returns:
        The `largest_difference` of numbers, relative to those above 1, and how many
        `values` were compared.

    Raises:
        ExportCheckFailed: they differ; the message says in what.
    """
    if set(expected) != set(answer):
        raise ExportCheckFailed(
            f"{name} should return {sorted(expected)} and returned {sorted(answer)}."
        )
    largest, values = 0.0, 0
    for key in expected:
        pairs = list(_pairs(f"{name}.{key}", expected[key], answer[key]))
        values += len(pairs)
        for one, other in pairs:
            difference = _difference(one, other)
            # Not a number is not below the tolerance either.
            if not difference <= TOLERANCE:
                raise ExportCheckFailed(
                    f"{name}.{key}: recorded {one!r}, answered {other!r}."
                )
            largest = max(largest, difference)
    return {"values": values, "largest_difference": largest}


def _difference(one, other) -> float:
    if one == other:
        return 0.0
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) / max(1.0, abs(one))
    return math.inf


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

"""What a study has measured so far: a file in its folder, one line a measurement.

A line is written when its measurement is finished, so a study that was killed loses
only the one it was at.
"""

import contextlib
import json
import os
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from zoo.files import written_whole

FILE = "measurements.jsonl"
# Told what is being measured, how much is done and how much there is in all.
Tell = Callable[[str, float, float], None]


class Measurements:
    """The measurements in a folder, which is made if need be.

    Args:
        folder: new, empty, or holding measurements of this study; its parent must
            exist.
        study: the study's name.
        options: what the measurements depend on, as JSON can hold it.

    Raises:
        ValueError: the folder holds another study, or one with other options, or a
            damaged line.
        FileNotFoundError: the parent does not exist.
    """

    def __init__(self, folder, study: str, options: dict):
        self.path = Path(folder) / FILE
        self._head = {"study": study, "options": json.loads(json.dumps(options))}
        self.rows: list[dict] = []
        self.machines: list[str] = []
        if not Path(folder).parent.is_dir():
            raise FileNotFoundError(
                f"Cannot write in {folder}: {Path(folder).parent} does not exist; "
                "create it."
            )
        Path(folder).mkdir(exist_ok=True)
        if self.path.is_file():
            self._read()

    def find(self, **values) -> list[dict]:
        """The measurements with these values, in the order they were made."""
        return [
            row
            for row in self.rows
            if all(row.get(key) == value for key, value in values.items())
        ]

    def add(self, **row) -> None:
        """Keeps a finished measurement."""
        line = self._head | {"machine": describe_machine(), "row": row}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(json.loads(json.dumps(line)))

    def _take(self, line):
        self.rows.append(line["row"])
        if line["machine"] not in self.machines:
            self.machines.append(line["machine"])

    def _read(self):
        text = self.path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                content = json.loads(line)
                head = {key: content[key] for key in self._head}
                self._check(head)
                self._take({key: content[key] for key in ("machine", "row")})
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                raise ValueError(
                    f"Line {number} of {self.path} is damaged ({error!r}). Remove the "
                    "line to measure it again, or choose a new folder."
                ) from error
        if whole != text:
            # Killed while it wrote its last line.
            with written_whole(self.path) as beside:
                beside.write_text(whole, encoding="utf-8")

    def _check(self, head):
        if head["study"] != self._head["study"]:
            raise ValueError(
                f"{self.path.parent} holds the study {head['study']!r}, not "
                f"{self._head['study']!r}. Choose another folder."
            )
        then, now = head["options"], self._head["options"]
        changed = [
            f"{key} was {then.get(key)!r} and is now {now.get(key)!r}"
            for key in sorted({*then, *now})
            if then.get(key) != now.get(key)
        ]
        if changed:
            raise ValueError(
                f"{self.path.parent} holds measurements made with other options: "
                f"{'; '.join(changed)}. Go on with the same options, or choose another "
                "folder."
            )


def describe_machine() -> str:
    """Processor, cores and versions, for the foot of a table."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    versions = []
    for package in ("keras", backend):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions.append(f"{package} {metadata.version(package)}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return (
        f"{_processor()}, {cores or os.cpu_count()} cores, Python "
        f"{platform.python_version()}, {', '.join(versions)}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model n")]
    return names[0] if names else platform.processor() or platform.machine()

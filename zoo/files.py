"""Files that are written whole or not at all, and which files an export has."""

import gzip
import json
import os
import shutil
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path

# In the folder of an export's version: what it computes,
GRAPH = "saved_model.pb"
# how a server joins its requests,
BATCHING = "batching_params.pbtxt"
# what it says of itself, the names of its classes,
MANIFEST = Path("assets.extra") / "zoo.json"
LABELS = Path("assets.extra") / "labels.txt"
# and what a server asks it while it is loaded; of more records none loads it.
WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"
MOST_WARM_UP_RECORDS = 1000


def check_vacant(path) -> None:
    """Refuses a place where something is: a file, or a folder that is not empty.

    Raises:
        ValueError: it holds something.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path} holds something already. Name a new one.")


@contextmanager
def written_whole(path):
    """Gives a path beside `path` to write to; it becomes `path` when all went well.

    A reader sees the old file or the new one, never half of one, and a failure leaves
    nothing behind.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        with open(name, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def folder_written_whole(path):
    """Gives a folder beside `path` to fill; it becomes `path` when all went well.

    An older folder at `path` is replaced. The parent must exist.
    """
    path = Path(path)
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    old = beside.with_name(f"{beside.name}.old")
    try:
        yield beside
        beside.chmod(0o755)
        if path.exists():
            path.rename(old)
        beside.rename(path)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        for leftover in (beside, old):
            shutil.rmtree(leftover, ignore_errors=True)


def versions_in(base_path) -> dict[int, Path]:
    """The folders that TF Serving takes for versions of a model, whole or not.

    Args:
        base_path: the folder that they lie in.

    Returns:
        Folders by version, the lowest first: names of digits, of 63 bits at most.

    Raises:
        OSError: the base path is not there, or not readable.
    """
    with os.scandir(base_path) as entries:
        found = sorted(entry.name for entry in entries if entry.is_dir())
    versions = {
        int(name): Path(base_path) / name
        for name in found
        if name.isascii() and name.isdigit() and len(name) < 30 and int(name) < 2**63
    }
    return dict(sorted(versions.items()))


def exports_in(base_path) -> dict[int, Path]:
    """The versions with a SavedModel; none if the base path is no folder."""
    if not Path(base_path).is_dir():
        return {}
    return {
        version: folder
        for version, folder in versions_in(base_path).items()
        if (folder / GRAPH).is_file()
    }


def unzipped(content: bytes, path) -> bytes:
    """What a gzip file holds.

    Args:
        content: of the file.
        path: of the file, for messages.

    Raises:
        ValueError: it is no gzip file, or only part of one.
    """
    try:
        return gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}.") from error


def write_json(path, content) -> None:
    with written_whole(path) as beside:
        text = json.dumps(content, indent=2, ensure_ascii=False)
        beside.write_text(text + "\n", encoding="utf-8")


def read_json(path):
    """Reads a JSON file.

    Raises:
        ValueError: the file is no JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not readable JSON: {error}.") from error

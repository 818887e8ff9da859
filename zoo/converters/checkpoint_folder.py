"""What a foreign checkpoint's folder says of itself, read with suspicion."""

import hashlib
import json
import re
from pathlib import Path

CONFIG = "config.json"
# Of a config: they are some thousands of bytes, with many labels some hundred thousand.
_MOST_BYTES = 16 << 20
_WEIGHTS = re.compile(
    r".*\.(safetensors|pth|npz|h5)|(pytorch_)?model[\w.-]*\.bin", re.IGNORECASE
)
_NO_LICENCE = "unknown: see the source"
_LICENCE_FILES = re.compile(r"LICEN[CS]E(\.\w+)?", re.IGNORECASE)


def read_config(folder) -> dict:
    """config.json of a checkpoint.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no object of JSON, or absurdly large.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {CONFIG}.")
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size} bytes: it is no config.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not readable JSON: {error}.") from error
    if not isinstance(found, dict):
        raise ValueError(
            f"{path} must be an object of JSON. Received: {type(found).__name__}."
        )
    return found


def peek_config(path) -> dict:
    """config.json, or nothing at all where it cannot be read; never raises."""
    try:
        return read_config(path)
    except (OSError, ValueError):
        return {}


def check_links(folder) -> None:
    """Refuses links that lead out of a folder, to files that are nobody's to copy.

    The cache of Hugging Face's client is made of links, to the blobs beside it.

    Raises:
        ValueError: such a link.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return
    within = [folder.resolve()]
    if within[0].parent.name == "snapshots":
        within.append(within[0].parents[1] / "blobs")
    for path in folder.rglob("*"):
        if not path.is_symlink():
            continue
        target = path.resolve()
        if not any(target.is_relative_to(place) for place in within):
            raise ValueError(
                f"{path} is a link that leads out of the folder. Put the file itself "
                "there if it is meant."
            )


def weights_sha256(path) -> dict[str, str] | str | None:
    """Of a checkpoint's weights: of the one file, or of each by name."""
    path = Path(path)
    files = [path] if path.is_file() else _weights_files(path)
    found = {file.name: _sha256(file) for file in files}
    return next(iter(found.values())) if len(found) == 1 else found or None


def _weights_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _WEIGHTS.fullmatch(path.name)]
    # Pickles are read only where there is nothing else.
    tensors = [path for path in found if path.suffix == ".safetensors"]
    return sorted(tensors or found)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def stated_licence(path) -> str:
    """The licence that a checkpoint states, in its model card or in a file.

    Args:
        path: its folder, or a file in it.
    """
    path = Path(path)
    if not path.exists():
        return _NO_LICENCE
    folder = path if path.is_dir() else path.parent
    card = front_matter(folder / "README.md")
    if licence := card.get("license_name") or card.get("license"):
        link = card.get("license_link")
        return f"{licence} (model card)" + (f", {link}" if link else "")
    if path.is_dir():
        for file in sorted(folder.iterdir()):
            if _LICENCE_FILES.fullmatch(file.name) and file.is_file():
                return f"{_first_line(file)} ({file.name})"
    return _NO_LICENCE


def front_matter(path) -> dict[str, str]:
    """Plain values by name of what a model card begins with; lists are left out.

    YAML's other forms are not needed to find a licence.
    """
    path = Path(path)
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines or lines[0].strip() != "---" or "---" not in lines[1:]:
        return {}
    found = {}
    for line in lines[1 : lines.index("---", 1)]:
        name, colon, value = line.partition(":")
        value = value.split(" #")[0].strip().strip("'\"")
        if colon and value and re.fullmatch(r"\w+", name) and value[0] not in "[{|>&":
            found[name] = value[:200]
    return found


def _first_line(path: Path) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read(2_000)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:120] if lines else "stated"

"""What a deployment's folder held when it was written, so that no other is lost.

`.deployment.json` has a digest of each file and of each version of a model. What is
there besides, or is not as it was, is the user's.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from zoo.files import GRAPH, read_json, versions_in, write_json

RECORD = ".deployment.json"
_MODELS = "models"
# Larger files of a version count by their size alone: they are many GB.
_READ_BYTES = 1 << 20


def write_record(folder, names) -> None:
    """Records files and all versions of models.

    Args:
        folder: of the deployment.
        names: of its files, but for those of models.
    """
    folder = Path(folder)
    write_json(
        folder / RECORD,
        {
            "files": {name: _of_file(folder / name) for name in sorted(names)},
            "versions": {
                f"{model}/{version}": _of_version(path)
                for (model, version), path in _versions(folder).items()
            },
        },
    )


def check_files(folder) -> None:
    """Refuses a folder in which a file of the deployment was changed.

    Raises:
        ValueError: one was, or it is not known what was written.
    """
    folder = Path(folder)
    recorded = _recorded(folder)["files"]
    changed = [
        name
        for name, digest in recorded.items()
        if (folder / name).is_file() and _of_file(folder / name) != digest
    ]
    if changed:
        raise ValueError(
            f"In {folder} these files were changed since zoo deploy wrote them, and "
            f"would be lost: {', '.join(changed)}. Move them away, replace, and make "
            "the changes again."
        )


def check_models(folder, sources: Mapping[str, Mapping[int, Path] | None]) -> None:
    """Refuses a folder that holds what is neither recorded nor among the sources.

    A version that goes altogether must have its files elsewhere too, by hard links.

    Args:
        folder: of the deployment that is to be replaced.
        sources: what is to take its place: folders by version of each model; `None` of
            one that is still to be exported, as version 1.

    Raises:
        ValueError: a version would be lost, or another file among the models.
    """
    folder = Path(folder)
    recorded, there = _recorded(folder)["versions"], _versions(folder)
    lost = [
        str(path.relative_to(folder))
        for (model, version), path in there.items()
        if not _replaced(path, version, sources.get(model, {}), recorded)
    ]
    lost += _strays(folder / _MODELS, there)
    if lost:
        raise ValueError(
            f"In {folder} this would be lost, which is not among the models to be "
            f"deployed: {', '.join(lost)}. Move it away, or deploy from there: "
            f"NAME={folder / _MODELS}/NAME."
        )


def written_files(folder) -> set[str]:
    """The files that zoo deploy wrote, besides models, and that new ones replace."""
    return {RECORD, *_recorded(Path(folder))["files"]}


def _recorded(folder: Path) -> dict:
    path = folder / RECORD
    if not path.is_file():
        raise ValueError(
            f"{folder} has no {RECORD}, so what was changed there is not known, and it "
            "is not replaced. Deploy into another folder."
        )
    return read_json(path)


def _versions(folder: Path) -> dict[tuple[str, int], Path]:
    return {
        (base.name, version): path
        for base in sorted((folder / _MODELS).iterdir())
        if base.is_dir()
        for version, path in versions_in(base).items()
    }


def _replaced(path: Path, version: int, source, recorded: Mapping) -> bool:
    """Whether a version is no loss."""
    as_written = recorded.get(f"{path.parent.name}/{path.name}") == _of_version(path)
    if source is None:
        return as_written and version == 1
    if version in source:
        graph = source[version] / GRAPH
        return as_written or graph.samefile(path / GRAPH)
    return as_written and (path / GRAPH).stat().st_nlink > 1


def _strays(models: Path, versions: Mapping) -> list[str]:
    """What lies beside versions."""
    known = set(versions.values())
    return [
        str(path.relative_to(models.parent))
        for path in sorted([*models.iterdir(), *models.glob("*/*")])
        if path not in known and not (path.is_dir() and path.parent == models)
    ]


def _of_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _of_version(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            size = path.stat().st_size
            read = size <= _READ_BYTES or path.name == GRAPH
            content = _of_file(path) if read else ""
            digest.update(f"{path.relative_to(folder)}\0{size}\0{content}\0".encode())
    return digest.hexdigest()

"""Deployment folders, written whole or not at all."""

import os
import shutil
import stat
from pathlib import Path

from zoo.deployment.deployment import Deployment
from zoo.deployment.record import (
    RECORD,
    check_files,
    check_models,
    write_record,
    written_files,
)
from zoo.deployment.rendering import render
from zoo.files import GRAPH, folder_written_whole

# They are written once, and never changed; the rest of a version is for people too.
_LINKED = (GRAPH, "variables", "assets")


def check_writable(folder, sources, replace: bool = False) -> None:
    """Refuses a folder that holds something, before any work.

    Args:
        folder: of the deployment.
        sources: of each model, by name, folders by version; `None` of one that is still
            to be exported.
        replace: whether a deployment that is there may go.

    Raises:
        FileExistsError: there is something, and it is not to be replaced.
        ValueError: what is to be replaced is no deployment, or holds what the user
            changed or put among the models.
    """
    folder = Path(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not replace:
        raise FileExistsError(
            f"{folder} exists. Name another folder, or let it be replaced by "
            "--replace. A new version of a model alone is added by zoo export PRESET "
            f"--out {folder}/models/NAME."
        )
    if not any((folder / name).is_file() for name in (RECORD, "config/models.config")):
        raise ValueError(f"{folder} is no deployment, so it is not replaced.")
    check_files(folder)
    check_models(folder, sources)


def write_deployment(deployment: Deployment, folder, replace: bool = False) -> Path:
    """Writes all that is needed to deploy models, the models included.

    The models' graphs and weights are hard links where the file system has them: they
    are written once, and never changed.

    Args:
        deployment: what to deploy.
        folder: to write; it and its parents need not exist.
        replace: whether a deployment that is there may go. What the user put there,
            such as `api_token` and `.env`, is kept.

    Returns:
        The folder.

    Raises:
        FileExistsError, ValueError: see `check_writable`.
        OSError: it could not be written.
    """
    folder = Path(folder).absolute()
    sources = {model.name: model.versions for model in deployment.models}
    check_writable(folder, sources, replace)
    texts = render(deployment)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_written_whole(folder) as beside:
        for part in ("config", "models"):
            _new_folder(beside / part)
        for model in deployment.models:
            _new_folder(beside / "models" / model.name)
            for version, source in model.versions.items():
                place = beside / "models" / model.name / str(version)
                _place_version(source, place)
        for name, text in texts.items():
            path = beside / name
            path.write_text(text, encoding="utf-8", newline="\n")
            path.chmod(0o644)
        write_record(beside, texts)
        if (folder / RECORD).is_file():
            _keep(folder, beside)
    return folder


def _keep(folder: Path, beside: Path) -> None:
    """Takes over what zoo deploy did not write: tokens, notes, withdrawn versions."""
    written = written_files(folder)
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name.startswith("models/") or name in written:
            continue
        place = beside / name
        if path.is_dir() and not path.is_symlink():
            place.mkdir(exist_ok=True)
            shutil.copystat(path, place)
        elif not place.exists():
            _link_or_copy(path, place)


# The server runs as nobody: all that it reads must be everybody's to read.


def _new_folder(place: Path) -> None:
    place.mkdir()
    place.chmod(0o755)


def _place_version(source: Path, place: Path) -> None:
    _new_folder(place)
    for path in sorted(source.iterdir()):
        _place(path, place / path.name, path.name in _LINKED)


def _place(source: Path, place: Path, link: bool) -> None:
    if source.is_dir():
        _new_folder(place)
        for path in sorted(source.iterdir()):
            _place(path, place / path.name, link)
    else:
        _place_file(source, place, link)


def _place_file(source: Path, place: Path, link: bool) -> None:
    """A hard link, or a copy if there can or should be none."""
    source = source.resolve()
    if link and source.stat().st_mode & stat.S_IROTH:
        try:
            return os.link(source, place)
        except OSError:
            pass
    shutil.copyfile(source, place)
    place.chmod(0o644)


def _link_or_copy(source: Path, place: Path) -> None:
    try:
        os.link(source, place, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, place, follow_symlinks=False)

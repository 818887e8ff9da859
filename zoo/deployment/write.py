"""Deployment folders, written whole or not at all."""

import os
import shutil
import stat
from pathlib import Path

from zoo.deployment.deployment import Deployment
from zoo.deployment.rendering import render
from zoo.files import folder_written_whole

# What the user puts into a deployment's folder.
_KEPT = ("api_token", ".env")


def check_writable(folder, replace: bool = False) -> None:
    """Refuses a folder that holds something, before any work.

    Args:
        folder: of the deployment.
        replace: whether a deployment that is there may go.

    Raises:
        FileExistsError: there is something, and it is not to be replaced.
        ValueError: what is to be replaced is no deployment.
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
    if not (folder / "config" / "models.config").is_file():
        raise ValueError(f"{folder} is no deployment, so it is not replaced.")


def write_deployment(deployment: Deployment, folder, replace: bool = False) -> Path:
    """Writes all that is needed to deploy models, the models included.

    The models' files are hard links where the file system has them: they are written
    once, and never changed.

    Args:
        deployment: what to deploy.
        folder: to write; it and its parents need not exist.
        replace: whether a deployment that is there may go. What the user put there,
            `api_token` and `.env`, is kept.

    Returns:
        The folder.

    Raises:
        FileExistsError, ValueError: see `check_writable`.
        OSError: it could not be written.
    """
    folder = Path(folder).absolute()
    check_writable(folder, replace)
    texts = render(deployment)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_written_whole(folder) as beside:
        for part in ("config", "models"):
            _new_folder(beside / part)
        for model in deployment.models:
            _new_folder(beside / "models" / model.name)
            for version in model.versions:
                place = beside / "models" / model.name / str(version)
                _place_folder(model.folder(version), place)
        for name, text in texts.items():
            path = beside / name
            path.write_text(text, encoding="utf-8", newline="\n")
            path.chmod(0o644)
        for path in (folder / name for name in _KEPT):
            if path.is_file():
                shutil.copy2(path, beside / path.name)
    return folder


# The server runs as nobody: all that it reads must be everybody's to read.


def _new_folder(place: Path) -> None:
    place.mkdir()
    place.chmod(0o755)


def _place_folder(source: Path, place: Path) -> None:
    _new_folder(place)
    for path in sorted(source.iterdir()):
        if path.is_dir():
            _place_folder(path, place / path.name)
        else:
            _place_file(path, place / path.name)


def _place_file(source: Path, place: Path) -> None:
    """A hard link, or a copy if there can be none."""
    source = source.resolve()
    if source.stat().st_mode & stat.S_IROTH:
        try:
            return os.link(source, place)
        except OSError:
            pass
    shutil.copyfile(source, place)
    place.chmod(0o644)

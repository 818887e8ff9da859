"""Numbered folders of a base path, and whether their files are all there."""

import os
import time
from pathlib import Path

from zoo.files import GRAPH, versions_in

_GRAPHS = (GRAPH, "saved_model.pbtxt")


class VersionFolders:
    """Finds the versions below a base path that are written to their end.

    A copy may take its time, and a server that takes up half a version fails. So a
    version counts as whole when its files, their sizes and times are as they were at
    the last look, or when nothing in it was touched for `quiet_seconds`.

    Args:
        base_path: the folder whose numbered folders are versions.
        quiet_seconds: longer than the time between two looks.
    """

    def __init__(self, base_path, quiet_seconds: float):
        self.base_path = Path(base_path)
        self._quiet = quiet_seconds
        self._seen: dict[int, tuple | None] = {}
        # Since when a version that is not whole has been as it is.
        self._since: dict[int, float] = {}

    def find(self) -> dict[int, Path]:
        """Folders by version, whole or not.

        Raises:
            OSError: the base path is not there, or not readable.
        """
        return versions_in(self.base_path)

    def files(self, version: int, folder: Path) -> tuple | None:
        """Names, sizes and times of a version's files; none while it is written."""
        found = _files(folder)
        before = self._seen.get(version, ())
        if found != before or version not in self._seen:
            self._since[version] = time.monotonic()
        self._seen[version] = found
        if not _has_graph(found):
            return None
        # The time of the inode's last change: a copy cannot set it back.
        latest = max(changed for *_, changed in found)
        if found == before or latest < time.time() - self._quiet:
            return found
        return None

    def fault(self, version: int) -> str:
        """Why a version is not whole, if nobody writes it any more; else "".

        To be asked after `files`.
        """
        found = self._seen.get(version, ())
        is_quiet = time.monotonic() - self._since[version] >= self._quiet
        if _has_graph(found) or not is_quiet:
            return ""
        if found is None:
            return "some of its files cannot be read"
        return f"it has no {GRAPH} that can be read"


def _has_graph(files: tuple | None) -> bool:
    return any(name in _GRAPHS for name, *_ in files or ())


def _files(folder: Path) -> tuple | None:
    found = []
    try:
        for parent, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(parent, name)
                stat = os.stat(path)
                name = os.path.relpath(path, folder)
                found.append((name, stat.st_size, stat.st_mtime_ns, stat.st_ctime))
    except OSError:  # A file went while it was looked at.
        return None
    return tuple(sorted(found))

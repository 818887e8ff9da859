"""Stand-ins for the hubs' clients: a repository is a folder, and nothing is sent."""

import fnmatch
import shutil
import types
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class NotThere(ConnectionError):
    """What a client raises that has no network."""


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


class Hub:
    """Repositories by name, a cache, and what was uploaded.

    Attributes:
        repositories: folders by "owner/name".
        cache: the client's own.
        online: whether it answers.
        keeps_lists: whether the cache knows which files there are, as that of newer
            clients does.
        user: who is logged in.
        calls: what it was asked, in order.
    """

    def __init__(self, cache: Path):
        self.repositories: dict[str, Path] = {}
        self.cache = cache
        self.online = True
        self.keeps_lists = True
        self.user: str | None = "me"
        self.calls: list[tuple] = []
        self.lists: dict[str, list[str]] = {}

    @property
    def client(self):
        """A module as huggingface_hub."""
        errors = pytest.importorskip("huggingface_hub.errors")
        made = types.ModuleType("huggingface_hub")
        made.errors = errors
        made.HfApi = lambda: self
        made.snapshot_download = self.snapshot_download
        made.get_cached_repo_tree = self.get_cached_repo_tree
        return made

    def list_repo_files(self, name, revision=None):
        self.calls.append(("list", name, revision))
        folder = self._found(name)
        found = (path for path in folder.rglob("*") if path.is_file())
        return [path.relative_to(folder).as_posix() for path in found]

    def snapshot_download(
        self, name, revision=None, allow_patterns=None, local_files_only=False
    ):
        self.calls.append(("fetch", name, revision, allow_patterns))
        owner, _, own = name.partition("/")
        place = self.cache / f"models--{owner}--{own}" / "snapshots" / COMMIT
        if local_files_only:
            if place.is_dir():
                return str(place)
            raise FileNotFoundError("not in the cache")
        folder = self._found(name)
        self.lists[name] = self.list_repo_files(name)
        blobs = place.parents[1] / "blobs"
        for file in self.list_repo_files(name):
            if _matches(file, allow_patterns):
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                blobs.mkdir(exist_ok=True)
                blob = blobs / file.replace("/", "--")
                shutil.copyfile(folder / file, blob)
                (place / file).unlink(missing_ok=True)
                (place / file).symlink_to(blob)
        return str(place)

    def get_cached_repo_tree(self, name, revision=None):
        if not self.keeps_lists or name not in self.lists:
            raise LookupError("no list")
        return [types.SimpleNamespace(path=path) for path in self.lists[name]]

    def _found(self, name):
        if not self.online:
            raise NotThere("[Errno -3] Temporary failure in name resolution\nand more")
        if name not in self.repositories:
            raise self._error("RepositoryNotFoundError", 404)
        return self.repositories[name]

    def whoami(self):
        if not self.online:
            raise NotThere("no network")
        if self.user is None:
            errors = pytest.importorskip("huggingface_hub.errors")
            raise errors.LocalTokenNotFoundError("Token is required")
        return {"name": self.user}

    def create_repo(self, name, private=False, exist_ok=False):
        self.calls.append(("create", name, private, exist_ok))
        if not name.startswith(f"{self.user}/"):
            raise self._error("HfHubHTTPError", 403)

    def upload_folder(
        self, repo_id, folder_path, allow_patterns, delete_patterns, commit_message
    ):
        self.calls.append(("upload", repo_id, commit_message))
        target = self.cache.parent / "there" / repo_id
        for path in [*target.rglob("*")]:
            name = path.relative_to(target).as_posix()
            if path.is_file() and _matches(name, delete_patterns):
                path.unlink()
        for path in Path(folder_path).rglob("*"):
            name = path.relative_to(folder_path).as_posix()
            if path.is_file() and _matches(name, allow_patterns):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / name)
        self.repositories[repo_id] = target
        return types.SimpleNamespace(commit_url=f"https://there/{repo_id}/commit/1")

    @staticmethod
    def _error(name, status):
        """An error as the client makes it of an answer."""
        errors = pytest.importorskip("huggingface_hub.errors")
        kind = getattr(errors, name)
        error = kind.__new__(kind)
        Exception.__init__(error, f"{status} Client Error\nmore")
        error.response = types.SimpleNamespace(status_code=status)
        return error

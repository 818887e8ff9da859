"""What Hugging Face's client fetched earlier, for when the hub does not answer."""

import socket
from collections.abc import Callable
from pathlib import Path

from zoo.hub.patterns import literal_pattern

# Of the HTTP libraries that one version of the client or another goes through.
_CONNECTIONS = ("TransportError", "ConnectionError", "Timeout")


def is_unreachable(error: Exception) -> bool:
    """Whether an error says that the hub does not answer, not that it refuses."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "HfHubHTTPError" in kinds:
        status = getattr(getattr(error, "response", None), "status_code", None)
        return status is None or status >= 500
    # The client's own, when it finds neither a network nor a file.
    if "LocalEntryNotFoundError" in kinds:
        return True
    known = ConnectionError, TimeoutError, socket.gaierror
    return isinstance(error, known) or not kinds.isdisjoint(_CONNECTIONS)


def cached_snapshot(
    client, name: str, revision: str | None, needed: Callable[[list[str]], list[str]]
) -> str | None:
    """The folder of a repository in the client's cache, if it is there as a whole.

    A client that does not keep lists of repositories' files cannot tell what was never
    begun; then no file may be half there.

    Args:
        client: the module huggingface_hub.
        name: of the repository.
        revision: `None` for the newest that the cache knows.
        needed: which of a repository's files are read.
    """
    try:
        names = _listed(client, name, revision)
        wanted = (
            {}
            if names is None
            else {"allow_patterns": [*map(literal_pattern, needed(names))]}
        )
        folder = client.snapshot_download(
            name, revision=revision, local_files_only=True, **wanted
        )
    except Exception:
        return None
    if names is None:
        blobs = Path(folder).parents[1] / "blobs"
        is_whole = not any(blobs.glob("*.incomplete"))
    else:
        is_whole = all((Path(folder) / file).is_file() for file in needed(names))
    return str(folder) if is_whole else None


def _listed(client, name: str, revision: str | None) -> list[str] | None:
    """The names of a repository's files, where the cache keeps them."""
    try:
        tree = client.get_cached_repo_tree(name, revision=revision)
    except Exception:
        return None
    return [file.path for file in tree]

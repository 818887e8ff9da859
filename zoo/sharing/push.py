"""Folders to Hugging Face's hub, through its own client."""

from pathlib import Path

from zoo.hub.patterns import literal_pattern
from zoo.hub.sources import HUGGING_FACE, first_line, repository_of
from zoo.presets import HUB_WEIGHTS, WEIGHTS

_NEEDED = ("README.md", "config.json", HUB_WEIGHTS)
# Of an earlier push, or of another form: a preset would be read with them.
_REPLACED = (
    "vocabulary/*",
    WEIGHTS,
    HUB_WEIGHTS,
    "model-*-of-*.safetensors",
    f"{HUB_WEIGHTS}.index.json",
)


def files_to_push(folder) -> dict[str, int]:
    """What `push` would upload: bytes by name.

    Hidden files stay here.

    Raises:
        ValueError: it is no folder as `save_for_hub` writes it, or holds a link.
    """
    folder = Path(folder)
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"{folder} has no {', '.join(missing)}. Write a folder for the hub with: "
            "zoo save PRESET --format hf --out FOLDER."
        )
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts):
            continue
        if path.is_symlink():
            raise ValueError(f"{path} is a link: put the file itself there.")
        if path.is_file():
            found[name.as_posix()] = path.stat().st_size
    return found


def push(folder, address: str, private: bool = False, message: str = "") -> str:
    """Uploads a folder as one commit, into a repository that is made if need be.

    The same commit deletes the weights and vocabularies that were there before.

    Args:
        folder: as `save_for_hub` writes it.
        address: "hf://owner/name".
        private: of a repository that is made: whether only its owner sees it.
        message: of the commit.

    Returns:
        Where it is now.

    Raises:
        ImportError: huggingface_hub is not installed.
        ValueError: a folder or an address of another form.
        PermissionError: the client is not logged in, or may not write there.
        ConnectionError: the hub does not answer, or refuses.
    """
    files = files_to_push(folder)
    name, revision = repository_of(address)
    if revision is not None:
        raise ValueError(f"Push to {HUGGING_FACE}{name}, without a revision.")
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise ImportError(
            "What is pushed goes through huggingface_hub: pip install huggingface_hub."
        ) from error
    hub = huggingface_hub.HfApi()
    try:
        # Its own login; it is asked for before anything is sent.
        hub.whoami()
        hub.create_repo(name, private=private, exist_ok=True)
        done = hub.upload_folder(
            repo_id=name,
            folder_path=str(folder),
            allow_patterns=[literal_pattern(file) for file in files],
            # What is sent now is not deleted.
            delete_patterns=[*_REPLACED],
            commit_message=message or "Weights, vocabulary and card",
        )
    except errors.LocalTokenNotFoundError as error:
        raise PermissionError(
            "huggingface_hub has no token: hf auth login, with one that may write."
        ) from error
    except errors.HfHubHTTPError as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        kind = PermissionError if status in (401, 403) else ConnectionError
        raise kind(
            f"{address} refuses ({first_line(error)}). Look at its name, and "
            "log in with a token that may write there: hf auth login."
        ) from error
    # Each version of the client has the errors of another HTTP library.
    except Exception as error:
        raise ConnectionError(
            f"{address} cannot be reached ({first_line(error)}). Nothing is lost: push "
            "again."
        ) from error
    return str(getattr(done, "commit_url", None) or address)

"""Checkpoints on Hugging Face's hub and on Kaggle, as folders on this machine."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from zoo.hub.cached import cached_snapshot, is_unreachable
from zoo.hub.patterns import literal_pattern

HUGGING_FACE, KAGGLE = "hf://", "kaggle://"
_REPOSITORY = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?"
)
_MODEL = re.compile(r"[\w.-]+/[\w.-]+/[\w.-]+/[\w.-]+(/\d+)?")
_EXTRA = "is fetched by {0}: pip install 'attention-zoo[hub]', or pip install {0}."
# Of weights in several forms the first is fetched: pickles come last.
_WEIGHTS = (
    re.compile(r"(model|weights)\.safetensors"),
    re.compile(r"model-\d+-of-\d+\.safetensors|model\.safetensors\.index\.json"),
    re.compile(r"model\.weights\.h5"),
    re.compile(r"model\..*\.bin|model\.npz|model\.bin"),
    re.compile(r"pytorch_model\.bin"),
    re.compile(r"pytorch_model-\d+-of-\d+\.bin|pytorch_model\.bin\.index\.json"),
    re.compile(r"[^/]*\.pth"),
)
# Configs, vocabularies and cards, beside the weights and in the folders of presets.
_BESIDE = re.compile(
    r"[^/]*\.(json|txt|spm|model|vocab)|README\.md|LICEN[CS]E[^/]*|"
    r"(vocabulary|assets)/[\w./-]*"
)
_INDEX = ".index.json"


class HubWarning(UserWarning):
    """A hub that does not answer, where the cache will do."""


@dataclass(frozen=True)
class Fetched:
    """A checkpoint in the cache of a hub's client.

    Attributes:
        path: its folder, which belongs to the client; of a bare .pth that file.
        name: what the hub calls it.
        address: how it was asked for.
        revision: of its files, as far as the client says.
    """

    path: Path
    name: str
    address: str
    revision: str | None = None

    @property
    def origin(self) -> dict[str, str]:
        """What a card says of it."""
        found = {"name": self.name, "address": self.address, "revision": self.revision}
        return {key: value for key, value in found.items() if value}


def is_remote(source) -> bool:
    """Whether a source is on a hub."""
    return str(source).startswith((HUGGING_FACE, KAGGLE))


def address_name(source) -> str | None:
    """What a hub calls a source; `None` if it is on none."""
    if not is_remote(source):
        return None
    if str(source).startswith(KAGGLE):
        return str(source).removeprefix(KAGGLE).rstrip("/")
    return repository_of(str(source))[0]


def fetch(source: str) -> Fetched:
    """Fetches a checkpoint with the hub's own client, into that client's own cache.

    Nothing is written elsewhere, and what is in the cache is not fetched again.

    Args:
        source: "hf://owner/name", perhaps with "@revision", or
            "kaggle://owner/model/framework/variation", perhaps with a version.

    Raises:
        ImportError: the client is not installed.
        ValueError: no such form, or no such checkpoint.
        ConnectionError: the hub refuses; or does not answer, and not all that is needed
            is in the cache: the message says how to fetch it elsewhere.

    Warns:
        HubWarning: the hub does not answer, and the cache is used.
    """
    source = str(source)
    if source.startswith(HUGGING_FACE):
        name, revision = repository_of(source)
        return _fetch_hugging_face(source, name, revision)
    if source.startswith(KAGGLE):
        return _fetch_kaggle(source, source.removeprefix(KAGGLE).rstrip("/"))
    raise ValueError(f"A hub's address begins with hf:// or kaggle://: {source}.")


def repository_of(address: str) -> tuple[str, str | None]:
    """Owner and name, and the revision, of "hf://owner/name@revision".

    Raises:
        ValueError: it has another form.
    """
    found = _REPOSITORY.fullmatch(address.removeprefix(HUGGING_FACE).rstrip("/"))
    if found is None or not address.startswith(HUGGING_FACE) or ".." in address:
        raise ValueError(
            "A repository is named hf://owner/name or hf://owner/name@revision. "
            f"Received: {address}."
        )
    return found["name"], found["revision"]


def needed_files(names: list[str]) -> list[str]:
    """Of a repository's files those that a conversion reads: one form of the weights.

    Args:
        names: of all files, with their folders.
    """
    needed = [
        name
        for name in names
        if _BESIDE.fullmatch(name) and not name.endswith(_INDEX) and ".." not in name
    ]
    for pattern in _WEIGHTS:
        if own := [name for name in names if pattern.fullmatch(name)]:
            return sorted({*needed, *own})
    return sorted(needed)


def _fetch_hugging_face(address: str, name: str, revision: str | None) -> Fetched:
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise ImportError(f"{address} {_EXTRA.format('huggingface_hub')}") from error
    try:
        files = needed_files(
            huggingface_hub.HfApi().list_repo_files(name, revision=revision)
        )
        given = {"allow_patterns": [literal_pattern(file) for file in files]}
        folder = huggingface_hub.snapshot_download(name, revision=revision, **given)
    except errors.GatedRepoError as error:
        raise ValueError(
            f"{address} is given to who accepts its terms: accept them on its page, "
            "then hf auth login."
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise ValueError(
            f"There is no {address}, or only for those whom it is shared with: look "
            "for a spelling mistake, or hf auth login."
        ) from error
    # Each version of the client has the errors of another HTTP library.
    except Exception as error:
        folder = _cached(huggingface_hub, address, name, revision, error)
    path = _checkpoint_in(Path(folder))
    return Fetched(path, name, address, _commit(folder) or revision)


def _cached(client, address: str, name: str, revision: str | None, error) -> str:
    """What an earlier conversion fetched, when the hub does not answer."""
    if not is_unreachable(error):
        raise ConnectionError(
            f"{address} cannot be fetched ({first_line(error)})."
        ) from error
    folder = cached_snapshot(client, name, revision, needed_files)
    if folder is None:
        raise ConnectionError(
            f"{address} is not as a whole in the cache of huggingface_hub, and the hub "
            f"does not answer ({first_line(error)}). Where there is a network, run "
            f"hf download {name} --local-dir {name.rpartition('/')[2]}, bring that "
            "folder here and name it instead."
        ) from error
    warnings.warn(
        f"The hub does not answer ({first_line(error)}): {address} is taken from the "
        "cache of huggingface_hub, as it was when it was fetched.",
        HubWarning,
        stacklevel=4,
    )
    return folder


def _checkpoint_in(folder: Path) -> Path:
    """A folder, or the one .pth in it, where nothing else says what it holds."""
    names = [path.name for path in folder.iterdir()]
    pickles = [name for name in needed_files(names) if name.endswith(".pth")]
    is_bare = len(pickles) == 1 and "config.json" not in names
    return folder / pickles[0] if is_bare else folder


def _commit(folder) -> str | None:
    """The commit, which the cache of the client names folders after."""
    name = Path(folder).name
    return name if re.fullmatch(r"[0-9a-f]{40}", name) else None


def _fetch_kaggle(address: str, handle: str) -> Fetched:
    if not _MODEL.fullmatch(handle) or ".." in handle:
        raise ValueError(
            "A model of Kaggle is named kaggle://owner/model/framework/variation, "
            f"perhaps with /version. Received: {address}."
        )
    try:
        import kagglehub
    except ImportError as error:
        raise ImportError(f"{address} {_EXTRA.format('kagglehub')}") from error
    try:
        folder = Path(kagglehub.model_download(handle))
    except Exception as error:
        raise ConnectionError(
            f"{address} cannot be fetched: {first_line(error)} If this machine has no "
            "network, fetch the model where there is one (its page has a button, or "
            f"kagglehub.model_download({handle!r})), bring the folder here and name it "
            "instead."
        ) from error
    return Fetched(folder, handle, address)


def first_line(error: Exception) -> str:
    """What an error says, short; its kind if it says nothing."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]

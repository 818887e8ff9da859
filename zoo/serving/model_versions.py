"""The versions of one model: found, loaded, served and let go."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.files import BATCHING
from zoo.protocol.version_status import VersionStatus
from zoo.serving.batching_parameters import BatchingParameters, read_batching
from zoo.serving.errors import ServingError, as_serving_error, invalid
from zoo.serving.metrics import Metrics
from zoo.serving.model_config import ModelConfig
from zoo.serving.servable import Servable
from zoo.serving.version_folders import VersionFolders

_log = logging.getLogger(__name__)


class _Held:
    """A servable with the number of requests that use it."""

    def __init__(self, servable: Servable):
        self.servable = servable
        self.users = 0
        self.retired = False


class ModelVersions:
    """Serves the versions of a model that lie below its base path.

    A new version is loaded and warmed up while the older one serves; only then is the
    older one let go, and closed after its last request. A version that fails ends with
    its error, the older one stays, and it is tried again only when its files change.
    (TF Serving tries six times, a minute apart, and then not again.)

    As TF Serving has it (`file_system_storage_path_source.cc`,
    `availability_preserving_policy.cc`): a base path that is gone changes nothing, one
    without any version unloads the model.

    Args:
        config: name, base path, which versions, labels.
        batching: how requests are joined, for versions without a file of their own.
        poll_seconds: time between two looks at the base path.

    Attributes:
        metrics: told of loads and runs; to be replaced before the start.
    """

    def __init__(
        self,
        config: ModelConfig,
        batching: BatchingParameters | None = None,
        poll_seconds: float = 1.0,
    ):
        self.config = config
        self.metrics = Metrics()
        self._batching = batching
        self._poll_seconds = poll_seconds
        self._folders = VersionFolders(config.base_path, 2 * poll_seconds)
        self._lock = threading.Lock()
        self._live: dict[int, _Held] = {}
        self._states: dict[int, VersionStatus] = {}
        self._failed: dict[int, tuple] = {}
        self._complaint = ""
        self._stop = threading.Event()
        self._polled = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to look for versions in a thread of its own."""
        if self._thread is not None:
            raise RuntimeError(f"{self.config.name} is started already.")
        self._thread = threading.Thread(
            target=self._poll_until_stopped, daemon=True, name=self.config.name
        )
        self._thread.start()

    def stop(self) -> None:
        """Lets go of all versions; requests that are being answered end first."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for version in list(self._live):
            self._retire(version)

    @contextmanager
    def servable(
        self, version: int | None = None, label: str | None = None
    ) -> Iterator[Servable]:
        """A version that stays loaded until the block ends.

        Args:
            version: its number; the highest that is available if none.
            label: instead of the number.

        Raises:
            ServingError: there is none.
        """
        if label:
            if label not in self.config.labels:
                raise unknown_label(label)
            version = self.config.labels[label]
        with self._lock:
            if version is None and self._live:
                version = max(self._live)
            if version not in self._live:
                raise not_found(self.config.name, version)
            held = self._live[version]
            held.users += 1
        try:
            yield held.servable
        finally:
            with self._lock:
                held.users -= 1
                last = held.retired and not held.users
            if last:
                self._end(held)

    def status(self) -> list[VersionStatus]:
        """Every version that was ever taken up, the highest first."""
        with self._lock:
            return [self._states[version] for version in sorted(self._states)[::-1]]

    @property
    def settled(self) -> bool:
        """Whether enough is served, labels included, or there is no more to load."""
        with self._lock:
            labelled = set(self.config.labels.values()) <= self._live.keys()
            return (bool(self._live) and labelled) or self._polled.is_set()

    def poll(self) -> None:
        """Looks once: loads what is new, lets go of what is no longer wanted."""
        try:
            folders = self._folders.find()
        except OSError as error:
            self._complain(f"The base path of {self.config.name} is not read: {error}")
            self._polled.set()
            return
        files = {
            version: None if version in self._live else self._folders.files(version, at)
            for version, at in folders.items()
        }
        whole = [v for v in folders if v in self._live or files[v] is not None]
        wanted = self.config.policy.choose(whole)
        faults = {
            version: fault
            for version in folders
            if version not in whole and (fault := self._folders.fault(version))
        }
        self._complain(self._missing(folders))
        for version in self.config.policy.choose([*whole, *faults]):
            if version in faults:
                self._note_fault(version, folders[version], faults[version])
        new = [v for v in wanted if v not in self._live]
        new = [v for v in new if files[v] != self._failed.get(v)]
        for version in new:
            self._set_state(VersionStatus(version, "START"))
        for version in new:
            if self._stop.is_set():
                return
            self._load(version, folders[version], files[version])
        if not folders or any(version in self._live for version in wanted):
            for version in [v for v in self._live if v not in wanted]:
                self._retire(version)
        # What is being written is waited for.
        hoped = self.config.policy.choose([v for v in folders if v not in faults])
        if wanted or set(hoped) <= set(whole):
            self._polled.set()

    def _missing(self, folders) -> str:
        """What the base path should hold and does not; empty if nothing."""
        policy, name, at = self.config.policy, self.config.name, self.config.base_path
        missing = [version for version in policy.specific if version not in folders]
        if missing:
            return f"Versions {missing} of {name} are to be served; {at} lacks them"
        if not folders:
            return f"{at} holds no version of {name}: no folder whose name is a number"
        return ""

    def _note_fault(self, version: int, folder: Path, fault: str) -> None:
        """A version that would be served if it were whole."""
        name = self.config.name
        message = f"Version {version} of {name} is not whole: {fault} in {folder}"
        status = VersionStatus(version, "END", "NOT_FOUND", message)
        with self._lock:
            is_known = self._states.get(version) == status
            self._states[version] = status
        if not is_known:
            _log.error("%s", message)

    def _poll_until_stopped(self) -> None:
        while not self._stop.is_set():
            try:
                self.poll()
            except Exception:
                _log.exception("A look at the versions of %s failed", self.config.name)
            self._stop.wait(self._poll_seconds)

    def _load(self, version: int, folder: Path, files: tuple) -> None:
        name = self.config.name
        self._set_state(VersionStatus(version, "LOADING"))
        try:
            servable = Servable(name, version, folder, self._batching_of(folder))
        except Exception as error:
            found = as_serving_error(error)
            self._failed[version] = files
            self.metrics.count_load(str(folder), "fail")
            self._set_state(VersionStatus(version, "END", found.code, found.message))
            # Where it is no fault of the export, where it was raised tells more.
            ours = None if isinstance(error, (ServingError, OSError)) else error
            _log.error(
                "Version %s of %s does not load: %s",
                version,
                name,
                found,
                exc_info=ours,
            )
            return
        self._failed.pop(version, None)
        # Its warm-up is counted nowhere.
        servable.metrics = self.metrics
        self.metrics.count_load(str(folder), "success")
        with self._lock:
            self._live[version] = _Held(servable)
            self._states[version] = VersionStatus(version, "AVAILABLE")
        _log.info("Version %s of %s is available", version, name)

    def _batching_of(self, folder: Path) -> BatchingParameters | None:
        path = folder / BATCHING
        if not path.is_file():
            return self._batching
        try:
            return read_batching(path)
        except ValueError as error:
            raise invalid(str(error)) from error

    def _retire(self, version: int) -> None:
        with self._lock:
            held = self._live.pop(version)
            held.retired = True
            self._states[version] = VersionStatus(version, "UNLOADING")
            unused = not held.users
        if unused:
            self._end(held)

    def _end(self, held: _Held) -> None:
        held.servable.close()
        version = held.servable.version
        with self._lock:
            # It may have come back in the meantime.
            if self._states[version].state == "UNLOADING":
                self._states[version] = VersionStatus(version, "END")
        _log.info("Version %s of %s is unloaded", version, self.config.name)

    def _set_state(self, status: VersionStatus) -> None:
        with self._lock:
            self._states[status.version] = status

    def _complain(self, message: str) -> None:
        if message and message != self._complaint:
            _log.warning("%s", message)
        self._complaint = message


def not_found(name: str, version: int | None) -> ServingError:
    """No such model, or no such version of it, is served."""
    asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return ServingError("NOT_FOUND", f"Servable not found for request: {asked}")


def unknown_label(label: str) -> ServingError:
    return invalid(f"Unrecognized servable version label: {label}")

"""Every model of a server, found by name."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from zoo.protocol.version_status import VersionStatus
from zoo.serving.batching_parameters import BatchingParameters
from zoo.serving.errors import ServingError, invalid
from zoo.serving.metrics import Metrics
from zoo.serving.model_config import ModelConfig
from zoo.serving.model_versions import ModelVersions, not_found, unknown_label
from zoo.serving.servable import Servable


class Models:
    """The models of a server.

    Usable in a `with` statement, which starts and stops it.

    Args:
        configs: what is served, and from where.
        batching: how requests are joined; a version's own file goes before it. Without
            either, every request is run alone.
        poll_seconds: time between two looks for new versions.

    Raises:
        ValueError: two models have one name, or a label is for a version that is not
            served.
    """

    def __init__(
        self,
        configs: Iterable[ModelConfig],
        batching: BatchingParameters | None = None,
        poll_seconds: float = 1.0,
    ):
        self._models: dict[str, ModelVersions] = {}
        for config in configs:
            if config.name in self._models:
                raise ValueError(f"Two models are called {config.name}.")
            self._models[config.name] = ModelVersions(config, batching, poll_seconds)

    @property
    def names(self) -> list[str]:
        return list(self._models)

    def report_to(self, metrics: Metrics) -> None:
        """Tells loads and runs; to be called before the start."""
        for model in self._models.values():
            model.metrics = metrics

    def start(self) -> None:
        """Begins to load; each model has a thread that looks for versions."""
        for model in self._models.values():
            model.start()

    def wait(self, seconds: float | None = None) -> None:
        """Waits until every model serves a version.

        Args:
            seconds: the longest to wait; without an end if none.

        Raises:
            ServingError: some cannot be served, or not in that time, or a label stands
                for a version that is not there.
        """
        until = None if seconds is None else time.monotonic() + seconds
        models = self._models.values()
        while not all(model.settled for model in models):
            if until is not None and time.monotonic() > until:
                break
            time.sleep(0.01)
        failed = [_failure(model) for model in models if not _available(model)]
        if failed:
            raise ServingError(
                "UNKNOWN",
                f"{len(failed)} servable(s) did not become available: "
                f"{{{'} {'.join(failed)}}}",
            )
        for model in models:
            _check_labels(model)

    def stop(self) -> None:
        """Unloads all; requests that are being answered end first."""
        for model in self._models.values():
            model.stop()

    def __enter__(self) -> "Models":
        self.start()
        return self

    def __exit__(self, *error) -> None:
        self.stop()

    @contextmanager
    def servable(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> Iterator[Servable]:
        """A version of a model that stays loaded until the block ends.

        Args:
            name: of the model.
            version: its number; the highest that is available if none.
            label: instead of the number.

        Raises:
            ServingError: there is none.
        """
        if not name:
            raise invalid("ModelSpec has no name specified.")
        if name not in self._models:
            raise unknown_label(label) if label else not_found(name, version)
        with self._models[name].servable(version, label) as servable:
            yield servable

    def status(self, name: str, version: int | None = None) -> list[VersionStatus]:
        """What becomes of a model's versions, the highest first.

        Args:
            name: of the model.
            version: one of them; all if none.

        Raises:
            ServingError: there is no such model, or no such version.
        """
        model = self._models.get(name)
        found = model.status() if model else []
        if version is not None:
            found = [status for status in found if status.version == version]
            if not found:
                raise ServingError(
                    "NOT_FOUND", f"Could not find version {version} of model {name}"
                )
        if not found:
            raise ServingError(
                "NOT_FOUND", f"Could not find any versions of model {name}"
            )
        return found


def _available(model: ModelVersions) -> list[int]:
    return [each.version for each in model.status() if each.state == "AVAILABLE"]


def _failure(model: ModelVersions) -> str:
    config, states = model.config, model.status()
    if not states:
        return f"name: {config.name} has no version in {config.base_path}"
    first = states[0]
    told = f"name: {config.name} version: {first.version}"
    if first.error_code == "OK":
        return f"{told} is in the state {first.state}"
    return f"{told} due to error: {first.error_code}: {first.error_message}"


def _check_labels(model: ModelVersions) -> None:
    for version in model.config.labels.values():
        if version not in _available(model):
            raise ServingError(
                "FAILED_PRECONDITION",
                f"Request to assign label to version {version} of model "
                f"{model.config.name}, which is not currently available for inference",
            )

"""One model of a deployment, and where its versions lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from zoo.deployment.names import check_name
from zoo.environment import joined_environment, read_environment
from zoo.files import BATCHING, MANIFEST, exports_in, read_json

_LABEL_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


@dataclass(frozen=True)
class DeployedModel:
    """A model's name, its exports, and the labels of its versions.

    Attributes:
        name: in requests, `/v1/models/NAME`.
        base_path: the folder whose numbered subfolders are its versions.
        labels: versions by label, such as `{"stable": 1, "canary": 2}`. Then those are
            served, else the newest.

    Raises:
        ValueError: a name or label that the files could not hold, no export at
            `base_path`, or a label of a version that is not there.
    """

    name: str
    base_path: Path
    labels: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self):
        check_name(self.name)
        if not self.versions:
            raise ValueError(
                f"{self.base_path} is no base path of a model: it must hold exports in "
                "folders named by number, such as 1/saved_model.pb."
            )
        for label, version in self.labels.items():
            self._check_label(label, version)

    def _check_label(self, label: str, version: int) -> None:
        if not label or not _LABEL_CHARACTERS.issuperset(label):
            raise ValueError(
                f"{label!r} is no label for a version: lower-case letters, digits, "
                "hyphens and underscores, for it stands in addresses."
            )
        if version not in self.versions:
            raise ValueError(
                f"{self.name} has no version {version} to be called {label}. There is: "
                f"{', '.join(map(str, self.versions))}."
            )

    @cached_property
    def versions(self) -> dict[int, Path]:
        """Folders of the versions there are, the lowest first."""
        found = exports_in(self.base_path)
        # TF Serving would take "01" and "1" for the same.
        return {v: path for v, path in found.items() if path.name == str(v)}

    @property
    def served(self) -> list[int]:
        """The versions that a server loads."""
        return sorted(set(self.labels.values())) or [max(self.versions)]

    @cached_property
    def manifest(self) -> dict:
        """What its newest served version says of itself; empty of a foreign one."""
        path = self.versions[self.served[-1]] / MANIFEST
        return read_json(path) if path.is_file() else {}

    @cached_property
    def environment(self) -> dict[str, str]:
        """Variables that its served versions need in the server's environment.

        Raises:
            ValueError: they differ, or are such as no export may ask for.
        """
        folders = [self.versions[version] for version in self.served]
        return joined_environment(
            (str(folder), read_environment(folder)) for folder in folders
        )

    @property
    def size(self) -> int:
        """Bytes of the largest version."""
        return max(map(_size, self.versions.values()))

    @property
    def batches_by_itself(self) -> bool:
        """Whether each served version says how its requests are to be joined."""
        return all(
            (self.versions[version] / BATCHING).is_file() for version in self.served
        )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

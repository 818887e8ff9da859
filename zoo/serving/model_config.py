"""TF Serving's models.config: which models, where, and which versions of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class VersionPolicy:
    """Which versions of a model are served.

    Attributes:
        latest: that many of the highest; the default is one.
        specific: these and no others; empty for no such rule.
        every: all that there are.
    """

    latest: int = 1
    specific: tuple[int, ...] = ()
    every: bool = False

    def choose(self, versions) -> list[int]:
        """The versions to serve, the highest first.

        Args:
            versions: those there are, in any order.
        """
        versions = sorted(versions, reverse=True)
        if self.specific:
            return [version for version in versions if version in self.specific]
        return versions if self.every else versions[: max(1, self.latest)]


@dataclass(frozen=True)
class ModelConfig:
    """One model of a server.

    Attributes:
        name: in requests.
        base_path: the folder whose numbered folders are its versions.
        policy: which of them are served.
        labels: versions by label.
    """

    name: str
    base_path: Path
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = field(default_factory=dict)


def read_models(path) -> list[ModelConfig]:
    """Reads the models of a server, as TF Serving's `--model_config_file`.

    Raises:
        ValueError: it is no such file, or asks for what is not served here.
        OSError: it cannot be read.
    """
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    try:
        text = Path(path).read_text(encoding="utf-8")
        found = text_format.Parse(text, ModelServerConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no file of models: {error}") from error
    if found.WhichOneof("config") != "model_config_list":
        raise ValueError(f"{path} holds no model_config_list.")
    models = [_model(path, config) for config in found.model_config_list.config]
    names = [model.name for model in models]
    if not names or len(set(names)) < len(names):
        what = "names a model twice" if names else "holds no model"
        raise ValueError(f"{path} {what}: {names}.")
    return models


def _model(path, config) -> ModelConfig:
    if not config.name or not config.base_path:
        raise ValueError(f"{path}: a model needs name and base_path: {config}")
    if config.model_platform not in ("", "tensorflow"):
        raise ValueError(
            f"{path}: {config.name} is of the platform {config.model_platform!r}; "
            'only "tensorflow" is served.'
        )
    policy = config.model_version_policy
    chosen = policy.WhichOneof("policy_choice")
    if chosen == "specific" and not policy.specific.versions:
        raise ValueError(
            f"{path}: {config.name} has specific versions, but none named."
        )
    return ModelConfig(
        config.name,
        Path(config.base_path),
        VersionPolicy(
            latest=policy.latest.num_versions or 1,
            specific=tuple(policy.specific.versions),
            every=chosen == "all",
        ),
        dict(config.version_labels),
    )

"""What is deployed together, and on how much of a machine."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from zoo.deployment.deployed_model import DeployedModel
from zoo.deployment.names import check_image, check_name
from zoo.environment import joined_environment


@dataclass(frozen=True)
class Deployment:
    """Models that one server serves.

    Attributes:
        name: of the deployment, in Docker and in Kubernetes.
        models: at least one; each has a name of its own.
        image: what the image with the models inside is called; `NAME:1` if not given.
        cpus: processors of a server; its threads are as many.
        memory: of a server in GB; by the models' size if not given.
        replicas: how many servers Kubernetes starts with; it may start
            four times as many.

    Raises:
        ValueError: a name that Kubernetes would refuse, models of one name, models that
            need different environments, or no processor.
    """

    name: str
    models: Sequence[DeployedModel]
    image: str = ""
    cpus: int = 2
    memory: int = 0
    replicas: int = 2

    def __post_init__(self):
        check_name(self.name, "deployment")
        names = [model.name for model in self.models]
        if not names:
            raise ValueError("A deployment needs a model.")
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"Two models are called {', '.join(sorted(twice))}.")
        for what in ("cpus", "replicas"):
            if getattr(self, what) < 1:
                raise ValueError(f"{what} must be at least 1.")
        if self.memory < 0:
            raise ValueError("memory must not be negative.")
        check_image(self.image)
        # Raises where they differ.
        _ = self.environment

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the models need, all together."""
        return joined_environment(
            (model.name, model.environment) for model in self.models
        )

    @property
    def memory_gb(self) -> int:
        """1 GB, and four times the size of the models' files.

        Weights lie in memory about twice while they are loaded, and a new version is
        loaded beside the old.
        """
        total = sum(model.size for model in self.models)
        return self.memory or math.ceil(1 + 4 * total / 1e9)

    @property
    def flags(self) -> list[str]:
        """With which TF Serving is started, in a container with /models and /config."""
        return [
            "--port=8500",
            "--rest_api_port=8501",
            "--model_config_file=/config/models.config",
            "--model_config_file_poll_wait_seconds=10",
            # A label may be given while its version is still being loaded.
            "--allow_version_labels_for_unavailable_models=true",
            "--monitoring_config_file=/config/monitoring.config",
            "--batching_parameters_file=/config/batching_params.pbtxt",
            *self.batching_flags,
            *self.thread_flags,
        ]

    @property
    def batches_by_models(self) -> bool:
        """Whether models say themselves how they batch.

        If one does, the others are not batched at all: a server has one rule for all.
        """
        return any(model.batches_by_itself for model in self.models)

    @property
    def batching_flags(self) -> list[str]:
        flag = "--enable_per_model_batching_parameters=true"
        return ["--enable_batching=true", *([flag] if self.batches_by_models else [])]

    @property
    def thread_flags(self) -> list[str]:
        # It would count the host's processors, not those that the container may use.
        return [
            f"--tensorflow_{kind}_op_parallelism={self.cpus}"
            for kind in ("intra", "inter")
        ]

"""What a task is: everything a problem adds around any model."""

from typing import Any, Protocol


class Task(Protocol):
    """Raw data in and out, and what has to be known for it: vocabularies, labels.

    `learn` makes a task from training data, `load` from a preset's folder. Only
    `encode` and the runner need TensorFlow.
    """

    @classmethod
    def learn(cls, data: Any, **options: Any) -> "Task":
        """Learns vocabularies or labels from training data."""

    @classmethod
    def load(cls, folder) -> "Task":
        """Reads what `save` wrote."""

    def save(self, folder) -> None:
        """Writes vocabularies or labels into an existing folder."""

    @staticmethod
    def made_up(count: int, seed: int = 0) -> Any:
        """A made-up data set that a tiny model learns in seconds."""

    @staticmethod
    def read(path, **options: Any) -> Any:
        """Reads raw data from the user's files."""

    @staticmethod
    def write(data: Any, path) -> None:
        """Keeps raw data in one file, for `read_back`."""

    @staticmethod
    def read_back(path) -> Any:
        """Reads what `write` wrote."""

    def model_options(self) -> dict:
        """The model's arguments that follow from the data."""

    def encode(self, data: Any, training: bool = False) -> Any:
        """Raw data to arrays, as the exported model would do it; for training, a task
        may add variants of them."""

    def batches(self, encoded: Any, batch_tokens: int, seed: int | None) -> Any:
        """Arrays to batches: has `stream(start_step)`, `once()`, `steps_per_epoch`."""

    def runner(self, model: Any) -> "Runner":
        """The task done by a model."""


class Runner(Protocol):
    """A task and a trained model: raw input to results."""

    def predict(self, inputs: list, **options: Any) -> list:
        """Results for raw inputs."""

    def evaluate(self, data: Any, **options: Any) -> dict:
        """Scores on raw data."""

    def score(self, data: Any) -> float:
        """The one number that decides while training; higher is better."""

    def attention(self, text: Any, **options: Any) -> Any:
        """What the model looked at, with a `plot(path)`."""

    def exported(self, weights: str, watch: Any, **options: Any) -> Any:
        """What an export needs: see `zoo.export.Exportable`."""

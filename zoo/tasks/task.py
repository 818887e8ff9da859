"""What a task is: everything a problem adds around any model."""

from typing import Any, Protocol


class Task(Protocol):
    """Raw data in and out, and what has to be known for it: vocabularies, labels.

    `learn` makes a task from training data, `load` from a preset's folder. Only
    `encode` and the runner need TensorFlow. A task that `scores_by_decoding` may have
    `score_batches(model, batches, data)`, the score from what `encode` made of data:
    then a training on another backend can be scored too.

    Attributes:
        name: the kind of problem.
        encoded_type: of what `encode` returns; has `save` and `load`.
        suffix: of files that `write` writes.
        scores_by_decoding: the score needs more than the metrics of the training.
        finetuning_passes: over the data, in a fine-tuning.
        finetuning_rate: of a fine-tuning, relative to the preset's.
        default_head: what a fine-tuning makes of output layers, if not told.
        finetuning_monitor: what decides between the rounds of a fine-tuning.
    """

    name: str
    encoded_type: type
    suffix: str
    scores_by_decoding: bool
    finetuning_monitor: str
    finetuning_passes: int
    finetuning_rate: float
    default_head: str

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

    def summary(self, train: Any, valid: Any) -> list[str]:
        """What data looks like, in lines; warns of what looks wrong."""

    def hold_out(self, data: Any, kind: str | None = None) -> tuple:
        """Splits data into what to train on and what to validate on."""

    def check(self, train: Any, valid: Any) -> None:
        """Refuses data that does not go with what the task knows."""

    def for_data(self, data: Any, head: str, kind: str | None = None) -> "Task":
        """The same task for other data: with its labels, if the head may change."""

    def loss(self, label_smoothing: float) -> Any:
        """The Keras loss of the training."""

    def metrics(self) -> dict:
        """Keras metrics by name, each with whether more is better; the first decides
        where `scores_by_decoding` is false."""

    def calibrated(self, model: Any, batches: Any) -> "Task":
        """The task with what is set after a training, on validation batches."""

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

"""Training: schedules, checkpoints, rounds of Keras's `fit`, and fine-tuning."""

from zoo.training.finetuning import prepare_finetuning
from zoo.training.parents import FineTuningWarning
from zoo.training.rounds import train_model
from zoo.training.runs import prepare_run, scorer, train_run

__all__ = [
    "FineTuningWarning",
    "prepare_finetuning",
    "prepare_run",
    "scorer",
    "train_model",
    "train_run",
]

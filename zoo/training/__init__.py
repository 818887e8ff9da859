"""Training: schedules, checkpoints, and rounds of Keras's `fit`."""

from zoo.training.rounds import train_model
from zoo.training.runs import prepare_run, scorer, train_run

__all__ = ["prepare_run", "scorer", "train_model", "train_run"]

"""Trains in rounds: some steps of `fit`, then validation, a checkpoint, a decision.

A round is one Keras epoch over an endless stream of batches whose order is a function
of the seed and the step alone. A training that was killed goes on from its last round
and ends with the very weights that it would have had.
"""

import contextlib
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np

from zoo.files import written_whole
from zoo.recipe import TrainingPlan
from zoo.training.checkpoints import has_checkpoint, load_checkpoint, save_checkpoint
from zoo.training.parts import frozen
from zoo.training.schedules import make_optimizer
from zoo.values import unknown
from zoo.weights import assign_arrays, model_arrays, read_arrays, write_arrays

BEGIN, BEST = "begin.safetensors", "best.safetensors"
# What is said to be kept when no round was better than the start.
KEPT_START = "start"


def train_model(
    model,
    task,
    plan: TrainingPlan,
    batches,
    valid_batches,
    folder,
    *,
    score: Callable[[], float] | None = None,
    resume: bool = False,
    keep_start: bool = False,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> dict:
    """Trains a model and leaves its best weights in it.

    Args:
        model: a built model.
        task: has the `loss` and the `metrics` of the training.
        plan: the numbers.
        batches: has `stream(start_step)`, endless batches from a step on.
        valid_batches: has `once()`, every validation batch.
        folder: an existing folder for checkpoints and logs.
        score: judges the model as it stands, higher is better (BLEU, say). Without
            it a metric of the validation data decides, the one that the plan monitors.
        resume: go on from the checkpoint in `folder`, if there is one.
        keep_start: count the weights that the model comes with as round 0: if no
            round scores better, they are kept.
        callbacks: more Keras callbacks.

    Returns:
        The `history`, one dictionary a round; which weights were `kept`; their
        `score`.

    Raises:
        ValueError: the checkpoint belongs to another training, or `plan.freeze` or
            `plan.rates` do not fit the model.
    """
    metrics = task.metrics()
    metric = None if score else monitored(plan, metrics)
    rounds = Rounds(Path(folder), plan, valid_batches, score, metric)
    with frozen(model, plan):
        _compile(model, plan, task.loss(plan.label_smoothing), metrics)
        if resume and has_checkpoint(folder):
            rounds.restore(load_checkpoint(folder, model))
        elif keep_start:
            rounds.begin(model)
        if not rounds.ended:
            _fit(model, plan, batches, rounds, callbacks)
        return {"history": rounds.history} | rounds.keep_best(model)


def monitored(plan: TrainingPlan, metrics: dict) -> tuple[str, bool]:
    """The metric that decides between rounds, and whether more of it is better.

    Args:
        plan: whose `monitor` names it.
        metrics: what a task measures, from its `metrics`.

    Raises:
        ValueError: the task measures no such thing.
    """
    # The loss is measured whatever the task measures besides.
    metrics = metrics | {"loss": (None, False)}
    name = next(iter(metrics)) if plan.monitor == "score" else plan.monitor
    if name not in metrics:
        raise ValueError(unknown("value of monitor", name, ["score", *metrics]))
    _, more_is_better = metrics[name]
    return name, more_is_better


def _compile(model, plan, loss, metrics):
    model.compile(
        optimizer=make_optimizer(plan),
        loss=loss,
        weighted_metrics=[metric for metric, _ in metrics.values()] or None,
        jit_compile="auto" if getattr(model, "supports_jit", True) else False,
    )
    # Else TensorFlow traces the first step twice: once to make these variables.
    model.optimizer.build(model.trainable_variables)


def _fit(model, plan, batches, rounds, callbacks):
    done = len(rounds.history)
    model.fit(
        _as_dataset(batches.stream(done * plan.round_steps)),
        steps_per_epoch=plan.round_steps,
        epochs=plan.steps // plan.round_steps,
        initial_epoch=done,
        callbacks=[rounds, *_tensorboard(rounds.folder), *callbacks],
        shuffle=False,
        verbose=0,
    )


class Rounds(keras.callbacks.Callback):
    """What happens at the end of a round, and what is kept of all.

    Args:
        folder: for checkpoints and logs.
        plan: the numbers.
        valid_batches: has `once()`, every validation batch.
        score: judges the model as it stands.
        metric: what judges it without a score: the name of a metric of the validation
            data, and whether more of it is better.
    """

    def __init__(self, folder: Path, plan, valid_batches=None, score=None, metric=None):
        super().__init__()
        self.folder, self.plan = folder, plan
        self.valid_batches, self.score, self.metric = valid_batches, score, metric
        self.history: list[dict] = []
        self.start: dict | None = None

    def begin(self, model) -> None:
        """Judges the weights before training, which count as round 0."""
        self.set_model(model)
        self.start = self._judge()
        write_arrays(self.folder / BEGIN, model_arrays(model))

    def restore(self, progress: dict) -> None:
        """Goes on from the progress of a checkpoint."""
        self.history, self.start = progress["history"], progress.get("start")

    @property
    def best_round(self) -> int:
        """Index of the best round; -1 is the start."""
        start = [] if self.start is None else [self.start]
        scores = [row["score"] for row in (*start, *self.history)]
        return int(np.argmax(scores)) - len(start)

    @property
    def stale(self) -> int:
        """Rounds since the best one."""
        return len(self.history) - 1 - self.best_round

    @property
    def ended(self) -> str:
        """Why there is nothing left to train; empty while there is."""
        done = len(self.history) * self.plan.round_steps
        if self.history and done >= self.plan.steps:
            return f"all {self.plan.steps} steps are done"
        if self.history and self.stale >= self.plan.patience:
            return f"no round has been better for {self.stale} rounds, at step {done}"
        return ""

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        row = {"step": (epoch + 1) * self.plan.round_steps}
        row |= {name: float(value) for name, value in (logs or {}).items()}
        row["seconds"] = round(time.perf_counter() - self.started, 1)
        if not np.isfinite(row["loss"]):
            raise ValueError(
                f"The loss is {row['loss']} at step {row['step']}: training diverged. "
                "Lower learning_rate or raise warmup_steps, and train anew; the last "
                "checkpoint is of the round before."
            )
        with self._averaged():
            row |= self._judge()
            weights = model_arrays(self.model)
        self.history.append(row)
        (logs or {}).update(row)
        write_arrays(self._round_file(epoch), weights)
        if self.best_round == epoch:
            write_arrays(self.folder / BEST, weights)
        progress = {"history": self.history, "start": self.start}
        save_checkpoint(self.folder, self.model, progress)
        self._round_file(epoch - self.plan.average_last).unlink(missing_ok=True)
        lines = "".join(json.dumps(entry) + "\n" for entry in self.history)
        with written_whole(self.folder / "history.jsonl") as beside:
            beside.write_text(lines, encoding="utf-8")
        self.model.stop_training = bool(self.ended)

    def keep_best(self, model) -> dict:
        """Leaves the best round's weights in the model, or the last rounds' average."""
        self.set_model(model)
        number = self.best_round
        best, file, name = self.start, BEGIN, KEPT_START
        if number >= 0:
            best, file, name = self.history[number], BEST, f"round {number + 1}"
        kept = {"kept": name, "score": best["score"]}
        last = range(
            max(0, len(self.history) - self.plan.average_last), len(self.history)
        )
        if len(last) > 1:
            assign_arrays(model, _average([self._round_file(n) for n in last]))
            score = self._judge()["score"]
            if score > best["score"]:
                return {"kept": f"average of {len(last)} last rounds", "score": score}
        assign_arrays(model, read_arrays(self.folder / file)[0])
        return kept

    def _judge(self) -> dict:
        """Validates the model as it stands."""
        logs = self.model.evaluate(
            _as_dataset(self.valid_batches.once()),
            steps=self.valid_batches.steps_per_epoch,
            verbose=0,
            return_dict=True,
        )
        row = {f"val_{name}": float(value) for name, value in logs.items()}
        if self.score is not None:
            row["score"] = self.score()
        else:
            name, more_is_better = self.metric
            row["score"] = row[f"val_{name}"] * (1 if more_is_better else -1)
        return row

    @contextlib.contextmanager
    def _averaged(self):
        """The model with the moving average of its weights, if the plan asks for it."""
        if not self.plan.ema_momentum:
            yield
            return
        weights = self.model.trainable_variables
        kept = [np.asarray(weight) for weight in weights]
        # Keras gives them to its own callback by this name, too.
        averages = self.model.optimizer._model_variables_moving_average
        for weight, average in zip(weights, averages, strict=True):
            # A copy: JAX gives away the arrays of the weights that it validates.
            weight.assign(np.asarray(average).copy())
        try:
            yield
        finally:
            for weight, array in zip(weights, kept, strict=True):
                weight.assign(array)

    def _round_file(self, number: int) -> Path:
        return self.folder / f"round-{number:05d}.safetensors"


def _average(files) -> dict[str, np.ndarray]:
    """Mean of several rounds' weights (Vaswani et al., 2017, section 6.1)."""
    total: dict[str, np.ndarray] = {}
    for file in files:
        for name, array in read_arrays(file)[0].items():
            # Adding to 0.0 would turn a frozen -0.0 into 0.0.
            array = array.astype("float64")
            total[name] = total[name] + array if name in total else array
    return {
        name: (array / len(files)).astype("float32") for name, array in total.items()
    }


def _as_dataset(stream):
    """On TensorFlow, a dataset whose shapes are open: Keras would fix them to those of
    the first two batches."""
    if keras.backend.backend() != "tensorflow":
        return stream
    import tensorflow as tf

    first = next(stream)
    specs = tf.nest.map_structure(
        lambda array: tf.TensorSpec([None] * array.ndim, array.dtype), first
    )
    whole = itertools.chain([first], stream)
    return tf.data.Dataset.from_generator(
        lambda: whole, output_signature=specs
    ).prefetch(2)


def _tensorboard(folder):
    """Logs for TensorBoard, where it is installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        return []
    if "tensorflow" not in sys.modules:
        return []
    return [keras.callbacks.TensorBoard(str(Path(folder) / "logs"), write_graph=False)]

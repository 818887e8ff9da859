"""Trains in rounds: some steps of `fit`, then validation, a checkpoint, a decision.

A round is one Keras epoch over an endless stream of batches whose order is a function
of the seed and the step alone. A training that was killed goes on from its last round
and ends with the very weights that it would have had.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np

from zoo.files import written_whole
from zoo.losses import SequenceCrossentropy
from zoo.metrics.perplexity import Perplexity
from zoo.recipe import TrainingPlan
from zoo.training.checkpoints import has_checkpoint, load_checkpoint, save_checkpoint
from zoo.training.schedules import make_optimizer
from zoo.weights import assign_arrays, model_arrays, read_arrays, write_arrays


def train_model(
    model,
    plan: TrainingPlan,
    batches,
    valid_batches,
    folder,
    *,
    score: Callable[[], float] | None = None,
    resume: bool = False,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> dict:
    """Trains a model and leaves its best weights in it.

    Args:
        model: a built model.
        plan: the numbers.
        batches: has `stream(start_step)`, endless batches from a step on.
        valid_batches: has `once()`, every validation batch.
        folder: an existing folder for checkpoints and logs.
        score: judges the model as it stands, higher is better (BLEU, say). Without
            it the validation perplexity decides.
        resume: go on from the checkpoint in `folder`, if there is one.
        callbacks: more Keras callbacks.

    Returns:
        The `history`, one dictionary a round; which weights were `kept`; their
        `score`.

    Raises:
        ValueError: the checkpoint belongs to another training.
    """
    model.compile(
        optimizer=make_optimizer(plan),
        loss=SequenceCrossentropy(plan.label_smoothing),
        metrics=[Perplexity()],
        jit_compile="auto" if getattr(model, "supports_jit", True) else False,
    )
    rounds = _Rounds(Path(folder), plan, valid_batches, score)
    if resume and has_checkpoint(folder):
        rounds.history = load_checkpoint(folder, model)["history"]
    done = len(rounds.history)
    if not rounds.finished:
        model.fit(
            _as_dataset(batches.stream(done * plan.round_steps)),
            steps_per_epoch=plan.round_steps,
            epochs=plan.steps // plan.round_steps,
            initial_epoch=done,
            callbacks=[rounds, *_tensorboard(folder), *callbacks],
            shuffle=False,
            verbose=0,
        )
    return {"history": rounds.history} | rounds.keep_best(model)


class _Rounds(keras.callbacks.Callback):
    """What happens at the end of a round."""

    def __init__(self, folder: Path, plan, valid_batches, score):
        super().__init__()
        self.folder, self.plan = folder, plan
        self.valid_batches, self.score = valid_batches, score
        self.history: list[dict] = []

    @property
    def best_round(self) -> int:
        return int(np.argmax([row["score"] for row in self.history]))

    @property
    def stale(self) -> int:
        """Rounds since the best one."""
        return len(self.history) - 1 - self.best_round

    @property
    def finished(self) -> bool:
        if not self.history:
            return False
        ended = len(self.history) * self.plan.round_steps >= self.plan.steps
        return ended or self.stale >= self.plan.patience

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
        row |= self._judge()
        self.history.append(row)
        (logs or {}).update(row)
        weights = model_arrays(self.model)
        write_arrays(self._round_file(epoch), weights)
        if self.best_round == epoch:
            write_arrays(self.folder / "best.safetensors", weights)
        save_checkpoint(self.folder, self.model, {"history": self.history})
        self._round_file(epoch - self.plan.average_last).unlink(missing_ok=True)
        lines = "".join(json.dumps(entry) + "\n" for entry in self.history)
        with written_whole(self.folder / "history.jsonl") as beside:
            beside.write_text(lines, encoding="utf-8")
        self.model.stop_training = self.finished

    def keep_best(self, model) -> dict:
        """Leaves the best round's weights in the model, or the last rounds' average."""
        self.set_model(model)
        best = self.history[self.best_round]
        kept = {"kept": f"round {self.best_round + 1}", "score": best["score"]}
        last = range(
            max(0, len(self.history) - self.plan.average_last), len(self.history)
        )
        if len(last) > 1:
            assign_arrays(model, _average([self._round_file(n) for n in last]))
            score = self._judge()["score"]
            if score > best["score"]:
                return {"kept": f"average of {len(last)} last rounds", "score": score}
        assign_arrays(model, read_arrays(self.folder / "best.safetensors")[0])
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
        row["score"] = -row["val_perplexity"] if self.score is None else self.score()
        return row

    def _round_file(self, number: int) -> Path:
        return self.folder / f"round-{number:05d}.safetensors"


def _average(files) -> dict[str, np.ndarray]:
    """Mean of several rounds' weights (Vaswani et al., 2017, section 6.1)."""
    total: dict[str, np.ndarray] = {}
    for file in files:
        for name, array in read_arrays(file)[0].items():
            total[name] = total.get(name, 0.0) + array.astype("float64")
    return {
        name: (array / len(files)).astype("float32") for name, array in total.items()
    }


def _as_dataset(stream):
    """On TensorFlow, a dataset whose shapes are open: Keras would fix them to those of
    the first two batches."""
    if keras.backend.backend() != "tensorflow":
        return stream
    import tensorflow as tf

    ids = tf.TensorSpec([None, None], tf.int32)
    return tf.data.Dataset.from_generator(
        lambda: stream,
        output_signature=({"source_ids": ids, "target_ids": ids}, ids),
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

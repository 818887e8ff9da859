"""Learns to reverse sequences, length after length."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo.data.vocabulary import END_ID, PADDING_ID, START_ID, UNKNOWN_ID
from zoo.decoding import DecodingOptions, ModelStepper, decode
from zoo.losses import SequenceCrossentropy
from zoo.models import RNNSeq2Seq
from zoo.studies.bottleneck import ReversalOptions
from zoo.weights import assign_arrays, model_arrays, read_arrays, write_arrays

_FIRST_ID = UNKNOWN_ID + 1
_STATE = "weights.safetensors"
_GREEDY = DecodingOptions(beam_size=1)
# Held-out sequences decoded at once.
_BATCH = 64
# Streams of random numbers: training data and held-out data never share one.
_TRAINING, _HELD_OUT = 0, 1


class Learner:
    """A model and how far along the lengths it has come.

    Args:
        attention: of `RNNSeq2Seq`.
        options: of the study.
        folder: where its state is kept after each length; an earlier state there is
            gone on from.

    Attributes:
        stage: how many lengths are finished.
        row: the measurement of the last of them.
    """

    def __init__(self, attention: str, options: ReversalOptions, folder: Path):
        if keras.backend.backend() != "tensorflow":
            raise RuntimeError(
                "The study decodes on TensorFlow, but Keras runs on "
                f"{keras.backend.backend()}. Set KERAS_BACKEND=tensorflow."
            )
        self.attention = attention
        self.options = options
        self.folder = folder
        self.model = self._make_model()
        self.stage, self.row = 0, None
        if (folder / _STATE).is_file():
            arrays, progress = read_arrays(folder / _STATE)
            assign_arrays(self.model, arrays, folder / _STATE)
            self.stage, self.row = progress["stage"], progress["row"]
        self.loss = SequenceCrossentropy()
        self.optimizer = keras.optimizers.Adam(
            beta_2=0.98, epsilon=1e-9, global_clipnorm=1.0
        )
        self.optimizer.build(self.model.trainable_variables)
        # Open shapes: compiling takes longer than many a length's steps.
        ids = tf.TensorSpec([None, None], tf.int32)
        self._step = tf.function(
            self._train_step, input_signature=[ids] * 3, autograph=False
        )
        self._decode = tf.function(
            lambda ids: decode(
                ModelStepper(self.model), ids, _row_lengths(ids), _GREEDY
            ).ids[:, 0],
            input_signature=[ids],
            autograph=False,
        )

    def learn(self, say: Callable[[int, str], None]) -> dict:
        """Trains at the next length, judges, and keeps the state.

        Args:
            say: told the steps done and how it goes.

        Returns:
            The measurement.
        """
        length = self.options.lengths[self.stage]
        started = time.perf_counter()
        loss = self._train(say)
        trained = time.perf_counter()
        say(self.options.steps[self.stage], "decoding")
        right, whole = self._judge(length)
        self.row = {
            "attention": self.attention,
            "length": length,
            "steps": self.options.steps[self.stage],
            "batch": self.options.batch_size(length),
            "seconds": round(trained - started, 1),
            "decoding_seconds": round(time.perf_counter() - trained, 1),
            "loss": loss,
            "parameters": self.model.count_params(),
            "sequences": len(right),
            **_with_interval("accuracy", right),
            **_with_interval("whole", whole),
        }
        self.stage += 1
        write_arrays(
            self.folder / _STATE,
            model_arrays(self.model),
            {"stage": self.stage, "row": self.row},
        )
        return self.row

    def _make_model(self):
        options = self.options
        vocabulary = _FIRST_ID + options.alphabet
        # Keras draws the seeds of initializers from here; every model gets the same.
        outer, _ = random.getstate(), random.seed(options.seed)
        try:
            model = RNNSeq2Seq(
                vocabulary,
                vocabulary,
                attention=self.attention,
                embedding_size=options.embedding_size,
                units=options.units,
                dropout=0.0,
            )
            model.build(None)
        finally:
            random.setstate(outer)
        return model

    def _train(self, say) -> float:
        """The mean loss of the last tenth of the steps."""
        options, stage = self.options, self.stage
        length, steps = options.lengths[stage], options.steps[stage]
        before = options.lengths[stage - 1] if stage else 1
        # Every length is a training of its own: what a kill loses is no state.
        for variable in self.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        losses = []
        for step in range(steps):
            now = training_length(before, length, step, steps)
            inputs, targets = reversal_batch(
                np.random.default_rng([options.seed, _TRAINING, length, step]),
                options.batch_size(now),
                now,
                options.alphabet,
            )
            self.optimizer.learning_rate = options.rate(length, step, steps)
            losses.append(float(self._step(*inputs.values(), targets)))
            say(step + 1, f"loss {losses[-1]:.2f}")
        return float(np.mean(losses[-max(1, steps // 10) :]))

    def _train_step(self, source_ids, target_ids, targets):
        with tf.GradientTape() as tape:
            logits, _ = self.model.force(source_ids, target_ids, training=True)
            loss = self.loss(targets, logits)
        variables = self.model.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        self.optimizer.apply(gradients, variables)
        return loss

    def _judge(self, length):
        """Of each held-out sequence: the share of right tokens, and whether all are."""
        options = self.options
        numbers = np.random.default_rng([options.seed, _HELD_OUT, length])
        count = options.held_out_size(length)
        inputs, targets = reversal_batch(numbers, count, length, options.alphabet)
        found = np.full_like(targets, PADDING_ID)
        for start in range(0, count, _BATCH):
            ids = self._decode(inputs["source_ids"][start : start + _BATCH]).numpy()
            found[start : start + len(ids), : ids.shape[1]] = ids
        same = found == targets
        # The end token is no token of the sequence, but a whole answer ends.
        return same[:, :length].mean(axis=1), same.all(axis=1).astype("float64")


def reversal_batch(numbers, count: int, length: int, alphabet: int):
    """Random sequences and their reversals, each ended by the end token.

    Args:
        numbers: a NumPy generator.
        count: how many.
        length: of each.
        alphabet: number of different tokens.

    Returns:
        Inputs and targets, as `RNNSeq2Seq` and its loss take them, (count, length + 1).
    """
    tokens = numbers.integers(_FIRST_ID, _FIRST_ID + alphabet, (count, length))
    tokens = tokens.astype("int32")
    start, end = (np.full((count, 1), id_, "int32") for id_ in (START_ID, END_ID))
    backwards = tokens[:, ::-1]
    inputs = {
        "source_ids": np.concatenate([tokens, end], axis=1),
        "target_ids": np.concatenate([start, backwards], axis=1),
    }
    return inputs, np.concatenate([backwards, end], axis=1)


def training_length(before: int, length: int, step: int, steps: int) -> int:
    """Grows from the length before to this one, and stays for the last third."""
    share = min(1.0, 1.5 * (step + 1) / steps)
    return round(before + share * (length - before))


def _row_lengths(ids):
    """Every row may become as long as its source, end token included."""
    return tf.fill([tf.shape(ids)[0]], tf.shape(ids)[1])


def _with_interval(name: str, values) -> dict:
    """The mean over sequences, and a 95 % bootstrap interval of it."""
    numbers = np.random.default_rng(0)
    drawn = numbers.integers(0, len(values), (2_000, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return {
        name: float(values.mean()),
        f"{name}_low": float(low),
        f"{name}_high": float(high),
    }

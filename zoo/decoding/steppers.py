"""What decoding asks of a model, and how any model of this package answers."""

from typing import Any, Protocol

import tensorflow as tf

# Shape letters: A sentences still being decoded, K hypotheses of each, N = A x K rows,
# S source length, V vocabulary.


class Stepper(Protocol):
    """A model that reads sentences once and then advances token by token.

    Memory and state are nested structures of tensors whose first axis is that of the
    sentences or of their rows; only the stepper looks into them.
    """

    def start(self, source_ids, rows: int) -> tuple[Any, Any]:
        """Reads the sources, shape (A, S), each for so many hypotheses.

        Returns:
            Memory and state.
        """

    def step(self, token_ids, state, memory) -> tuple[Any, Any, Any]:
        """Advances every hypothesis by one token.

        Args:
            token_ids: the last tokens, shape (A, K).
            state: from `start`, `step`, `reorder` or `keep`.
            memory: from `start` or `keep`.

        Returns:
            Logits, shape (N, V); the new state; attention weights, shape (A, K, S),
            zeros for a model without attention.
        """

    def reorder(self, state, parents) -> Any:
        """State after each hypothesis became a copy of one, numbered by (A, K)."""

    def keep(self, values, sentences) -> Any:
        """State or memory of some sentences only, numbered by shape (kept,)."""


class ModelStepper:
    """Steps with a Keras model as it is: its weights may still change.

    Args:
        model: has `encode`, `initial_state` and `step`.
    """

    def __init__(self, model):
        self.model = model

    def start(self, source_ids, rows: int):
        self.rows, self.source_length = rows, tf.shape(source_ids)[1]
        memory = self.model.encode(source_ids, training=False)
        state = self.model.initial_state(memory)
        if rows == 1:
            return memory, state
        repeat = lambda tensor: tf.repeat(tensor, rows, axis=0)  # noqa: E731
        return tf.nest.map_structure(repeat, (memory, state))

    def step(self, token_ids, state, memory):
        logits, state, weights_NS = self.model.step(
            tf.reshape(token_ids, [-1]), state, memory
        )
        shape = tf.stack([*tf.unstack(tf.shape(token_ids)), self.source_length])
        if getattr(self.model, "attention", None) == "none":
            return logits, state, tf.zeros(shape)
        return logits, state, tf.reshape(tf.cast(weights_NS, tf.float32), shape)

    def reorder(self, state, parents):
        sentences = tf.range(tf.shape(parents)[0])[:, None]
        return gather_rows(state, tf.reshape(sentences * self.rows + parents, [-1]))

    def keep(self, values, sentences):
        if self.rows > 1:
            own = tf.range(self.rows)
            sentences = tf.reshape(sentences[:, None] * self.rows + own, [-1])
        return gather_rows(values, sentences)


def gather_rows(values, rows):
    """Some rows of every tensor of a nested structure."""
    return tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), values)

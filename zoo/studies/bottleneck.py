"""The bottleneck of a fixed-length vector (Bahdanau et al., 2015, figure 2).

An encoder-decoder without attention must press a whole source sequence into one vector,
whatever its length. Here it learns to reverse made-up sequences of growing length,
beside the same model with attention.

Budget and curriculum are the same for every model: from one length to the next longer
one it keeps its weights, and it trains for a few steps on sequences that grow from the
one to the other. What is measured is what it can do after these steps, not what it
could ever learn.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from zoo.studies.checks import check_at_least, check_lengths, check_names
from zoo.studies.measurements import Measurements, Tell


@dataclass(frozen=True)
class ReversalOptions:
    """What is trained, on what, for how long.

    Attributes:
        attentions: of `zoo.models.RNNSeq2Seq`, "none" for the fixed-length vector.
        lengths: of the sequences, rising.
        steps: training steps at each length, or one number for all.
        alphabet: number of different tokens.
        units: of each encoder direction, of the decoder and of the attention.
        embedding_size: of the tokens.
        batch_tokens: source tokens in a batch, about.
        learning_rate: at the shortest length; see `rate`.
        held_out: sequences to judge by, at most: long ones are fewer, so that they hold
            about `held_out_tokens`, but at least 32.
        held_out_tokens: see there.
        seed: of weights and data.

    Raises:
        ValueError: a value out of range.
    """

    attentions: tuple[str, ...] = ("none", "bahdanau", "general")
    lengths: tuple[int, ...] = (10, 20, 50, 100, 200, 500, 1000)
    steps: tuple[int, ...] = (220, 100, 140, 160, 40, 10, 3)
    alphabet: int = 26
    units: int = 64
    embedding_size: int = 32
    batch_tokens: int = 1_600
    learning_rate: float = 5e-3
    held_out: int = 256
    held_out_tokens: int = 25_600
    seed: int = 0

    def __post_init__(self):
        check_lengths(self.lengths, least=1)
        if len(self.steps) == 1:
            object.__setattr__(self, "steps", self.steps * len(self.lengths))
        if len(self.steps) != len(self.lengths) or min(self.steps) < 1:
            raise ValueError(
                "steps must be one number for all lengths or one for each, from 1 on. "
                f"Received: {len(self.steps)} for {len(self.lengths)} lengths "
                f"({', '.join(map(str, self.steps))})."
            )
        check_at_least(self, alphabet=2, units=1, embedding_size=1, batch_tokens=1)
        check_at_least(self, learning_rate=0.0, held_out=1, held_out_tokens=1, seed=0)

    def rate(self, length: int, step: int, steps: int) -> float:
        """The learning rate: lower for long sequences, and falling at the end."""
        highest = self.learning_rate * (self.lengths[0] / length) ** 0.25
        return highest * min(1.0, 3 * (1 - step / steps))

    def batch_size(self, length: int) -> int:
        return max(4, self.batch_tokens // length)

    def held_out_size(self, length: int) -> int:
        return min(self.held_out, max(32, self.held_out_tokens // length))


def measure_reversal(folder, options: ReversalOptions, tell: Tell) -> Measurements:
    """Trains and judges what was not yet judged in a folder.

    Args:
        folder: new, empty, or of a run with the same options; attentions may be
            added. Its `weights` keeps each model as it was after its last length.
        options: what to train.
        tell: told of every step.

    Raises:
        ValueError: an attention that the model does not know, or the folder holds
            something else.
    """
    from zoo.models.rnn_seq2seq import ATTENTIONS
    from zoo.studies.reversal import Learner

    check_names("attention", options.attentions, ATTENTIONS)
    shared = dataclasses.asdict(options)
    del shared["attentions"]  # each is measured by itself: more may come later
    kept = Measurements(folder, "bottleneck", shared)
    total = len(options.attentions) * sum(options.steps)
    for number, attention in enumerate(options.attentions):
        before = number * sum(options.steps)
        done = len(kept.find(attention=attention))
        if done == len(options.lengths):
            continue
        weights = Path(folder) / "weights" / attention
        weights.mkdir(parents=True, exist_ok=True)
        learner = Learner(attention, options, weights)
        if learner.stage > done:
            # Killed between its weights and the line that tells of them.
            kept.add(**learner.row)
        for stage in range(learner.stage, len(options.lengths)):
            shown = f"{attention}, length {options.lengths[stage]}"
            passed = before + sum(options.steps[:stage])

            def say(step, text, shown=shown, passed=passed):
                tell(f"{shown}: {text}", passed + step, total)

            kept.add(**learner.learn(say))
    return kept

"""What a layer costs by sequence length (Vaswani et al., 2017, table 1).

The paper compares recurrent, convolutional and self-attention layers by their
operations, by those that must wait for one another, and by the length of the path
between two positions. Here the same layers are called at lengths that double, and their
time and memory stand beside those formulas.

Times are from interleaved rounds: a process for each kind of layer, all alive at once,
and in every round each of them is called in turn. Ratios are taken within a round. The
memory of every call is measured in a fresh process.
"""
# TensorFlow runs in the measuring processes only: see cost_worker.py.

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo.studies.checks import check_at_least, check_lengths, check_names
from zoo.studies.measurements import Measurements, Tell

DIRECTIONS = ("forward", "forward+backward")
KERNEL = 3
FEWEST_ROUNDS = 3
# Seconds that a visit to a worker takes at least: shorter calls are repeated.
SHORTEST_VISIT = 0.05


@dataclass(frozen=True)
class Layer:
    """A kind of layer, with its row of table 1.

    Attributes:
        title: in tables and pictures.
        complexity: operations of a layer: n length, d size, k kernel, w window.
        power: of n therein.
        sequential: operations that must wait for one another.
        path: steps between the two positions furthest apart, through as many layers of
            the kind as that takes.
        path_length: the same as a number, from the length and the options.
    """

    title: str
    complexity: str
    power: int
    sequential: str
    path: str
    path_length: Callable[[int, "CostOptions"], int]

    def sequential_operations(self, length: int) -> int:
        return length if self.sequential == "O(n)" else 1


def _full(title: str) -> Layer:
    return Layer(title, "O(n²·d)", 2, "O(1)", "1", lambda length, options: 1)


LAYERS = {
    "recurrent": Layer(
        "recurrent (GRU)",
        "O(n·d²)",
        1,
        "O(n)",
        "n",
        lambda length, options: length,
    ),
    "convolutional": Layer(
        f"convolutional (kernel {KERNEL})",
        "O(k·n·d²)",
        1,
        "O(1)",
        "⌈(n−1)/⌊k/2⌋⌉",
        lambda length, options: math.ceil((length - 1) / (KERNEL // 2)),
    ),
    "full": _full("self-attention"),
    "blockwise": _full("self-attention, blockwise"),
    "windowed": Layer(
        "self-attention, windowed",
        "O(w·n·d)",
        1,
        "O(1)",
        "⌈(n−1)/w⌉",
        lambda length, options: math.ceil((length - 1) / options.window),
    ),
}


@dataclass(frozen=True)
class CostOptions:
    """What is measured.

    Attributes:
        layers: which of `LAYERS`, "full" among them.
        lengths: of the sequences, rising.
        size: of the model: of the inputs and of what each layer makes of them.
        heads: of attention.
        window: how far windowed attention sees to either side.
        rounds: how often a call is timed, at most.
        seconds: for all rounds of a length and direction; where they do not suffice,
            there are fewer rounds, but never fewer than 3.
        max_memory: gigabytes; a call that would take more is skipped.

    Raises:
        ValueError: a value out of range.
    """

    layers: tuple[str, ...] = ("recurrent", "convolutional", "full", "windowed")
    lengths: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
    size: int = 512
    heads: int = 8
    window: int = 64
    rounds: int = 9
    seconds: float = 8.0
    max_memory: float = 14.0

    def __post_init__(self):
        check_names("layer", self.layers, list(LAYERS))
        if "full" not in self.layers:
            raise ValueError(
                "layers must name full, to which ratios are taken. Received: "
                f"{', '.join(self.layers)}."
            )
        check_lengths(self.lengths, least=2)
        check_at_least(self, heads=1, window=1, size=1, rounds=FEWEST_ROUNDS)
        check_at_least(self, seconds=0.0, max_memory=0.0)
        if self.size % self.heads:
            raise ValueError(
                f"size must be a multiple of heads. Received: size={self.size}, "
                f"heads={self.heads}."
            )


def measure_cost(folder, options: CostOptions, tell: Tell) -> Measurements:
    """Measures what was not yet measured in a folder.

    Args:
        folder: new, empty, or of a run with the same options.
        options: what to measure.
        tell: told what is being measured.

    Raises:
        ValueError: the folder holds something else.
        RuntimeError: a layer failed.
    """
    kept = Measurements(folder, "cost", asdict(options))
    cells = len(options.lengths) * len(DIRECTIONS)
    total = cells * (len(options.layers) + 1)

    def say(text):
        tell(text, len(kept.rows), total)

    _measure_memory(kept, options, say)
    _measure_time(kept, options, say)
    return kept


def _measure_memory(kept, options, say):
    cells = [
        {"layer": layer, "direction": direction, "length": length}
        for layer in options.layers
        for direction in DIRECTIONS
        for length in options.lengths
    ]
    cells = [cell for cell in cells if not kept.find(what="memory", **cell)]
    if not cells:
        return
    say("starting a process")
    with _Worker(options) as worker:
        for cell in cells:
            say(f"memory of {' '.join(map(str, cell.values()))}")
            expected = _expected_gigabytes(kept, cell)
            if expected > options.max_memory:
                found = {
                    "skipped": f"about {expected:.0f} GB, over {options.max_memory:g}"
                }
            else:
                found = worker.ask(do="memory", **cell)
            kept.add(what="memory", **cell, **found)


def _expected_gigabytes(kept, cell) -> float:
    """From the next shorter length, as the layer's complexity grows; 0 if unknown.

    Constant parts grow along, so this errs towards skipping.
    """
    same = {key: cell[key] for key in ("layer", "direction")}
    shorter = [
        row
        for row in kept.find(what="memory", **same)
        if row["length"] < cell["length"] and "megabytes" in row
    ]
    if not shorter:
        return 0.0
    last = max(shorter, key=lambda row: row["length"])
    growth = (cell["length"] / last["length"]) ** LAYERS[cell["layer"]].power
    return last["megabytes"] * growth / 1000


def _measure_time(kept, options, say):
    groups = [
        {"length": length, "direction": direction}
        for length in options.lengths
        for direction in DIRECTIONS
    ]
    groups = [group for group in groups if not kept.find(what="time", **group)]
    if not groups:
        return
    say("starting a process for each layer")
    with ExitStack() as stack:
        workers = {
            layer: stack.enter_context(_Worker(options)) for layer in options.layers
        }
        for group in groups:
            say(f"time of {' '.join(map(str, group.values()))}")
            able = {
                row["layer"]: workers[row["layer"]]
                for row in kept.find(what="memory", **group)
                if "skipped" not in row
            }
            kept.add(what="time", **group, **_time_group(able, group, options))


def _time_group(workers, group, options) -> dict:
    """Seconds of each layer in each round."""
    first = {
        layer: worker.ask(do="prepare", layer=layer, **group)["seconds"]
        for layer, worker in workers.items()
    }
    calls = {
        layer: max(1, math.ceil(SHORTEST_VISIT / seconds))
        for layer, seconds in first.items()
    }
    a_round = sum(first[layer] * calls[layer] for layer in workers)
    affordable = int(options.seconds / a_round) if a_round else options.rounds
    rounds = min(options.rounds, max(FEWEST_ROUNDS, affordable))
    seconds: dict[str, list[float]] = {layer: [] for layer in workers}
    order = list(workers)
    for _ in range(rounds):
        for layer in order:
            answer = workers[layer].ask(do="time", calls=calls[layer])
            seconds[layer].append(answer["seconds"])
        order = order[1:] + order[:1]
    return {"calls": calls, "seconds": seconds}


class _Worker:
    """A measuring process, and requests to it."""

    def __init__(self, options: CostOptions):
        self._options = {key: getattr(options, key) for key in ("size", "heads")}
        self._options["window"] = options.window

    def __enter__(self):
        root = str(Path(__file__).parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            "PYTHONPATH": os.pathsep.join(paths),
            "KERAS_BACKEND": "tensorflow",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
        }
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "zoo.studies.cost_worker"),
                json.dumps(self._options),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env=os.environ | environment,
        )
        return self

    def ask(self, **request) -> dict:
        """The answer to a request.

        Raises:
            RuntimeError: the process failed.
        """
        answer = None
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            answer = json.loads(self._process.stdout.readline() or "null")
        except BrokenPipeError:
            pass
        if answer is None:
            self._errors.seek(0)
            answer = {"error": self._errors.read() or "the process ended"}
        if "error" in answer:
            last = " ".join(answer["error"].strip().splitlines()[-3:])
            raise RuntimeError(f"Measuring {request} failed: {last}")
        return answer

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with suppress(BrokenPipeError):
                stream.close()

"""What benchmarks of speed share: contestants in processes of their own take turns.

Within a round everyone runs once, in an order drawn anew, so that whatever else the
machine does meets all alike. What is reported is the ratio of times, round by round.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def timed(run) -> float:
    """Seconds of a call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


class Worker:
    """A child process that runs one contestant.

    It is given a line of JSON at a time, and answers with one.

    Args:
        python: its interpreter.
        script: with the options `--worker NAME` and `--threads N`.
        name: of the contestant.
        threads: that it may have.
        options: more of the script's options.
        environment: more variables; `None` takes one away.
    """

    def __init__(self, python, script, name, threads, options=(), **environment):
        variables = os.environ | {
            "CUDA_VISIBLE_DEVICES": "-1",
            "HF_HUB_OFFLINE": "1",
            "KERAS_BACKEND": "tensorflow",
            "OMP_NUM_THREADS": str(threads),
            "PYTHONPATH": str(ROOT),
            "RAYON_NUM_THREADS": str(threads),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        variables |= environment
        self.process = subprocess.Popen(
            [python, script, "--worker", name, "--threads", str(threads), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: text for name, text in variables.items() if text is not None},
            text=True,
        )

    def ask(self, *question):
        """The answer to a question, both of JSON.

        Raises:
            RuntimeError: the worker failed; it has said why.
        """
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"A worker failed: {' '.join(self.process.args[1:4])}.")
        return json.loads(answer)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def answer_all(answer) -> None:
    """What a worker does: answers every line of standard input."""
    for line in sys.stdin:
        print(json.dumps(answer(*json.loads(line))), flush=True)


def seconds_of(workers: dict[str, Worker], rounds: int, *question) -> dict[str, list]:
    """What every worker answers, in each of several rounds."""
    seconds = {name: [] for name in workers}
    for _ in range(rounds):
        for name in random.sample(list(workers), len(workers)):
            seconds[name].append(workers[name].ask(*question))
    return seconds


def ratios(theirs: list[float], ours: list[float]) -> list[float]:
    """Round by round; above 1 we are faster."""
    return [other / own for other, own in zip(theirs, ours, strict=True)]


def spread(values: list[float]) -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"

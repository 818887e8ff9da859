"""Speed and memory of our multi-head attention beside Keras's and torch's.

    python benchmarks/attention.py [--out FILE.md] [--torch-python PATH]

All contestants have the same projections, inputs and number of threads. Each runs in a
process of its own, and they take turns within a round, so that whatever else the
machine does meets all alike: what is reported is the ratio to ours, round by round.
TensorFlow and torch may live in two environments: `--torch-python` names the
interpreter that has torch.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

BATCH, HEADS, SIZE = 8, 8, 512
LENGTHS = (128, 512, 2048)
MODES = ("forward", "forward and backward")
LONG = 8192


def work(name: str, threads: int) -> None:
    """What a worker runs: answers a line of JSON, a request, with another."""
    build = torch_calls if name == "torch" else tensorflow_calls
    make = build(name, threads)
    calls = {}
    for line in sys.stdin:
        request = json.loads(line)
        key = (request["batch"], request["length"], request["causal"])
        if key not in calls:
            calls.clear()
            calls[key] = make(*key)
        # Forgets the highest level so far.
        Path("/proc/self/clear_refs").write_text("5")
        before = memory("VmRSS")
        start = time.perf_counter()
        calls[key][MODES.index(request["mode"])]()
        seconds = time.perf_counter() - start
        megabytes = (memory("VmHWM") - before) / 1024
        print(json.dumps({"seconds": seconds, "megabytes": megabytes}), flush=True)


def memory(field: str) -> int:
    """A line of /proc/self/status in kB; VmHWM is the highest level so far."""
    return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0])


def tensorflow_calls(name, threads):
    import keras
    import tensorflow as tf

    from zoo.layers import MultiHeadAttention

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    def make(batch, length, causal):
        inputs = tf.random.stateless_normal((batch, length, SIZE), (1, 2))
        if name == "keras":
            layer = keras.layers.MultiHeadAttention(HEADS, SIZE // HEADS)
            layer.build(inputs.shape, inputs.shape)
        else:
            layer = MultiHeadAttention(HEADS, SIZE, causal=causal, path=name)
            layer.build(inputs.shape)

        def apply(inputs):
            if name == "keras":
                return layer(inputs, inputs, use_causal_mask=causal)
            return layer(inputs)

        # One number comes back, so that nothing is left to be computed later.
        @tf.function
        def forward():
            return apply(inputs)[0, 0, 0]

        @tf.function
        def backward():
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                loss = tf.reduce_sum(tf.square(apply(inputs)))
            weights = [weight.value for weight in layer.trainable_weights]
            gradients = tape.gradient(loss, [inputs, *weights])
            return sum(tf.reduce_sum(gradient[..., 0]) for gradient in gradients)

        return lambda: forward().numpy(), lambda: backward().numpy()

    return make


def torch_calls(name, threads):
    import torch

    torch.set_num_threads(threads)

    class Attention(torch.nn.Module):
        def __init__(self):
            super().__init__()
            parts = [torch.nn.Linear(SIZE, SIZE) for _ in range(4)]
            self.parts = torch.nn.ModuleList(parts)

        def forward(self, inputs, causal):
            heads = [
                part(inputs).unflatten(-1, (HEADS, -1)).transpose(1, 2)
                for part in self.parts[:3]
            ]
            context = torch.nn.functional.scaled_dot_product_attention(
                *heads, is_causal=causal
            )
            return self.parts[3](context.transpose(1, 2).flatten(2))

    def make(batch, length, causal):
        inputs = torch.randn(batch, length, SIZE, requires_grad=True)
        layer = Attention()

        def forward():
            with torch.no_grad():
                return layer(inputs, causal)[0, 0, 0].item()

        def backward():
            layer.zero_grad()
            layer(inputs, causal).square().sum().backward()
            return inputs.grad[0, 0, 0].item()

        return forward, backward

    return make


class Worker:
    """A child process that runs one contestant."""

    def __init__(self, name, threads, python=sys.executable):
        root = Path(__file__).resolve().parents[1]
        environment = os.environ | {
            "KERAS_BACKEND": "tensorflow",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(root),
            "OMP_NUM_THREADS": str(threads),
        }
        self.process = subprocess.Popen(
            [python, __file__, "--worker", name, "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )

    def end(self):
        self.process.stdin.close()
        self.process.wait()

    def ask(self, length, mode, batch=BATCH, causal=False) -> dict:
        request = {"length": length, "mode": mode, "batch": batch, "causal": causal}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"worker ended: {' '.join(self.process.args)}")
        return json.loads(answer)


def compare(options) -> list[str]:
    """A table of times: ours, and every other's as a ratio to it."""
    pythons = {"auto": sys.executable, "keras": sys.executable}
    asked = [options.torch_python, "-c", "import torch"]
    if subprocess.run(asked, capture_output=True).returncode == 0:
        pythons["torch"] = options.torch_python
    workers = {
        name: Worker(name, options.threads, python) for name, python in pythons.items()
    }
    lines = ["| length | mask | pass | ours, ms | Keras / ours | torch / ours |"]
    lines.append("|---" * 6 + "|")
    for length in options.lengths:
        for causal in (False, True):
            for mode in MODES:
                ours, *others = rounds(workers, length, causal, mode, options.rounds)
                cells = [ratio(other, ours) for other in others]
                if "torch" not in workers:
                    cells.append("torch is not installed")
                mask, middle = ("none", "causal")[causal], statistics.median(ours)
                cells = [str(length), mask, mode, f"{1000 * middle:.0f}", *cells]
                lines.append(f"| {' | '.join(cells)} |")
                print(lines[-1], flush=True)
    for worker in workers.values():
        worker.end()
    return lines


def rounds(workers, length, causal, mode, number) -> list[list[float]]:
    """Seconds of each contestant, who take turns; who starts changes every round."""
    times = {name: [] for name in workers}
    order = list(workers)
    for _ in range(number + 1):
        for name in order:
            answer = workers[name].ask(length, mode, causal=causal)
            times[name].append(answer["seconds"])
        order = [*order[1:], order[0]]
    # The first call traces and warms up.
    return [seconds[1:] for seconds in times.values()]


def ratio(theirs, ours) -> str:
    """Median and quartiles of the ratios of all rounds; above 1 we are faster."""
    ratios = [other / own for other, own in zip(theirs, ours, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def peaks(options) -> list[str]:
    """A table of memory: how far a first call's peak lies above the level before."""
    lines = ["| length | pass | full, MB | blockwise, MB |", "|---|---|---|---|"]
    for mode in MODES:
        cells = []
        for path in ("full", "blockwise"):
            worker = Worker(path, options.threads)
            worker.ask(128, mode, batch=1)
            answer = worker.ask(options.long, mode, batch=1)
            worker.end()
            cells.append(f"{answer['megabytes']:.0f}")
        lines.append(f"| {options.long} | {mode} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--long", type=int, default=LONG)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options.worker, options.threads)
    title = f"{BATCH=} {HEADS=} {SIZE=} {options.threads=} {options.rounds=}".lower()
    lines = [title, "", *compare(options), "", *peaks(options), ""]
    if options.out:
        options.out.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

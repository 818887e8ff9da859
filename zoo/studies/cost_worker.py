"""The measuring process of `zoo study cost`: one layer called at one length.

    python -m zoo.studies.cost_worker '{"size": 512, "heads": 8, "window": 64}'

It reads requests from standard input and answers each on standard output, a line of
JSON both ways:

    {"do": "memory", "layer": ..., "length": ..., "direction": ...}
        measures in a forked child, so that nothing of an earlier call is in the figure
    {"do": "prepare", the same}    compiles, and answers the seconds of one call
    {"do": "time", "calls": n}     answers the seconds of each of n calls, on average

Once it has prepared anything it must not fork: TensorFlow's threads run from then on.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path

import keras
import tensorflow as tf

from zoo.layers import MultiHeadAttention

KERNEL = 3
# A call at this length, before memory is measured, pays what a process pays once.
_WARM_LENGTH = 16
_MEGABYTE = 1e6


def main(options: dict) -> None:
    # Whatever a library prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    timed = None
    for line in sys.stdin:
        request = json.loads(line)
        do = request.pop("do")
        if do == "memory":
            answer = _in_child(options, request)
        elif do == "prepare":
            timed = prepared(options, **request)
            answer = {"seconds": seconds_of(timed, 1)}
        else:
            answer = {"seconds": seconds_of(timed, **request)}
        print(json.dumps(answer), file=answers, flush=True)


def make_layer(layer: str, size: int, heads: int, window: int):
    if layer == "recurrent":
        return keras.layers.GRU(size, return_sequences=True)
    if layer == "convolutional":
        return keras.layers.Conv1D(size, KERNEL, padding="same")
    if layer == "windowed":
        return MultiHeadAttention(heads, size, window_width=window, path="banded")
    return MultiHeadAttention(heads, size, path=layer)


def prepared(options: dict, layer: str, length: int, direction: str):
    """A compiled call without arguments."""
    return _compiled(_built(layer, options), options["size"], length, direction)


def seconds_of(function, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def measure_memory(options: dict, layer: str, length: int, direction: str) -> dict:
    """How far a call lifts the process's memory above its level before it."""
    module = _built(layer, options)
    _compiled(module, options["size"], _WARM_LENGTH, direction)()
    function = _compiled(module, options["size"], length, direction, warm=False)
    Path("/proc/self/clear_refs").write_text("5")  # forget earlier peaks
    level = _status("VmRSS")
    function()
    return {
        "megabytes": max(_status("VmHWM") - level, 0) / _MEGABYTE,
        "parameters": module.count_params(),
    }


def _built(layer, options):
    module = make_layer(layer, **options)
    module.build((1, None, options["size"]))
    return module


def _compiled(module, size, length, direction, warm=True):
    random = tf.random.Generator.from_seed(0)
    inputs = random.normal((1, length, size))
    upstream = random.normal((1, length, size))

    @tf.function(autograph=False)
    def forward(inputs):
        return module(inputs)

    @tf.function(autograph=False)
    def both(inputs, upstream):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = module(inputs)
        weights = [variable.value for variable in module.trainable_variables]
        return tape.gradient(outputs, [inputs, *weights], output_gradients=upstream)

    if direction == "forward":
        concrete, arguments = forward.get_concrete_function(inputs), (inputs,)
    else:
        concrete = both.get_concrete_function(inputs, upstream)
        arguments = (inputs, upstream)
    if warm:
        concrete(*arguments)
    return lambda: concrete(*arguments)


def _status(field: str) -> int:
    """Bytes of this process, as the kernel counts them."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}.")


def _in_child(options, request) -> dict:
    """Measures in a forked process; a signal that ended it is an answer too."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = measure_memory(options, **request)
        except Exception:
            answer = {"error": traceback.format_exc()}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"skipped": f"ended by signal {os.WTERMSIG(status)}"}
    return json.loads(content)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

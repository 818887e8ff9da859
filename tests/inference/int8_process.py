"""What int8 gives, as JSON; a process of its own: see `test_int8.py`."""

import json
import sys

import numpy as np
import tensorflow as tf

from zoo.data.vocabulary import END_ID, START_ID
from zoo.export import export
from zoo.inference import exported_stepper, int8_works
from zoo.inference.linear import Int8Linear, Linear, WatchedLinear
from zoo.models import SSRUTransformer, Transformer
from zoo.tasks.translation import TranslationTask


def product() -> dict:
    """An int8 product of inputs, some of which lie beyond the range."""
    random = np.random.default_rng(7)
    kernel = random.normal(size=(29, 13)) * random.uniform(0.1, 3.0, size=13)
    # One output has nothing to look at but its bias.
    kernel[:, 5] = 0.0
    bias = random.normal(size=13)
    inputs = random.normal(size=(11, 29)).astype("float32")
    activation = lambda rows: rows * 2.0  # noqa: E731
    int8 = Int8Linear(Linear(kernel, bias, activation), largest=2.0)
    found = tf.function(int8)(tf.constant(inputs)).numpy()
    of_zeros = tf.function(int8)(tf.zeros([3, 29])).numpy()
    return {
        name: value.tolist()
        for name, value in (
            ("kernel", kernel),
            ("bias", bias),
            ("inputs", inputs),
            ("found", found),
            ("of_zeros", of_zeros),
        )
    }


MODELS = {
    "pre": lambda: Transformer(19, 23, 24, 31, 3, 2, 1, norm="pre", dropout=0.0),
    "post": lambda: Transformer(19, 23, 24, 31, 3, 2, 1, norm="post", dropout=0.0),
    "ssru": lambda: SSRUTransformer(19, 23, 24, 31, 3, 2, 1, dropout=0.0),
}


def transformer(kind: str) -> dict:
    """Logits of a model in float32 and in int8 along some targets."""
    random = np.random.default_rng(11)
    model = MODELS[kind]()
    model.build(None)
    for weight in model.weights:
        center = 1.0 if weight.path.endswith("gamma") else 0.0
        scale = 1.5 if "embeddings" in weight.path else 0.2
        weight.assign(random.normal(center, scale, size=tuple(weight.shape)))
    source = tf.constant(random.integers(4, 19, size=(5, 7)), tf.int32)
    target = random.integers(4, 23, size=(5, 6)).astype("int32")
    target[:, 0], target[:, -1] = START_ID, END_ID

    def run(stepper):
        memory, state = stepper.start(source, 1)
        logits = []
        for step in range(6):
            tokens = tf.constant(target[:, step : step + 1])
            one, state, _ = stepper.step(tokens, state, memory)
            logits.append(one)
        return tf.stack(logits, axis=1)

    floats, variables = exported_stepper(model, 31)
    int8, more = exported_stepper(model, 31, "int8", run)
    kinds = {type(int8.output).__name__, type(int8.encoder[0]["heads"]).__name__}
    return {
        "variables": len(variables) + len(more),
        "kinds": sorted(kinds),
        "floats": run(floats).numpy().tolist(),
        "int8": tf.function(lambda: run(int8))().numpy().tolist(),
    }


def watched() -> float:
    linear = WatchedLinear(np.eye(3), np.zeros(3))
    for largest in (0.5, -7.0, 2.0):
        linear(tf.constant([[0.1, largest, 0.2]]))
    return linear.largest


def exported(folder: str) -> str:
    """The folder of an int8 export."""
    task = TranslationTask.learn(TranslationTask.made_up(50), vocabulary_size=32)
    model = Transformer(**task.model_options(), units=6, num_heads=3, num_layers=1)
    model.build(None)
    exportable = task.runner(model).exported("int8", ["sun moon", "rain"])
    return str(export(exportable, folder))


if __name__ == "__main__":
    works = int8_works()
    found = {"works": works}
    if works:
        found |= {"product": product(), "watched": watched()}
        found["exported"] = exported(sys.argv[1])
        found |= {kind: transformer(kind) for kind in MODELS}
    json.dump(found, sys.stdout)

"""The models of the study of scores: trained, judged, timed."""

import json
import statistics
import time

import numpy as np

from zoo.data.ragged import Ragged
from zoo.data.token_pairs import TokenPairBatches, TokenPairs
from zoo.files import write_json
from zoo.studies.scores import BASELINE, name_of, result_file


def read_text(path):
    """Parallel text of a file."""
    from zoo.data.parallel_text import read_parallel_text

    return read_parallel_text(path)


def train_model_of(folder, options, which):
    """Trains one model, from its checkpoint if it has one, and keeps its weights."""
    import keras

    from zoo.training.rounds import train_model
    from zoo.weights import model_arrays, write_arrays

    own = result_file(folder, which).parent
    own.mkdir(exist_ok=True)
    model = _model(folder, options, which)
    plan = options.recipe(*which).training
    result = train_model(
        model,
        _task(folder, options),
        plan,
        _batches(folder, options, "train", plan.seed),
        _batches(folder, options, "valid", None),
        own,
        resume=True,
    )
    write_arrays(own / "weights.safetensors", model_arrays(model))
    write_json(
        own / "result.json",
        {
            "valid_perplexity": -result["score"],
            "weights": model.count_params(),
            "backend": keras.backend.backend(),
            "training_seconds": sum(row["seconds"] for row in result["history"]),
        },
    )
    for file in own.glob("*.safetensors"):
        if file.name != "weights.safetensors":
            file.unlink()


def quality(folder, options, which, test) -> dict:
    """BLEU, chrF and the entropy of the attention on a test set."""
    from zoo.weights import assign_arrays, read_arrays

    own = result_file(folder, which)
    model = _model(folder, options, which)
    assign_arrays(model, read_arrays(own.with_name("weights.safetensors"))[0])
    task = _task(folder, options)
    scores = task.runner(model).evaluate(test)
    return {
        **json.loads(own.read_text(encoding="utf-8")),
        "bleu": scores["bleu"],
        "chrf": scores["chrf"],
        "signature": scores["signatures"]["bleu"],
        "entropy": None if which[0] == "none" else _entropy(model, task.encode(test)),
    }


def times(folder, options, tell, rounds=7) -> dict:
    """Seconds a training step takes, all models taking turns in one process."""
    from zoo.losses import SequenceCrossentropy
    from zoo.training.schedules import make_optimizer

    inputs, targets = next(_batches(folder, options, "train", 0).stream())
    rows = max(1, 1_536 // options.longest)
    inputs = {name: ids[:rows] for name, ids in inputs.items()}
    targets = targets[:rows]
    models = {}
    for number, cell in enumerate(options.cells):
        tell(f"compiling {name_of(cell)}", number, len(options.cells))
        model = _model(folder, options, cell)
        model.compile(
            optimizer=make_optimizer(options.recipe(*cell).training),
            loss=SequenceCrossentropy(0.1),
            jit_compile=False,
        )
        model.train_on_batch(inputs, targets)
        models[cell] = model
    seconds: dict = {cell: [] for cell in models}
    for turn in range(rounds):
        tell("timing", turn, rounds)
        for cell, model in models.items():
            start = time.perf_counter()
            model.train_on_batch(inputs, targets)
            seconds[cell].append(time.perf_counter() - start)
    base = seconds[BASELINE if BASELINE in seconds else options.cells[0]]
    return {cell: _ratios(own, base) for cell, own in seconds.items()}


def _short(pairs: TokenPairs, longest: int) -> TokenPairs:
    longer = np.maximum(pairs.sources.lengths, pairs.targets.lengths)
    kept = np.flatnonzero(longer <= longest)
    if not len(kept):
        raise ValueError(
            f"None of {len(pairs)} pairs has at most {longest} pieces a side. Give "
            "--longest a higher number."
        )
    return TokenPairs(
        Ragged.from_rows([pairs.sources[index] for index in kept]),
        Ragged.from_rows([pairs.targets[index] for index in kept]),
    )


def _task(folder, options):
    from zoo.presets import load_task

    return load_task(options.recipe("none", "global"), folder / "vocabulary")


def _model(folder, options, which):
    return options.recipe(*which).build_model(_task(folder, options).model_options())


def _batches(folder, options, part, seed):
    pairs = _short(TokenPairs.load(folder / f"{part}.npz"), options.longest)
    return TokenPairBatches(pairs, options.batch_tokens, seed, [options.longest])


def _entropy(model, pairs: TokenPairs) -> float:
    """Mean entropy of the attention over test pairs, in nats; 0 = one piece alone.

    Weights that do not sum to 1 (local-p) are normalised first, and rows without any
    are left out.
    """
    total, count = 0.0, 0
    for inputs, targets in TokenPairBatches(pairs, 2_048, None).once():
        _, weights = model.force(inputs["source_ids"], inputs["target_ids"])
        weights = np.asarray(weights, "float64")[targets > 0]
        weights = weights[weights.sum(-1) > 0]
        weights /= weights.sum(-1, keepdims=True)
        total -= np.sum(weights * np.log(np.where(weights > 0, weights, 1.0)))
        count += len(weights)
    return float(total / count)


def _ratios(own, base) -> dict:
    ratios = [one / other for one, other in zip(own, base, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    return {
        "time": statistics.median(ratios),
        "time_low": low,
        "time_high": high,
        "step_seconds": statistics.median(own),
    }

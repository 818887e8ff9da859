"""Speed of a Transformer's decoding beside CTranslate2's and Hugging Face's.

    python benchmarks/translation.py --peer-python PATH [--out FILE.md]
        [--sizes small,base] [--threads 1,2] [--rounds 9]

Ours is an exported SavedModel, from source ids to target ids and scores, in float32 and
in int8; the others run a model of the same size, converted from a random Marian, on ids
too: CTranslate2 in float32 and int8, and `generate` of Hugging Face's MarianMTModel on
torch. Everybody reads 25 pieces and is made to write 25, and returns scores.

What is reported is the ratio of times to ours, round by round, of contestants that take
turns (see `taking_turns.py`). `--peer-python` names an
interpreter that has ctranslate2, torch and transformers.

The floor is what no graph can go below: the weights of every step read from memory once
(bytes over the bandwidth measured here), or the multiplications and additions of the
products (over the rate of a large product measured here), whichever is more.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from taking_turns import ROOT, Worker, answer_all, ratios, seconds_of, spread, timed

LENGTH = 25
# units, hidden size, heads, blocks, vocabulary
SIZES = {
    "small": (256, 1_024, 4, 3, 8_000),
    "base": (512, 2_048, 8, 6, 32_000),
}
# batch and beam
CASES = ((1, 1), (8, 1), (32, 1), (1, 4), (8, 4))
CONTESTANTS = ("ours", "ours int8", "ctranslate2", "ctranslate2 int8", "hugging face")


def export_ours(folder: Path, size: str) -> None:
    """Writes float32 and int8 exports with a signature a beam size."""
    import numpy as np
    import tensorflow as tf

    from zoo.decoding import DecodingOptions, decode
    from zoo.inference import exported_stepper
    from zoo.models import Transformer

    units, hidden, heads, blocks, vocabulary = SIZES[size]
    model = Transformer(vocabulary, vocabulary, units, hidden, heads, blocks)
    model.build()
    typical = np.random.default_rng(0).integers(4, vocabulary, (4, LENGTH), "int32")

    def watch(stepper):
        limits = tf.fill([4], LENGTH)
        decode(stepper, tf.constant(typical), limits, DecodingOptions(beam_size=1))

    for weights in ("float32", "int8"):
        stepper, _ = exported_stepper(model, 128, weights, watch)
        signatures = {}
        for beam in sorted({beam for _, beam in CASES}):
            options = DecodingOptions(beam_size=beam, min_length=LENGTH - 1)

            def run(source_ids, options=options, stepper=stepper):
                limits = tf.fill([tf.shape(source_ids)[0]], LENGTH)
                found = decode(stepper, source_ids, limits, options)
                return {"ids": found.ids, "scores": found.scores}

            spec = tf.TensorSpec([None, None], tf.int32, name="source_ids")
            signatures[f"beam_{beam}"] = tf.function(
                run, input_signature=[spec], autograph=False
            ).get_concrete_function()
        path = str(folder / f"{size}-{weights}")
        tf.saved_model.save(tf.Module(), path, signatures=signatures)


def export_peers(folder: Path, size: str) -> None:
    """Writes a random Marian for Hugging Face, and two conversions for CTranslate2."""
    import torch
    from ctranslate2.converters.transformers import MarianMTLoader
    from transformers import MarianConfig, MarianMTModel

    units, hidden, heads, blocks, vocabulary = SIZES[size]
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=vocabulary,
        decoder_vocab_size=vocabulary,
        d_model=units,
        encoder_layers=blocks,
        decoder_layers=blocks,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=hidden,
        decoder_ffn_dim=hidden,
        activation_function="relu",
        max_position_embeddings=128,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=0,
        forced_eos_token_id=None,
        scale_embedding=True,
    )
    model = MarianMTModel(config).eval()
    model.generation_config.bad_words_ids = None
    model.generation_config.forced_eos_token_id = None
    model.save_pretrained(folder / f"{size}-hugging-face")
    for weights in ("float32", "int8"):
        spec = MarianMTLoader().get_model_spec(model)
        words = [f"w{number}" for number in range(vocabulary - 1)]
        words[:3] = "<pad>", "<s>", "</s>"
        spec.register_source_vocabulary(words)
        spec.register_target_vocabulary(words)
        spec.config.bos_token, spec.config.eos_token = "<s>", "</s>"
        spec.config.unk_token, spec.config.decoder_start_token = "w3", "</s>"
        spec.validate()
        spec.optimize(quantization=None if weights == "float32" else weights)
        path = folder / f"{size}-ctranslate2-{weights}"
        path.mkdir()
        spec.save(str(path))


def ours(folder, size, weights, threads):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    signatures = tf.saved_model.load(str(folder / f"{size}-{weights}")).signatures

    def make(sources, beam):
        signature, sources = signatures[f"beam_{beam}"], tf.constant(sources)

        def run():
            found = signature(source_ids=sources)
            assert found["ids"].numpy().shape[2] == LENGTH

        return run

    return make


def ctranslate2(folder, size, weights, threads):
    import ctranslate2

    translator = ctranslate2.Translator(
        str(folder / f"{size}-ctranslate2-{weights}"),
        device="cpu",
        compute_type=weights,
        inter_threads=1,
        intra_threads=threads,
    )

    def make(sources, beam):
        words = [[f"w{n}" for n in row[:-1]] + ["</s>"] for row in sources]

        def run():
            found = translator.translate_batch(
                words,
                beam_size=beam,
                min_decoding_length=LENGTH,
                max_decoding_length=LENGTH,
                return_scores=True,
            )
            assert len(found[0].hypotheses[0]) == LENGTH

        return run

    return make


def hugging_face(folder, size, weights, threads):
    import torch
    from transformers import MarianMTModel

    torch.set_num_threads(threads)
    model = MarianMTModel.from_pretrained(folder / f"{size}-hugging-face").eval()

    def make(sources, beam):
        sources = torch.tensor(sources.astype("int64"))
        mask = torch.ones_like(sources)

        @torch.inference_mode()
        def run():
            found = model.generate(
                input_ids=sources,
                attention_mask=mask,
                num_beams=beam,
                do_sample=False,
                min_new_tokens=LENGTH,
                max_new_tokens=LENGTH,
            )
            assert found.shape[1] == LENGTH + 1

        return run

    return make


KINDS = {"ours": ours, "ctranslate2": ctranslate2, "hugging face": hugging_face}


def work(folder: Path, size: str, name: str, threads: int) -> None:
    """What a worker runs: the seconds of a batch and a beam."""
    import numpy as np

    kind = name.removesuffix(" int8")
    weights = "int8" if name.endswith(" int8") else "float32"
    make = KINDS[kind](folder, size, weights, threads)
    calls = {}

    def answer(batch, beam):
        if (batch, beam) not in calls:
            generator = np.random.default_rng(batch)
            shape = (batch, LENGTH)
            sources = generator.integers(4, SIZES[size][4] - 1, shape, "int32")
            calls[batch, beam] = make(sources, beam)
            for _ in range(3):
                calls[batch, beam]()
        return timed(calls[batch, beam])

    answer_all(answer)


def measure(folder, size, threads, rounds, peer_python) -> list[dict]:
    """Seconds of every contestant in every round, for each case."""
    workers = {}
    for name in CONTESTANTS:
        more = {"TF_ENABLE_ONEDNN_OPTS": "1"} if name == "ours int8" else {}
        python = sys.executable if name.startswith("ours") else peer_python
        options = ["--folder", folder, "--sizes", size]
        workers[name] = Worker(python, __file__, name, threads, options, **more)
    rows = []
    for batch, beam in CASES:
        for worker in workers.values():
            worker.ask(batch, beam)
        seconds = seconds_of(workers, rounds, batch, beam)
        case = {"size": size, "threads": threads, "batch": batch, "beam": beam}
        rows.append(case | {"seconds": seconds})
        print(_row(rows[-1], None), file=sys.stderr)
    for worker in workers.values():
        worker.stop()
    return rows


def machine(size: str) -> tuple[float, float]:
    """Bytes a second read, of what a step's weights are, and multiply-adds a second of
    a large product; by NumPy with as many threads as the process may have."""
    import numpy as np

    weights = np.ones(step_weights(size), "float32")
    left, right = (np.ones((1024, 1024), "float32") for _ in range(2))
    read = min(timed(lambda: weights @ weights) for _ in range(30))
    product = min(timed(lambda: left @ right) for _ in range(30))
    return weights.nbytes / read, 1024**3 / product


def measure_machine(size: str, threads: int) -> tuple[float, float]:
    """The same in a process of its own, with that many threads."""
    done = subprocess.run(
        [sys.executable, __file__, "--worker", "machine", "--sizes", size],
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return tuple(json.loads(done.stdout))


def step_weights(size: str) -> int:
    """How many weights a step of the decoder reads."""
    units, hidden, _, blocks, vocabulary = SIZES[size]
    return blocks * (6 * units**2 + 2 * units * hidden) + units * vocabulary


def floor(size: str, batch: int, beam: int, bandwidth: float, rate: float) -> float:
    """Seconds below which no decoding in float32 can go."""
    units, hidden, _, blocks, _ = SIZES[size]
    before = blocks * (4 * units**2 + 2 * units * hidden) + blocks * 2 * units**2
    sums = LENGTH * (batch * before + batch * beam * step_weights(size))
    read = 4 * (before + LENGTH * step_weights(size))
    return max(read / bandwidth, sums / rate)


def _compared(row, name, to) -> str:
    return spread(ratios(row["seconds"][name], row["seconds"][to]))


def _row(row, lowest) -> str:
    cells = [row["size"], row["threads"], row["batch"], row["beam"]]
    cells.append(f"{1e3 * statistics.median(row['seconds']['ours']):.0f}")
    if lowest is not None:
        cells.append(f"{statistics.median(row['seconds']['ours']) / lowest:.1f}")
    cells += [
        _compared(row, "ctranslate2", "ours"),
        _compared(row, "hugging face", "ours"),
        _compared(row, "ctranslate2 int8", "ours int8"),
        _compared(row, "ours", "ours int8"),
    ]
    return f"| {' | '.join(map(str, cells))} |"


def report(rows: list[dict]) -> str:
    """The table in Markdown."""
    heads = ["size", "threads", "batch", "beam", "ours, ms", "ours / floor"]
    heads += ["CTranslate2 / ours", "Hugging Face / ours"]
    heads += ["CTranslate2 int8 / ours int8", "ours / ours int8"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    speeds = {}
    for row in rows:
        key = (row["size"], row["threads"])
        if key not in speeds:
            speeds[key] = measure_machine(*key)
        lowest = floor(row["size"], row["batch"], row["beam"], *speeds[key])
        lines.append(_row(row, lowest))
    lines += [""]
    lines += [
        f"Floor of {size} with {threads} thread{'s' * (threads > 1)}: "
        f"{bandwidth / 1e9:.0f} GB/s read, {rate / 1e9:.0f} billion multiply-adds a "
        "second."
        for (size, threads), (bandwidth, rate) in speeds.items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peer-python", help="has ctranslate2, torch, transformers")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--sizes", default="small,base")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = options.sizes.split(",")
    if options.worker == "export ours":
        return [export_ours(options.folder, size) for size in sizes]
    if options.worker == "export peers":
        return [export_peers(options.folder, size) for size in sizes]
    if options.worker == "machine":
        return print(json.dumps(machine(sizes[0])))
    if options.worker:
        return work(options.folder, sizes[0], options.worker, int(options.threads))
    if not options.peer_python:
        parser.error("--peer-python is needed: an interpreter that has the others")
    with tempfile.TemporaryDirectory() as scratch:
        more = ["--folder", scratch, "--sizes", options.sizes]
        for name, python in (("ours", sys.executable), ("peers", options.peer_python)):
            subprocess.run(
                [python, __file__, "--worker", f"export {name}", *more],
                env=os.environ
                | {"PYTHONPATH": str(ROOT), "TF_ENABLE_ONEDNN_OPTS": "1"},
                check=True,
            )
        rows = [
            row
            for size in sizes
            for threads in map(int, options.threads.split(","))
            for row in measure(
                scratch, size, threads, options.rounds, options.peer_python
            )
        ]
    table = report(rows)
    print(table)
    if options.out:
        options.out.write_text(table + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

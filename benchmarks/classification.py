"""Speed of an exported text classifier beside onnxruntime's and Hugging Face's.

    python benchmarks/classification.py --checkpoint FOLDER --peer-python PATH
        [--out FILE.md] [--threads 1,2] [--rounds 9]

FOLDER holds a BERT in the layout of Hugging Face's hub. Ours is converted from it, gets
a fresh head of two labels and is exported: strings in, labels out, tokenization
included. The others run the same weights, with a random head, on the same strings: the
`text-classification` pipeline of transformers on torch, and onnxruntime behind the
tokenizers library on a model that torch exported. That all of them read alike is
checked first: the means of the last states differ by at most 1e-4.

"mixed" texts have 8 to 128 pieces, the others all the same number. "ours onednn" is
ours with TF_ENABLE_ONEDNN_OPTS=1; elsewhere TensorFlow has its defaults.

What is reported is the ratio of times to ours, round by round, of contestants that take
turns (see `taking_turns.py`). `--peer-python` names an
interpreter that has torch, transformers, onnx and onnxruntime.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from taking_turns import ROOT, Worker, answer_all, ratios, seconds_of, spread, timed

CONTESTANTS = ("ours", "ours onednn", "onnxruntime", "pipeline")
# batch and pieces of each text
CASES = ((1, "16"), (1, "128"), (32, "16"), (32, "128"), (32, "mixed"))
LONGEST = 128
TOLERANCE = 1e-4
# Calls of a turn take about as long together, whatever their size.
SECONDS = 0.2


def write_texts(folder: Path, checkpoint: Path) -> None:
    """Writes the texts of each case: words that are one piece, without repetition."""
    pieces = (checkpoint / "vocab.txt").read_text(encoding="utf-8").split("\n")
    words = [piece for piece in pieces if piece.isascii() and piece.isalpha()]
    generator = random.Random(0)
    texts = {}
    for batch, pieces in CASES:
        lengths = [
            generator.randint(8, LONGEST) if pieces == "mixed" else int(pieces)
            for _ in range(batch)
        ]
        texts[f"{batch} {pieces}"] = [
            " ".join(generator.sample(words, length - 2)) for length in lengths
        ]
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")


def export_ours(folder: Path, checkpoint: Path) -> None:
    """Converts, gives a head, exports; says how long it took and how large it is."""
    import copy
    import dataclasses

    from zoo.converters import convert
    from zoo.data.label_set import LabelSet
    from zoo.pretrained import Pretrained
    from zoo.weights import weight_address

    preset = convert(checkpoint)
    task = copy.copy(preset.task)
    task.labels = LabelSet("single", ("no", "yes"))
    model = preset.recipe.build_model(task.model_options())
    weights = {weight_address(weight): weight for weight in preset.model.weights}
    for weight in model.weights:
        if (known := weights.get(weight_address(weight))) is not None:
            weight.assign(known)
    preset = dataclasses.replace(preset, task=task, model=model)
    start = time.perf_counter()
    version = Pretrained(preset).export(folder / "ours")
    seconds = time.perf_counter() - start
    (folder / "version").write_text(str(version))
    size = (version / "saved_model.pb").stat().st_size
    whole = sum(p.stat().st_size for p in version.rglob("*") if p.is_file())
    print(
        f"Exported in {seconds:.1f} s: saved_model.pb {size / 1e6:.1f} MB of "
        f"{whole / 1e6:.1f} MB.",
        file=sys.stderr,
    )


def export_peers(folder: Path, checkpoint: Path) -> None:
    """Writes a classifier for the pipeline, and the same encoder for onnxruntime."""
    import torch
    from transformers import AutoTokenizer, BertForSequenceClassification

    torch.manual_seed(0)
    # "eager" only to be exported: the pipeline takes its own choice.
    model = BertForSequenceClassification.from_pretrained(
        checkpoint, num_labels=2, attn_implementation="eager"
    ).eval()
    model.save_pretrained(folder / "pipeline")
    AutoTokenizer.from_pretrained(checkpoint).save_pretrained(folder / "pipeline")

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = model.bert, model.classifier

        def forward(self, input_ids, attention_mask):
            states = self.encoder(input_ids, attention_mask).last_hidden_state
            vectors = _mean(states, attention_mask)
            return self.head(vectors), vectors

    ids = torch.ones((2, 5), dtype=torch.long)
    names = ["input_ids", "attention_mask"]
    torch.onnx.export(
        Mean().eval(),
        (ids, ids),
        folder / "model.onnx",
        input_names=names,
        output_names=["outputs", "vectors"],
        dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
        opset_version=17,
        dynamo=False,
    )


def _mean(states, mask):
    """The mean of the states of real positions, in torch."""
    real = mask[:, :, None].to(states.dtype)
    return (states * real).sum(1) / real.sum(1)


def ours(folder: Path, threads: int):
    import tensorflow as tf
    import tensorflow_text  # noqa: F401

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    start = time.perf_counter()
    module = tf.saved_model.load((folder / "version").read_text())
    print(f"Loaded in {time.perf_counter() - start:.1f} s.", file=sys.stderr)
    classify, embed = (module.signatures[n] for n in ("serving_default", "embed"))

    def run(texts):
        return classify(texts=tf.constant(texts))["probabilities"].numpy()

    def vectors(texts):
        return embed(texts=tf.constant(texts))["embeddings"].numpy()

    return run, vectors


def onnxruntime(folder: Path, threads: int):
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        folder / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    tokenizer = Tokenizer.from_file(str(folder / "pipeline" / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding()

    def answers(texts):
        found = tokenizer.encode_batch(texts)
        ids = np.array([text.ids for text in found])
        mask = np.array([text.attention_mask for text in found])
        return session.run(None, {"input_ids": ids, "attention_mask": mask})

    def run(texts):
        shifted = np.exp((outputs := answers(texts)[0]) - outputs.max(1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)

    return run, lambda texts: answers(texts)[1]


def pipeline(folder: Path, threads: int):
    import torch
    import transformers

    torch.set_num_threads(threads)
    classify = transformers.pipeline(
        "text-classification", str(folder / "pipeline"), device="cpu", top_k=None
    )

    def run(texts):
        found = classify(
            texts, batch_size=len(texts), truncation=True, max_length=LONGEST
        )
        return [[label["score"] for label in labels] for labels in found]

    @torch.inference_mode()
    def vectors(texts):
        found = classify.tokenizer(
            texts, padding=True, truncation=True, return_tensors="pt"
        )
        states = classify.model.bert(**found).last_hidden_state
        return _mean(states, found["attention_mask"]).numpy()

    return run, vectors


KINDS = {"ours": ours, "onnxruntime": onnxruntime, "pipeline": pipeline}


def work(folder: Path, name: str, threads: int) -> None:
    """What a worker runs: what to do with which case."""
    import numpy as np

    run, vectors = KINDS[name.split()[0]](folder, threads)
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    calls: dict = {}

    def answer(what, case):
        if what == "vectors":
            found = np.array(vectors(texts[case]), "float64")
            return (found / np.linalg.norm(found, axis=1, keepdims=True)).tolist()
        if what == "prepare":
            assert np.shape(run(texts[case])) == (len(texts[case]), 2)
            run(texts[case])
            taken = timed(lambda: run(texts[case]))
            calls[case] = min(max(round(SECONDS / taken), 1), 20)
            return taken
        times = [timed(lambda: run(texts[case])) for _ in range(calls[case])]
        return statistics.median(times)

    answer_all(answer)


def check(workers: dict, case: str) -> None:
    """Refuses to compare encoders that do not read alike."""
    found = {name: worker.ask("vectors", case) for name, worker in workers.items()}
    for name, rows in found.items():
        pairs = zip(rows, found["ours"], strict=True)
        difference = max(
            abs(one - other) for pair in pairs for one, other in zip(*pair, strict=True)
        )
        if difference > TOLERANCE:
            raise RuntimeError(f"{name} is off by {difference:.1e} from ours.")


def measure(folder, threads: int, rounds: int, peer_python) -> list[dict]:
    """Seconds of every contestant in every round, for each case."""
    workers = {
        name: Worker(
            sys.executable if name.startswith("ours") else peer_python,
            __file__,
            name,
            threads,
            ["--folder", folder],
            TF_ENABLE_ONEDNN_OPTS="1" if name.endswith("onednn") else None,
        )
        for name in CONTESTANTS
    }
    rows = []
    for batch, pieces in CASES:
        case = f"{batch} {pieces}"
        check(workers, case)
        for worker in workers.values():
            worker.ask("prepare", case)
        seconds = seconds_of(workers, rounds, "run", case)
        row = {"threads": threads, "batch": batch, "pieces": pieces}
        rows.append(row | {"seconds": seconds})
        print(_row(rows[-1]), file=sys.stderr)
    for worker in workers.values():
        worker.stop()
    return rows


def _row(row) -> str:
    ours = row["seconds"]["ours"]
    cells = [row["threads"], row["batch"], row["pieces"]]
    cells.append(f"{1e3 * statistics.median(ours):.0f}")
    for name in ("onnxruntime", "pipeline", "ours onednn"):
        cells.append(spread(ratios(row["seconds"][name], ours)))
    return f"| {' | '.join(map(str, cells))} |"


def report(rows: list[dict]) -> str:
    """The table in Markdown."""
    heads = ["threads", "batch", "pieces", "ours, ms", "onnxruntime / ours"]
    heads += ["pipeline / ours", "ours with oneDNN / ours"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    return "\n".join(lines + [_row(row) for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, help="a BERT in the hub's layout")
    parser.add_argument("--peer-python", help="has onnxruntime, torch, transformers")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker == "export ours":
        return export_ours(options.folder, options.checkpoint)
    if options.worker == "export peers":
        return export_peers(options.folder, options.checkpoint)
    if options.worker:
        return work(options.folder, options.worker, int(options.threads))
    if not options.peer_python or not options.checkpoint:
        parser.error("--checkpoint and --peer-python are needed")
    with tempfile.TemporaryDirectory() as scratch:
        write_texts(Path(scratch), options.checkpoint)
        more = ["--folder", scratch, "--checkpoint", str(options.checkpoint)]
        for name, python in (("ours", sys.executable), ("peers", options.peer_python)):
            subprocess.run(
                [python, __file__, "--worker", f"export {name}", *more],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                check=True,
            )
        rows = [
            row
            for threads in map(int, options.threads.split(","))
            for row in measure(scratch, threads, options.rounds, options.peer_python)
        ]
    table = report(rows)
    print(table)
    if options.out:
        options.out.write_text(table + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

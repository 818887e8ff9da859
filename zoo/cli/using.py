"""Commands that use a trained preset."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from zoo.cli.console import err, out, print_json, quiet_import
from zoo.cli.options import (
    Columns,
    Json,
    Set,
    Source,
    Target,
    columns_of,
    decoding_options,
)
from zoo.presets import preset_folder, read_card


def evaluate(
    preset: Source,
    data: Annotated[
        Path | None,
        typer.Option(help="Test data; the preset's own test split if not given."),
    ] = None,
    target: Target = None,
    columns: Columns = None,
    settings: Set = None,
    record: Annotated[
        bool, typer.Option(help="Write the scores into the preset's card.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Scores of a preset or an export on test data, a preset's by source length too."""
    if _is_export(preset):
        if data is None or settings or record:
            raise typer.BadParameter(
                "An export is evaluated with --data, and without --set and --record: "
                "it is as it is."
            )
        return _evaluate_export(preset, data, target, columns, as_json)
    folder = preset_folder(preset)
    own = folder / "test.tsv.gz"
    if data is None and (target or columns):
        raise typer.BadParameter("--target and --columns go with --data.")
    if data is None and not own.is_file():
        raise ValueError(f"{preset} has no test split of its own: give --data.")
    trained = _load(preset)
    if data is None:
        text = trained.task.read_back(own)
    else:
        text = trained.task.read(data, target, columns_of(columns))
    options = decoding_options(settings)
    with err.status(f"Evaluating on {len(text)} examples"):
        scores = trained.evaluate(text, **options)
    if record:
        from zoo.files import write_json

        entry = {"data": (data or own).name, "options": options, **scores}
        write_json(folder / "card.json", read_card(folder) | {"scores": entry})
    if as_json:
        return print_json(scores)
    _print_scores(scores)


def predict(
    preset: Source,
    texts: Annotated[
        list[str] | None, typer.Argument(help="Texts; standard input if none.")
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(help="What every result must start with.")
    ] = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Translate texts given as arguments or, a line each, on standard input."""
    options = decoding_options(settings)
    trained = _load(preset)
    if not texts:
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="replace")
        texts = [line.rstrip("\n") for line in sys.stdin]
    if prefix is not None:
        options["prefixes"] = [prefix] * len(texts)
    results = trained.predict(texts, **options)
    if as_json:
        return print_json(
            [
                {"input": text, **dataclasses.asdict(result)}
                for text, result in zip(texts, results, strict=True)
            ]
        )
    for result in results:
        out.print(result.text, markup=False, highlight=False, soft_wrap=True)
        for other in result.alternatives:
            line = f"    {other.score:.3f}  {other.text}"
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        if result.truncated:
            err.print("[yellow]The text above was longer than the model reads.[/]")


def score(
    preset: Source,
    data: Annotated[Path, typer.Option(help="Pairs of a source and a result.")],
    target: Target = None,
    columns: Columns = None,
    as_json: Json = False,
) -> None:
    """Log probability of given translations, a line each."""
    trained = _load(preset)
    text = trained.task.read(data, target, columns_of(columns))
    found = trained.log_probabilities(text.sources, text.targets)
    rows = list(zip(found, text.sources, text.targets, strict=True))
    if as_json:
        names = ("log_probability", "source", "target")
        return print_json([dict(zip(names, row, strict=True)) for row in rows])
    for number, one, other in rows:
        # The console would write spaces for tabs.
        print(f"{number:.4f}", one, other, sep="\t")


def plot(
    source: Source,
    text: Annotated[str, typer.Argument(help="A text.")],
    path: Annotated[Path, typer.Option("--out", help="A .png, .svg or .pdf file.")],
    pieces: Annotated[bool, typer.Option(help="Draw subword pieces.")] = False,
    settings: Set = None,
) -> None:
    """Draw what the model looked at, from a preset or from an export's answer."""
    from zoo.plots import check_path, plot_alignment

    check_path(path)
    if _is_export(source):
        if settings:
            raise typer.BadParameter("--set goes with a preset: an export is as it is.")
        sources, targets, weights = _exported_alignment(source, text)
    else:
        found = _load(source).attention(text, **decoding_options(settings))
        sources, targets = found.source_pieces, found.target_pieces
        weights = found.weights
    plot_alignment(sources, targets, weights, path, words=not pieces)
    err.print(f"Drawn: {path}")


def _load(preset):
    preset_folder(preset)
    with quiet_import():
        from zoo.pretrained import load

        return load(preset)


def _is_export(source: str) -> bool:
    folder = Path(source)
    found = [*folder.glob("saved_model.pb"), *folder.glob("*/saved_model.pb")]
    return bool(found) and not (folder / "config.json").is_file()


def _evaluate_export(folder, data, target, columns, as_json):
    from zoo.data.parallel_text import read_parallel_text
    from zoo.metrics.translation import score_translations
    from zoo.serving import answer_export

    text = read_parallel_text(data, target, columns_of(columns))
    batches = [text.sources[n : n + 64] for n in range(0, len(text), 64)]
    with err.status(f"Evaluating on {len(text)} examples"):
        answers = answer_export(
            folder, [("serving_default", {"texts": batch}) for batch in batches]
        )
    found = [one for answer in answers for one in answer["translations"]]
    scores = score_translations(found, text.references)
    if as_json:
        return print_json(scores)
    _print_scores(scores | {"by_length": []})


def _exported_alignment(folder, text):
    from zoo.serving.check_export import run_export

    answer = run_export(folder, {"with_alignment": {"texts": [text]}})["with_alignment"]
    sources, targets = answer["source_lengths"][0], answer["target_lengths"][0]
    return (
        answer["source_pieces"][0][:sources],
        answer["target_pieces"][0][:targets],
        [row[:sources] for row in answer["alignment"][0][:targets]],
    )


def _print_scores(scores: dict) -> None:
    out.print(
        f"BLEU {scores['bleu']:.2f}   chrF {scores['chrf']:.2f}   "
        f"({scores['sentences']} sentences)"
    )
    for name, signature in scores["signatures"].items():
        out.print(f"{name}: {signature}", highlight=False, soft_wrap=True)
    if not scores["by_length"]:
        return
    table = Table("Source length", "Sentences", "BLEU", "chrF", box=None)
    for row in scores["by_length"]:
        table.add_row(
            row["length"],
            str(row["sentences"]),
            f"{row['bleu']:.2f}",
            f"{row['chrf']:.2f}",
        )
    out.print(table)

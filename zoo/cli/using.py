"""Commands that use a trained preset."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.console import err, out, print_json, quiet_import
from zoo.cli.exported import (
    details_of,
    evaluate_export,
    exported_alignment,
    exported_highlight,
    is_export,
)
from zoo.cli.images import lines_of, points_of, show_image
from zoo.cli.options import (
    Columns,
    Fix,
    Images,
    Json,
    Set,
    Source,
    Target,
    columns_of,
    prediction_options,
    reading_options,
    task_of,
)
from zoo.cli.scores import print_scores
from zoo.presets import find_test_split, preset_folder, read_card


def evaluate(
    preset: Source,
    data: Annotated[
        Path | None,
        typer.Option(help="Test data; the preset's own test split if not given."),
    ] = None,
    target: Target = None,
    columns: Columns = None,
    images: Images = None,
    fix: Fix = False,
    settings: Set = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="Training data of TF-IDF with a linear model, scored beside; for text "
            "classification."
        ),
    ] = None,
    reliability: Annotated[
        Path | None,
        typer.Option(help="Draw accuracy against confidence: a .png, .svg or .pdf."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Write what a detector found, as COCO's JSON of results."),
    ] = None,
    record: Annotated[
        bool, typer.Option(help="Write the scores into the preset's card.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Scores of a preset or an export on test data, in detail of a preset."""
    if is_export(preset):
        if data is None or settings or record or baseline or reliability or results:
            raise typer.BadParameter(
                "An export is evaluated with --data alone: it is as it is."
            )
        with err.status("Evaluating"):
            reading = {"columns": columns, "images": images, "fix": fix}
            scores = evaluate_export(preset, data, target, reading)
        return print_json(scores) if as_json else print_scores(scores)
    folder = preset_folder(preset)
    own, task = find_test_split(folder), task_of(preset)
    reading = reading_options(task, target, columns, images, fix)
    if data is None and reading:
        raise typer.BadParameter(
            "--target, --columns, --images and --fix go with --data."
        )
    if data is None and own is None:
        raise ValueError(f"{preset} has no test split of its own: give --data.")
    if task.name != "text_classification" and (baseline or reliability):
        raise typer.BadParameter(
            "--baseline and --reliability are for text classification."
        )
    if results is not None and task.name != "detection":
        raise typer.BadParameter("--results is for detection.")
    if reliability is not None:
        from zoo.plots import check_path

        check_path(reliability)
    options = prediction_options(task, settings)
    test = task.read_back(own) if data is None else task.read(data, **reading)
    known = None if baseline is None else task.read(baseline, **reading)
    trained = _load(preset)
    with err.status(f"Evaluating on {len(test)} examples"):
        extras = {} if results is None else {"results": results}
        scores = trained.evaluate(test, **options, **extras)
        if known is not None:
            scores["baseline"] = trained.task.baseline(known, test)
    if reliability is not None:
        from zoo.reliability_plot import plot_reliability

        before, after = scores["reliability_uncalibrated"], scores["reliability"]
        plot_reliability(before, reliability, after)
    if record:
        from zoo.files import write_json

        entry = {"data": (data or own).name, "options": options, **_recorded(scores)}
        write_json(folder / "card.json", read_card(folder) | {"scores": entry})
    if as_json:
        return print_json(scores)
    print_scores(scores)


def predict(
    preset: Source,
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="Texts, or image files; standard input if none."),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(help="What every translation must start with.")
    ] = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Translate or classify texts, or find objects in images, given as arguments or, a
    line each, on standard input; the two texts of a pair stand on one line with a tab
    between."""
    task = task_of(preset)
    options = prediction_options(task, settings)
    if prefix is not None and task.name != "translation":
        raise typer.BadParameter("--prefix goes with translation.")
    trained = _load(preset)
    if not texts:
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="replace")
        texts = [line.rstrip("\n") for line in sys.stdin]
    if prefix is not None:
        options["prefixes"] = [prefix] * len(texts)
    inputs = [_input(trained.task, text) for text in texts]
    results = trained.predict(inputs, **options)
    if as_json:
        return print_json(
            [
                {"input": text, **_as_json(result)}
                for text, result in zip(texts, results, strict=True)
            ]
        )
    for result in results:
        for line in _lines(result):
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        if getattr(result, "truncated", False):
            err.print("[yellow]The text above was longer than the model reads.[/]")


def _as_json(result) -> dict:
    if hasattr(result, "boxes"):
        return {"objects": result.plain, "size": list(result.size)}
    return dataclasses.asdict(result)


def _lines(result) -> list[str]:
    """A result as text: a translation and others, objects, or a label with its
    probability."""
    if hasattr(result, "boxes"):
        return lines_of(result)
    if hasattr(result, "text"):
        others = (f"    {each.score:.3f}  {each.text}" for each in result.alternatives)
        return [result.text, *others]
    if isinstance(result.label, float):
        return [f"{result.label:.6g}"]
    names = [result.label] if isinstance(result.label, str) else list(result.label)
    more = [name for name in result.scores if name not in names][
        : max(3 - len(names), 0)
    ]
    first = ", ".join(f"{name} {result.scores.get(name, 0):.3f}" for name in names)
    return [
        "   ".join([first or "-", *(f"({n} {result.scores[n]:.3f})" for n in more)])
    ]


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
    text: Annotated[str, typer.Argument(help="A text, or an image file.")],
    path: Annotated[
        Path | None,
        typer.Option("--out", help="A .png, .svg or .pdf file; of a classifier .html."),
    ] = None,
    pieces: Annotated[
        bool, typer.Option(help="Draw subword pieces of a translation.")
    ] = False,
    without: Annotated[
        bool,
        typer.Option(help="Of a classifier: also what it says without each word."),
    ] = False,
    looks: Annotated[
        bool,
        typer.Option("--attention", help="Of a detector: where each query looked."),
    ] = False,
    points: Annotated[
        list[str] | None,
        typer.Option(
            "--point", help="Of a detector: where the cell at x,y looked; repeatable."
        ),
    ] = None,
    settings: Set = None,
) -> None:
    """Show what the model looked at: of a preset, or from an export's answer.

    A translation is drawn as a heatmap; a classified text is shaded by attention, on
    the terminal if there is no --out; of an image its boxes are drawn, or attention.
    """
    exported = is_export(source)
    task = details_of(source)["task"] if exported else task_of(source).name
    if exported and (settings or without):
        raise typer.BadParameter(
            "--set and --without go with a preset: an export is as it is."
        )
    if task == "detection":
        options = {} if exported else prediction_options(task_of(source), settings)
        load = None if exported else _load
        points = points_of(points)
        return show_image(source, text, path, looks, points, options, load)
    if looks or points:
        raise typer.BadParameter("--attention and --point are for detection.")
    if task == "text_classification":
        return _show_highlight(source, text, path, without, exported)
    if path is None or without:
        raise typer.BadParameter(
            "A translation's heatmap is drawn to a file, --out, and has no --without."
        )
    from zoo.plots import check_path

    check_path(path)
    if exported:
        found = exported_alignment(source, text)
    else:
        options = prediction_options(task_of(source), settings)
        found = _load(source).attention(text, **options)
    found.plot(path, words=not pieces)
    err.print(f"Drawn: {path}")


def _show_highlight(source, text, path, without, exported):
    if path is not None:
        from zoo.highlights import check_path

        check_path(path)
    if exported:
        found = exported_highlight(source, text)
    else:
        trained = _load(source)
        found = trained.attention(_input(trained.task, text), without=without)
    if path is None:
        return out.print(found.terminal(), soft_wrap=True)
    found.save(path)
    err.print(f"Drawn: {path}")


def _input(task, text: str):
    """A text as the task takes it; a pair's two texts have a tab between."""
    has_pairs = getattr(task, "has_pairs", False)
    return tuple(text.split("\t", 1)) if has_pairs else text


def _load(preset):
    preset_folder(preset)
    with quiet_import():
        from zoo.pretrained import load

        return load(preset)


def _recorded(scores: dict) -> dict:
    """What a card keeps of scores: no texts, which may have another licence."""
    return {name: value for name, value in scores.items() if name not in _UNRECORDED}


_UNRECORDED = {"mistakes", "reliability", "reliability_uncalibrated"}

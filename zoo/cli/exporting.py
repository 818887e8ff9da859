"""Commands that export and prove an export, and the demo of everything."""

import json
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.console import err, out, print_json, quiet_import
from zoo.cli.exported import manifest_of, texts_input
from zoo.cli.images import images_input
from zoo.cli.options import Json, Set, Source, pairs_of
from zoo.cli.sources import exported_preset
from zoo.presets import preset_folder


def export(
    preset: Source,
    folder: Annotated[
        Path, typer.Option("--out", help="Base path; versions are its subfolders.")
    ],
    weights: Annotated[str, typer.Option(help="float32 or int8.")] = "float32",
    watch: Annotated[
        Path | None,
        typer.Option(help="Typical data for int8; the preset's test split if none."),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(help="The TF Serving that must run it, such as 2.18."),
    ] = None,
    settings: Set = None,
) -> None:
    """Write a SavedModel for TF Serving as the next version in a folder."""
    if watch is not None and weights != "int8":
        raise typer.BadParameter("--watch goes with --weights int8.")
    options = pairs_of(settings, "--set")
    version = exported_preset(preset, folder, weights, watch, server, **options)
    err.print(f"Exported, audited and warmed up: {version}")
    out.print(str(version), markup=False, highlight=False, soft_wrap=True)


def check_export(
    folder: Annotated[Path, typer.Argument(help="An export, or a folder of versions.")],
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="Also answer this text, a pair's two with a tab between; repeatable."
        ),
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option(help="Also answer for this image file; repeatable."),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(help="A site-packages folder with another TensorFlow."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Load an export in a clean process and compare with what was recorded."""
    from zoo.export.check_export import check_export, run_export, version_folder

    if text and image:
        raise typer.BadParameter("Pass --text or --image: a model takes one of them.")
    asked = [*(text or []), *(image or [])]
    inputs = _inputs(folder, text, image) if asked else {}
    with err.status("Checking in a clean process"):
        report = {
            "export": str(version_folder(folder)),
            "signatures": check_export(folder, site),
        }
        if inputs:
            request = {"serving_default": inputs}
            report["answers"] = run_export(folder, request, site)["serving_default"]
    if as_json:
        return print_json(report)
    for name, found in report["signatures"].items():
        out.print(
            f"{name}: {found['values']} values as recorded, largest difference "
            f"{found['largest_difference']:.1e}; warm-up records replayed: "
            f"{found['warm_up_records']}"
        )
    lines = _plain(report["answers"], len(asked)) if inputs else []
    for one, answer in zip(asked, lines, strict=True):
        out.print(f"{one} -> {answer}", markup=False, highlight=False, soft_wrap=True)


def _inputs(folder, texts, images) -> dict:
    """What the signature that serves is asked, as JSON has it."""
    given = images_input(images) if images else texts_input(folder, texts)
    found = manifest_of(folder)["signatures"].get("serving_default", {})
    if set(given) != set(found.get("inputs", ())):
        raise ValueError(
            f"{folder} takes {', '.join(found.get('inputs', ())) or 'nothing'}, and "
            f"--{'image' if images else 'text'} gives {', '.join(given)}."
        )
    return given


def _plain(answers: dict, count: int) -> list:
    """What an export answered, one line for each of `count` texts or images."""
    if "boxes" in answers:
        rows = (answers[key] for key in ("labels", "scores", "boxes", "count"))
        return [_objects(*row) for row in zip(*rows, strict=True)]
    if "labels" in answers:
        pairs = zip(answers["labels"], answers["scores"], strict=True)
        return [f"{labels[0]} {scores[0]:.3f}" for labels, scores in pairs]
    for name in ("translations", "values"):
        if name in answers:
            return answers[name]
    return [
        json.dumps(
            {name: rows[n] for name, rows in answers.items()}, ensure_ascii=False
        )
        for n in range(count)
    ]


def _objects(labels, scores, boxes, count) -> str:
    """Objects of one image on one line."""
    found = list(zip(labels, scores, boxes, strict=True))[:count]
    shown = (
        f"{label} {score:.3f} ({', '.join(f'{side:.0f}' for side in box)})"
        for label, score, box in found
    )
    return "; ".join(shown) or "nothing found"


def demo(
    folder: Annotated[
        Path, typer.Option("--out", help="Where to put the results.")
    ] = Path("demo"),
    preset: Annotated[str, typer.Option()] = "translation_transformer/en-zh",
) -> None:
    """Translate, draw the alignment, export, and ask the export in a clean process."""
    from zoo.export.check_export import check_export as check
    from zoo.export.check_export import run_export

    preset_folder(preset)
    folder.mkdir(parents=True, exist_ok=True)
    with quiet_import():
        from zoo.pretrained import load

        trained = load(preset)
    texts = [
        "Knowledge is power.",
        "I would like to drink a cup of tea.",
        "Where is the nearest station?",
        "My brother goes to school by bus every day.",
    ]
    out.print(f"[bold]1. {preset} translates[/]")
    translations = trained(texts)
    for text, translation in zip(texts, translations, strict=True):
        out.print(f"   {text}  ->  {translation}", highlight=False, soft_wrap=True)
    picture = trained.attention(texts[3]).plot(folder / "alignment.png")
    trained.attention(texts[3]).plot(folder / "alignment.svg")
    out.print(f"[bold]2. Its alignment is drawn:[/] {picture}")
    version = trained.export(folder / "translation")
    out.print(f"[bold]3. It is exported for TF Serving:[/] {version}")
    report = check(version)
    answers = run_export(version, {"serving_default": {"texts": texts}})
    if answers["serving_default"]["translations"] != translations:
        raise RuntimeError("The export translates otherwise than the preset.")
    out.print(
        f"[bold]4. The export answers the same in a clean process:[/] "
        f"{', '.join(report)}"
    )

"""Commands that export and prove an export, and the demo of everything."""

import os
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.console import err, out, print_json, quiet_import
from zoo.cli.images import as_base64
from zoo.cli.options import Json, Set, Source, pairs_of
from zoo.presets import find_test_split, preset_folder


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
    own = find_test_split(preset_folder(preset))
    if weights == "int8":
        # Read when TensorFlow is imported.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    elif watch is not None:
        raise typer.BadParameter("--watch goes with --weights int8.")
    with quiet_import():
        from zoo.pretrained import load

        trained = load(preset)
    texts = ()
    if watch is not None:
        texts = trained.task.read(watch).sources
    elif weights == "int8" and own is not None:
        texts = trained.task.read_back(own).sources
    with err.status("Exporting"):
        options = pairs_of(settings, "--set")
        version = trained.export(folder, weights, texts, server, **options)
    err.print(f"Exported, audited and warmed up: {version}")
    out.print(str(version), markup=False, highlight=False, soft_wrap=True)


def check_export(
    folder: Annotated[Path, typer.Argument(help="An export, or a folder of versions.")],
    text: Annotated[
        list[str] | None, typer.Option(help="Also answer this text; repeatable.")
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

    with err.status("Checking in a clean process"):
        report = {
            "export": str(version_folder(folder)),
            "signatures": check_export(folder, site),
        }
        if text or image:
            inputs = {"texts": text} if text else {"image_bytes": _files(image)}
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
    asked = [*(text or []), *(image or [])]
    for one, answer in zip(asked, _plain(report.get("answers", {})), strict=True):
        out.print(f"{one} -> {answer}", markup=False, highlight=False, soft_wrap=True)


def _files(images: list[Path]) -> list[dict]:
    """Image files as JSON has them."""
    if missing := [str(image) for image in images if not image.is_file()]:
        raise FileNotFoundError(f"No such image: {', '.join(missing)}.")
    return [as_base64(image.read_bytes()) for image in images]


def _plain(answers: dict) -> list:
    """What an export answered, one line a text or image."""
    if "boxes" in answers:
        rows = (answers[key] for key in ("labels", "scores", "boxes", "count"))
        return [_objects(*row) for row in zip(*rows, strict=True)]
    if "labels" in answers:
        pairs = zip(answers["labels"], answers["scores"], strict=True)
        return [f"{labels[0]} {scores[0]:.3f}" for labels, scores in pairs]
    return answers.get("translations") or answers.get("values") or []


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

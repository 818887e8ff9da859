"""Commands that change the vocabulary of a preset."""

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.console import err, out, quiet_import
from zoo.files import check_vacant

app = typer.Typer(
    no_args_is_help=True, help="Cut a preset's vocabulary down, or make it larger."
)
_Preset = Annotated[str, typer.Argument(help="A shipped preset, or one's folder.")]
_Out = Annotated[Path, typer.Option("--out", help="The preset's new folder.")]
_Precision = Annotated[
    str, typer.Option(help="Of the weights on disk: float32, float16 or int8.")
]


@app.command()
def trim(
    preset: _Preset,
    data: Annotated[
        Path,
        typer.Option(help="Data as the preset's task reads it, or a .txt of texts."),
    ],
    folder: _Out,
    keep: Annotated[
        int | None,
        typer.Option(help="Pieces at most, of each vocabulary; the rarest go first."),
    ] = None,
    precision: _Precision = "float32",
) -> None:
    """Keep the pieces that a corpus needs, and those of single characters."""
    check_vacant(folder)
    with quiet_import():
        import keras  # noqa: F401  (it loads TensorFlow, now and not later)

        from zoo.presets import load_preset, save_preset
        from zoo.surgery import trim_vocabulary
        from zoo.surgery.corpora import texts_of
    with err.status("Reading"):
        loaded = load_preset(preset)
        texts = texts_of(loaded.task, data)
    with err.status("Cutting"):
        done = trim_vocabulary(loaded, texts, keep)
    save_preset(done.preset, folder, precision)
    _show(done)
    if done.changed:
        _say(
            f"{done.changed:,} of {done.texts:,} texts are cut into other pieces than "
            "before."
        )
    else:
        _say(f"All {done.texts:,} texts are cut into the same pieces as before.")
    out.print(str(folder), markup=False, highlight=False, soft_wrap=True)


@app.command()
def extend(
    preset: _Preset,
    folder: _Out,
    pieces: Annotated[
        Path | None,
        typer.Option(
            help="New pieces, one a line: ▁word begins a word for SentencePiece, "
            "##word goes on for WordPiece."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Learn them from data, or from a .txt of texts, instead."),
    ] = None,
    add: Annotated[
        int, typer.Option(help="How many to learn from --data, for each vocabulary.")
    ] = 1_000,
    side: Annotated[
        str | None,
        typer.Option(help="Of a translation, whose --pieces they are: source, target."),
    ] = None,
    precision: _Precision = "float32",
) -> None:
    """Add pieces, which start as the mean of those that they were cut into."""
    if (pieces is None) == (data is None):
        raise typer.BadParameter("Give either --pieces or --data.")
    if add < 1 or side not in (None, "source", "target") or (side and data):
        raise typer.BadParameter(
            "--add is at least 1, and --side, of --pieces, source or target."
        )
    check_vacant(folder)
    with quiet_import():
        import keras  # noqa: F401  (it loads TensorFlow, now and not later)

        from zoo.presets import load_preset, save_preset
        from zoo.surgery import extend_vocabulary
        from zoo.surgery.corpora import texts_of
        from zoo.surgery.presets import new_pieces
    with err.status("Reading"):
        loaded = load_preset(preset)
    if pieces is not None:
        found = _read_pieces(pieces, loaded.task, side)
    else:
        with err.status("Learning"):
            found = new_pieces(loaded, texts_of(loaded.task, data), add)
    done = extend_vocabulary(loaded, found)
    save_preset(done.preset, folder, precision)
    _show(done)
    _say(f"Fine-tune it now: zoo finetune {folder} --train DATA --out RUN")
    out.print(str(folder), markup=False, highlight=False, soft_wrap=True)


def _read_pieces(path: Path, task, side: str | None) -> list[list[str]]:
    """Of each vocabulary the new pieces."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    found = [line.strip() for line in lines if line.strip()]
    is_pair = (
        task.name == "translation"
        and task.source_vocabulary is not task.target_vocabulary
    )
    if is_pair and side is None:
        raise typer.BadParameter(
            "The preset has a vocabulary for each language: --side source or target."
        )
    if not is_pair:
        return [found]
    return [found, []] if side == "source" else [[], found]


def _show(done) -> None:
    for number, (before, after) in enumerate(done.pieces):
        name = "Vocabulary"
        if len(done.pieces) == 2:
            name = ("Source vocabulary", "Target vocabulary")[number]
        _say(f"{name}: {before:,} → {after:,} pieces")
    before, after = done.weights
    _say(f"Weights: {before:,} → {after:,} ({after / before:.0%})")


def _say(text: str) -> None:
    err.print(text, markup=False, highlight=False, soft_wrap=True)

"""Studies: the founding papers' claims measured anew, a command each."""
# Only what imports neither Keras nor matplotlib is imported up here.

import contextlib
import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from zoo.cli.console import err, out, quiet_import
from zoo.cli.options import times_of
from zoo.studies.bottleneck import ReversalOptions
from zoo.studies.cost import LAYERS, CostOptions
from zoo.studies.scores import ScoresOptions

_COST, _REVERSAL, _SCORES = (
    {
        field.name: ",".join(map(str, field.default))
        if isinstance(field.default, tuple)
        else field.default
        for field in dataclasses.fields(options)
    }
    for options in (CostOptions, ReversalOptions, ScoresOptions)
)

app = typer.Typer(
    no_args_is_help=True,
    help="Measure the founding papers' claims anew: tables and pictures.",
)
Folder = Annotated[
    Path, typer.Option("--out", help="A folder; a study begun there goes on.")
]
_Lengths = Annotated[str, typer.Option(help="Sequence lengths, rising, with commas.")]


@app.command()
def cost(
    folder: Folder,
    lengths: _Lengths = _COST["lengths"],
    layers: Annotated[
        str, typer.Option(help=f"Of {', '.join(LAYERS)}; with commas.")
    ] = _COST["layers"],
    size: Annotated[int, typer.Option(help="Model size.")] = _COST["size"],
    heads: Annotated[int, typer.Option(help="Attention heads.")] = _COST["heads"],
    window: Annotated[
        int, typer.Option(help="How far windowed attention sees to either side.")
    ] = _COST["window"],
    rounds: Annotated[
        int, typer.Option(help="How often a call is timed, at most.")
    ] = _COST["rounds"],
    seconds: Annotated[
        float,
        typer.Option(
            help="For the rounds of a length; slow ones get fewer, 3 at least."
        ),
    ] = _COST["seconds"],
    max_memory: Annotated[
        float, typer.Option(help="Skip calls that would take more, in GB.")
    ] = _COST["max_memory"],
) -> None:
    """Time and memory of a layer by length: recurrent, convolutional, attention.

    Table 1 of Vaswani et al. (2017), measured. Memory comes first, then time.
    """
    options = CostOptions(
        layers=_words(layers),
        lengths=_numbers("--lengths", lengths),
        size=size,
        heads=heads,
        window=window,
        rounds=rounds,
        seconds=seconds,
        max_memory=max_memory,
    )
    from zoo.studies.cost import measure_cost
    from zoo.studies.cost_report import report_cost

    with _progress() as tell:
        kept = measure_cost(folder, options, tell)
    _show(report_cost(folder, options, kept)[:1], folder)


@app.command()
def bottleneck(
    context: typer.Context,
    folder: Folder,
    attentions: Annotated[
        str, typer.Option(help="Of RNNSeq2Seq, with commas; none is without.")
    ] = _REVERSAL["attentions"],
    lengths: _Lengths = _REVERSAL["lengths"],
    steps: Annotated[
        str, typer.Option(help="Training steps at each length, or one number for all.")
    ] = _REVERSAL["steps"],
    alphabet: Annotated[
        int, typer.Option(help="Number of different tokens.")
    ] = _REVERSAL["alphabet"],
    units: Annotated[int, typer.Option(help="Recurrent units.")] = _REVERSAL["units"],
    learning_rate: Annotated[
        float, typer.Option(help="Learning rate at its highest.")
    ] = _REVERSAL["learning_rate"],
    held_out: Annotated[
        int, typer.Option(help="Sequences to judge by, at most.")
    ] = _REVERSAL["held_out"],
    seed: Annotated[int, typer.Option(help="Of weights and data.")] = 0,
    presets: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            help="Score trained translators by source length instead; repeatable.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Test data for --preset; by default its own test split."),
    ] = None,
    edges: Annotated[
        str | None,
        typer.Option(help="Longest source of each bin for --preset, with commas."),
    ] = None,
) -> None:
    """A vector of fixed length against attention, as sequences grow.

    Figure 2 of Bahdanau et al. (2015). By default models learn to reverse made-up
    sequences. With --preset, trained translators are scored by source length.
    """
    if presets:
        _refuse_others(context, "--preset", {"presets", "data", "edges", "folder"})
        return _translation(folder, presets, data, edges)
    if data or edges:
        raise typer.BadParameter("--data and --edges go with --preset.")
    options = ReversalOptions(
        attentions=_words(attentions),
        lengths=_numbers("--lengths", lengths),
        steps=_numbers("--steps", steps),
        alphabet=alphabet,
        units=units,
        learning_rate=learning_rate,
        held_out=held_out,
        seed=seed,
    )
    with quiet_import():
        from zoo.studies.bottleneck import measure_reversal
        from zoo.studies.bottleneck_report import report_reversal
        from zoo.studies.reversal import Learner  # noqa: F401  (loads TensorFlow)

    with _progress() as tell:
        kept = measure_reversal(folder, options, tell)
    _show(report_reversal(folder, options, kept), folder)


@app.command()
def anatomy(
    folder: Annotated[Path, typer.Option("--out", help="A folder for the pictures.")],
) -> None:
    """What attention may look at, and what positions say, drawn from the layers.

    Windows of Luong et al. (2015), masks and path lengths of self-attention, position
    schemes. Needs no data and no training.
    """
    with quiet_import():
        from zoo.studies.anatomy import draw_anatomy

    with err.status("Drawing"):
        paths = draw_anatomy(folder)
    err.print("Written:")
    for path in paths:
        out.print(str(path), markup=False, highlight=False, soft_wrap=True)


@app.command()
def scores(
    context: typer.Context,
    folder: Folder,
    train_data: Annotated[
        Path | None, typer.Option("--train", help="Parallel text to train on.")
    ] = None,
    valid_data: Annotated[
        Path | None, typer.Option("--valid", help="Parallel text to validate on.")
    ] = None,
    test_data: Annotated[
        Path | None, typer.Option("--test", help="Parallel text to score on.")
    ] = None,
    repeat: Annotated[
        list[str] | None,
        typer.Option(help="Repeat pairs of an origin, as origin=times; repeatable."),
    ] = None,
    attentions: Annotated[
        str, typer.Option(help="Of translation_rnn, with commas.")
    ] = _SCORES["attentions"],
    size: Annotated[str, typer.Option(help="Of translation_rnn.")] = _SCORES["size"],
    steps: Annotated[int, typer.Option(help="Of training.")] = _SCORES["steps"],
    batch_tokens: Annotated[
        int, typer.Option(help="Target positions in a batch.")
    ] = _SCORES["batch_tokens"],
    longest: Annotated[
        int, typer.Option(help="Most pieces a side of a training pair.")
    ] = _SCORES["longest"],
    window_width: Annotated[
        int, typer.Option(help="How far a local window reaches.")
    ] = _SCORES["window_width"],
    seeds: Annotated[str, typer.Option(help="With commas.")] = _SCORES["seeds"],
) -> None:
    """Every score through every window in one small translator.

    Table 4 of Luong et al. (2015). Give --train and --valid to prepare the folder and
    train; where Keras runs on JAX it stops there. Give --test, on TensorFlow, to
    measure. Minutes on an accelerator; hours on a CPU, unless made smaller.
    """
    from zoo.studies import scores as study

    if bool(train_data) != bool(valid_data):
        raise typer.BadParameter("--train and --valid go together.")
    if train_data is None:
        allowed = {"folder", "test_data"}
        _refuse_others(context, "a prepared folder", allowed)
        study.read_options(folder)
    else:
        options = ScoresOptions(
            attentions=_words(attentions),
            size=size,
            steps=steps,
            batch_tokens=batch_tokens,
            longest=longest,
            window_width=window_width,
            seeds=_numbers("--seeds", seeds),
        )
        _prepare_scores(folder, options, train_data, valid_data, repeat)
    with _progress() as tell:
        study.train(folder, tell)
    if test_data is None:
        err.print(f"Trained. Measure with: zoo study scores --out {folder} --test FILE")
        return
    with quiet_import():
        from zoo.studies.scores_models import read_text
        from zoo.studies.scores_report import report_scores

    test = read_text(test_data)
    with _progress() as tell:
        kept = study.measure(folder, test, tell)
    _show(report_scores(folder, kept), folder)


def _prepare_scores(folder, options, train_data, valid_data, repeat):
    with quiet_import():
        from zoo.studies.scores import prepare
        from zoo.studies.scores_models import read_text

    train, valid = read_text(train_data), read_text(valid_data)
    if repeat:
        train = train.repeated(times_of(repeat))
    with err.status(f"Learning vocabularies and encoding {len(train)} pairs"):
        prepare(folder, train, valid, options)


def _translation(folder, presets, data, edges):
    with quiet_import():
        from zoo.studies.source_length import (
            SourceLengthOptions,
            measure_source_length,
            report_source_length,
        )

    chosen = {} if edges is None else {"edges": _numbers("--edges", edges)}
    options = SourceLengthOptions(
        tuple(presets), data=None if data is None else str(data), **chosen
    )
    with _progress() as tell:
        kept = measure_source_length(folder, options, tell)
    _show(report_source_length(folder, options, kept), folder)


def _refuse_others(context, option, allowed):
    """Refuses options of the command line that do not go with this one."""
    others = [
        f"--{name.replace('_', '-')}"
        for name in context.params
        if name not in allowed
        and context.get_parameter_source(name).name == "COMMANDLINE"
    ]
    if others:
        raise typer.BadParameter(f"{', '.join(others)} cannot go with {option}.")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def _numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"{option} takes numbers such as 10,20,50. Received: {text}."
        ) from None


@contextlib.contextmanager
def _progress():
    bar = Progress(
        BarColumn(20),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=err,
        transient=True,
    )
    task = bar.add_task("starting", total=None)

    def tell(text, done, total):
        bar.update(task, description=text, completed=done, total=total)

    with bar:
        yield tell


def _show(tables, folder) -> None:
    for table in tables:
        grid = Grid(title=table.title, box=None)
        columns = [column for column in table.columns if not column.detail]
        for column in columns:
            grid.add_column(column.title)
        for row in table.rows:
            grid.add_row(*(column.shown(row) for column in columns))
        out.print(grid)
    err.print("Written:")
    for path in sorted(folder.iterdir()):
        if path.suffix in (".md", ".csv", ".png", ".svg"):
            out.print(str(path), markup=False, highlight=False, soft_wrap=True)

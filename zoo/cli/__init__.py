"""The command line.

Exit codes: 0 done; 1 could not, and the message says why; 2 malformed command line; 130
interrupted.
"""
# Listing and help must answer at once, so Keras and TensorFlow are imported inside the
# commands that compute.

import os
import sys
import warnings

import typer

from zoo.cli import (
    catalogue,
    checking,
    converting,
    deploying,
    exporting,
    finetuning,
    serving,
    sharing,
    studies,
    training,
    using,
    vocabulary,
)
from zoo.cli.console import err, escape

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Attention recipes: train, translate, look, export, serve.",
)
app.command("list")(catalogue.list_)
app.command()(catalogue.describe)
app.command("check-data")(checking.check_data)
app.command()(converting.convert)
app.command()(training.train)
app.command()(finetuning.finetune)
app.command()(using.evaluate)
app.command()(using.predict)
app.command()(using.score)
app.command()(using.plot)
app.command()(exporting.export)
app.command("check-export")(exporting.check_export)
app.command()(deploying.deploy)
app.command()(serving.serve)
app.command()(sharing.save)
app.command()(sharing.push)
app.command()(exporting.demo)
app.add_typer(vocabulary.app, name="vocabulary")
app.add_typer(studies.app, name="study")


# An import that fails is of an optional package, and its message says which.
_OF_THE_USER = (ValueError, OSError, RuntimeError, TypeError, ImportError)


def main() -> None:
    """Runs the command line; errors of the user's become one line and an exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.showwarning = _show_warning
    sys.exit(_run())


def _run() -> int:
    try:
        code = app(standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "show"):
            error.show()
            return error.exit_code
        if not isinstance(error, _OF_THE_USER):
            raise
        err.print(f"[red]Error:[/] {escape(str(error))}", soft_wrap=True)
        return 1
    if code == 130:
        err.print("\n[yellow]Interrupted.[/]")
    return code


def _show_warning(message, category, *rest, **more) -> None:
    if category.__module__.startswith("zoo"):
        err.print(f"[yellow]Warning:[/] {escape(str(message))}", soft_wrap=True)

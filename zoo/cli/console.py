"""What the commands print with."""

import contextlib
import json
import os

from rich.console import Console
from rich.markup import escape

out = Console()
err = Console(stderr=True)


def print_json(content) -> None:
    print(json.dumps(content, ensure_ascii=False, indent=2))


def print_tree(content: dict, indent: int = 0) -> None:
    for key, value in content.items():
        if isinstance(value, dict):
            out.print(f"{'  ' * indent}[bold]{key}[/]")
            print_tree(value, indent + 1)
        else:
            out.print(
                f"{'  ' * indent}[bold]{key}[/]: {escape(str(value))}",
                highlight=False,
                soft_wrap=True,
            )


@contextlib.contextmanager
def quiet_import():
    """Hides what TensorFlow's libraries write to standard error while they load.

    They write before any setting can stop them; exceptions still come through.
    """
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)

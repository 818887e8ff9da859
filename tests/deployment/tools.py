"""Tools that are no Python, beside the interpreter or on the path."""

import shutil
import sys
from pathlib import Path

import pytest


def tool(name: str) -> str:
    """Where a tool is; a test that needs it is skipped if it is not installed."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name)
    return found or pytest.skip(f"There is no {name}.")

"""What a family of foreign checkpoints is to the command that converts them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zoo.presets import Preset


@dataclass(frozen=True)
class Family:
    """Checkpoints of one architecture in one layout.

    Attributes:
        name: what errors and cards call it.
        looks_for: what a folder or file of it is recognised by, for errors.
        recognises: whether a path is one, by names of files and config.json alone;
            never raises.
        convert: reads one, strictly: a `ValueError` lists tensors that are missing and
            that are left over.
        compare: a preset beside the checkpoint it was made of, run by the family's own
            library in a process of its own: rows of what was compared and the largest
            absolute difference. `None` where no library can be asked.
        needs: what `compare` imports, by names of modules with spaces between.
    """

    name: str
    looks_for: str
    recognises: Callable[[Path], bool]
    convert: Callable[[Path], Preset]
    compare: Callable[[Preset, Path], list[tuple[str, float]]] | None = None
    needs: str = ""

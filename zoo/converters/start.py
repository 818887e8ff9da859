"""Weights of a part of a model, which a recipe may start from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.weights import Precision, write_arrays


@dataclass
class Start:
    """A backbone without a task: weights by address within the part, and a card.

    Attributes:
        arrays: what `zoo.models` calls the weights of the part.
        card: where they come from.
        name: what the file is called.
    """

    arrays: dict[str, np.ndarray]
    card: dict
    name: str

    def save(self, path, precision: Precision = "float32") -> None:
        """Writes a file of safetensors, with the card as its metadata.

        Raises:
            ValueError: the path does not end in .safetensors, or is no new one.
        """
        path = Path(path)
        if path.suffix != ".safetensors":
            raise ValueError(
                f"{self.name} is a backbone, which is one file: name one that ends in "
                f".safetensors. Received: {path}."
            )
        if path.exists():
            raise ValueError(f"{path} exists. Name a new file.")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, self.arrays, self.card, precision)

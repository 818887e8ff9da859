"""The classes of a detector's objects: by name, with the numbers of their source."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.labelled_images import LabelledImages
from zoo.files import read_json, write_json

_FILE = "classes.json"
_FORMAT = 1


@dataclass(frozen=True)
class ObjectClasses:
    """Names of classes in the order of a model's outputs.

    Numbers of a source (COCO's begin with 1 and have gaps) are kept for what is
    written in its form, and never used as rows.

    Attributes:
        names: of the classes; "" of an output that has none, which is never reported.
        ids: the number of each in the source.

    Raises:
        ValueError: no class, or a name twice.
    """

    names: tuple[str, ...]
    ids: tuple[int, ...]

    def __post_init__(self):
        named = [name for name in self.names if name]
        if (
            not named
            or len(set(named)) < len(named)
            or len(self.names) != len(self.ids)
        ):
            raise ValueError(
                "There must be at least one class, each with a name and a number of "
                f"its own. Received: names={self.names[:20]}, ids={self.ids[:20]}."
            )

    @classmethod
    def learn(cls, data: LabelledImages) -> "ObjectClasses":
        """The classes of a data set, by their numbers.

        A class that no object has is kept: a category that is listed may yet come.
        """
        ordered = sorted(data.categories.items(), key=lambda item: item[1])
        return cls(
            tuple(name for name, _ in ordered), tuple(number for _, number in ordered)
        )

    @classmethod
    def load(cls, folder) -> "ObjectClasses":
        content = read_json(Path(folder) / _FILE)
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise ValueError(
                f"{Path(folder) / _FILE} has another format than {_FORMAT}, the one "
                "that this version of attention-zoo reads."
            )
        return cls(tuple(content["names"]), tuple(content["ids"]))

    def save(self, folder) -> None:
        content = {"format": _FORMAT, "names": self.names, "ids": self.ids}
        write_json(Path(folder) / _FILE, content)

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, labels) -> np.ndarray:
        """Rows of names, int32, shape (objects,)."""
        row_of = {name: row for row, name in enumerate(self.names)}
        return np.array([row_of[name] for name in labels], np.int32)

    def check(self, data: LabelledImages) -> None:
        """Refuses data with other classes.

        Raises:
            ValueError: objects of a class that is not of this set; the message lists
                both sides.
        """
        used = {name for labels in data.labels for name in labels}
        strange = sorted(used - set(self.names))
        if strange:
            known = ", ".join(name for name in self.names if name)
            raise ValueError(
                f"{data.origin or 'The data'} has objects of classes that are not "
                f"known: {', '.join(strange)}. Known: {known}. Correct the names; "
                "what is to be learnt must be in the training data, and a fine-tuning "
                "takes its classes from there."
            )

    def rows_in(self, other: "ObjectClasses") -> list[int | None]:
        """The row that each class has in another set; `None` where it has none."""
        row_of = {name: row for row, name in enumerate(other.names) if name}
        return [row_of.get(name) for name in self.names]

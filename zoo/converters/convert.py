"""Which family a checkpoint is of, and the preset that it becomes."""

import dataclasses
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from zoo.converters import (
    bergamot,
    bert,
    detr,
    efficientnet_lite,
    keras_hub_bert,
    marian,
)
from zoo.converters.checkpoint_folder import (
    CONFIG,
    check_links,
    read_config,
    stated_licence,
    weights_sha256,
)
from zoo.converters.family import Family
from zoo.converters.start import Start
from zoo.hub import fetch, is_remote
from zoo.presets import Preset

# Asked in turn: what knows its own config.json before what goes by names of files.
FAMILIES: tuple[Family, ...] = (
    marian.FAMILY,
    bert.FAMILY,
    detr.HUB_FAMILY,
    keras_hub_bert.FAMILY,
    bergamot.FAMILY,
    efficientnet_lite.FAMILY,
    detr.AUTHORS_FAMILY,
)
_KERAS_HUB = "keras_hub:"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose family is known.

    Attributes:
        path: its folder or file.
        family: what reads it.
        origin: what its card says of where it was fetched.
    """

    path: Path
    family: Family
    origin: Mapping[str, str] = field(default_factory=dict)

    def convert(self) -> Preset | Start:
        """Reads it; see `convert`."""
        check_links(self.path)
        try:
            found = self.family.convert(self.path)
        except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
            # A foreign config may hold anything in any place.
            raise ValueError(
                f"{self.path} is damaged, or not of the family {self.family.name}: "
                f"{type(error).__name__}: {error}."
            ) from error
        _add_provenance(found.card, self)
        if self.origin.get("name") and isinstance(found, Preset):
            # A cache's folders are named by commits.
            found = dataclasses.replace(found, name=self.origin["name"])
        return found

    def compare(self, preset: Preset) -> list[tuple[str, float]]:
        """A preset beside the original, run by the family's own library."""
        self.check_comparable()
        return self.family.compare(preset, self.path)

    def check_comparable(self) -> None:
        """Says what is missing for a comparison, before anything is read.

        Raises:
            ValueError: nothing runs such a checkpoint.
            ImportError: what runs it is not installed.
        """
        family, needs = self.family, self.family.needs.split()
        if family.compare is None:
            known = [other.name for other in FAMILIES if other.compare is not None]
            raise ValueError(
                f"{self.path} is of the family {family.name}, which no other library "
                f"can be asked about here. There is: {', '.join(known)}."
            )
        if not all(map(importlib.util.find_spec, needs)):
            raise ImportError(
                f"A comparison of the family {family.name} imports "
                f"{', '.join(needs)}: pip install {' '.join(needs)}, or leave it out."
            )


def convert(source) -> Preset | Start:
    """Reads a checkpoint of another project.

    Args:
        source: a folder in the layout of its family, or a file; "hf://owner/name",
            perhaps with "@revision"; "kaggle://owner/model/framework/variation"; or
            "keras_hub:NAME", which KerasHub fetches.

    Returns:
        A preset, ready to be saved, fine-tuned or exported; of a backbone without a
        task a `Start`. Its card says where it is from, by what checksum and licence.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a family that is not known, or a checkpoint that does not fit.
        ImportError: a hub's client is not installed.
        ConnectionError: a hub does not answer.
    """
    return find_checkpoint(source).convert()


def find_checkpoint(source) -> Checkpoint:
    """Fetches a checkpoint if it is on a hub, and finds its family.

    Raises:
        FileNotFoundError, ValueError, ImportError, ConnectionError: see `convert`.
    """
    if str(source).startswith(_KERAS_HUB):
        name = Path(str(source).removeprefix(_KERAS_HUB))
        return Checkpoint(name, keras_hub_bert.BY_NAME)
    fetched = fetch(source) if is_remote(source) else None
    path = fetched.path if fetched else Path(source)
    if not path.exists():
        raise FileNotFoundError(f"No such checkpoint: {path}. {_known()}")
    for family in FAMILIES:
        if family.recognises(path):
            return Checkpoint(path, family, fetched.origin if fetched else {})
    kind = ""
    if (path / CONFIG).is_file():
        found = read_config(path)
        kind = f": its config.json says model_type={found.get('model_type')!r}"
    raise ValueError(f"{path} is of no family that is known here{kind}. {_known()}")


def _known() -> str:
    rows = "".join(f"\n  {family.name}: {family.looks_for}" for family in FAMILIES)
    return (
        "Name a folder or file of one of these families, or hf://owner/name, "
        f"kaggle://owner/model/framework/variation or {_KERAS_HUB}NAME:{rows}"
    )


def _add_provenance(card: dict, checkpoint: Checkpoint) -> None:
    """Says in a card where a checkpoint is from; what a family said itself stays."""
    source = card.setdefault("source", {})
    source.update(checkpoint.origin)
    source.setdefault("name", checkpoint.path.name)
    source.setdefault("family", checkpoint.family.name)
    if "weights_sha256" not in source and checkpoint.path.exists():
        source["weights_sha256"] = weights_sha256(checkpoint.path)
    card.setdefault("licence", stated_licence(checkpoint.path))

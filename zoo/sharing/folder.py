"""Presets in the forms that others know."""

from pathlib import Path

from zoo.files import check_vacant, folder_written_whole, write_json
from zoo.presets import HUB_WEIGHTS, WEIGHTS, Preset, save_preset
from zoo.sharing.readme import readme
from zoo.weights import Precision

KERAS_FILE = "model.keras"


def save_for_hub(
    preset: Preset,
    folder,
    precision: Precision = "float32",
    languages: tuple[str, ...] = (),
    examples: tuple[str, ...] = (),
) -> None:
    """Writes a folder that Hugging Face's hub shows properly and `zoo.load` reads.

    README.md with metadata, model.safetensors, and what a preset holds besides.

    Args:
        preset: what to write.
        folder: a new folder, or an empty one.
        precision: of the weights; in float32 they come back to the last bit.
        languages: their codes; of a translation by default those in its name.
        examples: inputs that the page offers to try.

    Raises:
        ValueError: the folder holds something.
    """
    check_vacant(folder)
    Path(folder).parent.mkdir(parents=True, exist_ok=True)
    languages = tuple(languages) or _languages_in(preset.name)
    has_labels = getattr(preset.task, "labels", None) is not None
    text = readme(
        preset.card, preset.name, preset.task.name, has_labels, languages, examples
    )
    with folder_written_whole(folder) as beside:
        save_preset(preset, beside, precision)
        (beside / WEIGHTS).rename(beside / HUB_WEIGHTS)
        (beside / "README.md").write_text(text, encoding="utf-8")


def save_for_keras(preset: Preset, folder) -> None:
    """Writes the bare model as a .keras file, with vocabulary and card beside.

    `keras.saving.load_model` opens it after `import zoo.models`.

    Args:
        preset: what to write.
        folder: a new folder, or an empty one.

    Raises:
        ValueError: the folder holds something.
    """
    check_vacant(folder)
    Path(folder).parent.mkdir(parents=True, exist_ok=True)
    with folder_written_whole(folder) as beside:
        preset.model.save(beside / KERAS_FILE)
        (beside / "vocabulary").mkdir()
        preset.task.save(beside / "vocabulary")
        write_json(beside / "card.json", preset.card)


def _languages_in(name: str) -> tuple[str, ...]:
    """Of "translation_rnn/en-zh" en and zh."""
    parts = name.rpartition("/")[2].split("-")
    is_pair = len(parts) == 2 and all(
        2 <= len(part) <= 3 and part.isalpha() and part.islower() for part in parts
    )
    return tuple(parts) if is_pair else ()

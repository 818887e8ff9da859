"""Which converter reads a checkpoint."""

from pathlib import Path

from zoo.converters.bert import MODEL_TYPES, convert_bert
from zoo.files import read_json
from zoo.presets import Preset


def convert(folder) -> Preset:
    """Reads a checkpoint in the layout of Hugging Face's hub.

    Args:
        folder: holds config.json, model.safetensors (whole or in shards) and the
            tokenizer's files.

    Returns:
        A preset, ready to be saved, fine-tuned or exported.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a family that is not known, or a checkpoint that does not fit.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"{folder} has no config.json. Name a folder in the layout of Hugging "
            "Face's hub: config.json, model.safetensors and the tokenizer's files."
        )
    kind = read_json(folder / "config.json").get("model_type")
    if kind not in MODEL_TYPES:
        raise ValueError(
            f"{folder} is of the family {kind!r}, which is not known here. There is: "
            f"{', '.join(MODEL_TYPES)}."
        )
    return convert_bert(folder)

"""Asking an export in a clean process, for the commands that take presets too."""

from pathlib import Path

from zoo.cli.options import columns_of
from zoo.files import GRAPH, LABELS, MANIFEST, exports_in, read_json

_BATCH = 64


def is_export(source: str) -> bool:
    """Whether a folder holds a SavedModel and is no preset."""
    folder = Path(source)
    found = (folder / GRAPH).is_file() or exports_in(folder)
    return bool(found) and not (folder / "config.json").is_file()


def details_of(folder) -> dict:
    """What an export says of its task."""
    return manifest_of(folder)["details"]


def manifest_of(folder) -> dict:
    """What an export says of itself.

    Raises:
        ValueError: it says nothing, or no JSON.
    """
    from zoo.export.check_export import version_folder

    path = version_folder(folder) / MANIFEST
    if not path.is_file():
        raise ValueError(
            f"{path} is missing: {path.parents[1]} is a SavedModel that zoo export did "
            "not write, and says nothing of itself."
        )
    return read_json(path)


def evaluate_export(folder, data, target, reading: dict) -> dict:
    """Scores of an export's answers on test data."""
    details = details_of(folder)
    if details["task"] == "detection":
        raise ValueError(
            "An exported detector answers above its threshold, and AP is over all: "
            "evaluate the preset that it was made of."
        )
    if details["task"] == "translation":
        return _evaluate_translations(folder, data, target, reading["columns"])
    return _evaluate_labels(folder, details["labels"], data, reading["columns"])


def exported_alignment(folder, text: str):
    """A translation of an export, and what it looked at."""
    from zoo.answers import alignment_of
    from zoo.export.check_export import run_export

    return alignment_of(
        run_export(folder, {"with_alignment": {"texts": [text]}})["with_alignment"]
    )


def exported_highlight(folder, text: str):
    """What an exported classifier looked at; a pair's two texts have a tab between."""
    from zoo.answers import highlight_of
    from zoo.export.check_export import run_export

    inputs = texts_input(folder, [text], "with_attention")
    answer = run_export(folder, {"with_attention": inputs})["with_attention"]
    return highlight_of("\n".join(column[0] for column in inputs.values()), answer)


def texts_input(
    folder, texts: list[str], signature: str = "serving_default"
) -> dict[str, list[str]]:
    """The input of a signature that reads texts, or pairs of them.

    Args:
        folder: an export.
        texts: of a model for pairs, each two with a tab between.
        signature: its name.

    Raises:
        ValueError: a pair without a tab.
    """
    found = manifest_of(folder)["signatures"].get(signature, {})
    if "text_pairs" not in found.get("inputs", ()):
        return {"texts": texts}
    pairs = [text.partition("\t") for text in texts]
    if wrong := [first for first, tab, _ in pairs if not tab]:
        raise ValueError(
            "The model is for pairs of texts: write them with a tab between. "
            f"Received: {wrong[0]}"
        )
    firsts, _, seconds = map(list, zip(*pairs, strict=True))
    return {"texts": firsts, "text_pairs": seconds}


def _answers(folder, texts: list[str], name: str, pairs=()) -> list:
    """One output of the signature that serves, for all texts or pairs of texts."""
    from zoo.export.check_export import answer_export

    inputs = {"texts": texts} | ({"text_pairs": pairs} if pairs else {})
    batches = [
        {column: values[start : start + _BATCH] for column, values in inputs.items()}
        for start in range(0, len(texts), _BATCH)
    ]
    answers = answer_export(folder, [("serving_default", batch) for batch in batches])
    return [one for answer in answers for one in answer[name]]


def _evaluate_translations(folder, data, target, columns):
    from zoo.data.parallel_text import read_parallel_text
    from zoo.metrics.translation import score_translations

    text = read_parallel_text(data, target, columns_of(columns))
    found = _answers(folder, text.sources, "translations")
    return score_translations(found, text.references)


def _evaluate_labels(folder, about: dict, data, columns):
    import numpy as np

    from zoo.data.label_set import LabelSet
    from zoo.data.labelled_text import read_labelled_text
    from zoo.metrics.classification import score_multi, score_regression, score_single

    test = read_labelled_text(data, columns)
    if about["kind"] == "regression":
        labels = LabelSet("regression", (), about["mean"], about["deviation"])
        found = np.array(_answers(folder, test.texts, "values", test.pairs))
        return score_regression(found, labels.unscaled(labels.encode(test)))
    labels = LabelSet(about["kind"], _names(folder))
    found = np.array(_answers(folder, test.texts, "probabilities", test.pairs))
    score = score_single if about["kind"] == "single" else score_multi
    return score(found, labels.encode(test), labels.names)


def _names(folder) -> tuple[str, ...]:
    """The labels of an export; of very many, its manifest does not list them."""
    from zoo.export.check_export import version_folder

    path = version_folder(folder) / LABELS
    return tuple(path.read_text(encoding="utf-8").split("\n")[:-1])

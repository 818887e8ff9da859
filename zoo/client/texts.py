"""Texts as inputs of signatures, checked before anything is sent."""

from collections.abc import Sequence


def checked_texts(texts, name: str) -> list[str]:
    """A list of strings; raises `TypeError` of anything else."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Sequence):
        raise TypeError(
            f"{name} must be a list of strings. Received: {type(texts).__name__}. Of "
            "one text pass [text]."
        )
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"{name} must be strings. Received at {index}: {type(text).__name__} "
                f"{str(text)[:60]!r}."
            )
    return list(texts)


def text_pairs(texts, others, name: str) -> dict[str, list[str]]:
    """Texts, and others by their name; raises `ValueError` of another number."""
    both = {"texts": checked_texts(texts, "texts"), name: checked_texts(others, name)}
    if len(texts) != len(others):
        raise ValueError(
            f"Each text needs one of {name}. Received: {len(texts)} texts, "
            f"{len(others)} {name}."
        )
    return both


def text_inputs(texts, pairs) -> dict[str, list[str]]:
    """Inputs of a classifier: texts, and of a model for pairs a second text each."""
    if pairs is None:
        return {"texts": checked_texts(texts, "texts")}
    found = text_pairs(texts, pairs, "pairs")
    return {"texts": found["texts"], "text_pairs": found["pairs"]}

"""What classifiers say of texts, and what they looked at."""

from collections.abc import Mapping


def labels_of(answer: Mapping, row: int) -> list[tuple[str, float]]:
    """Labels of a text with their probabilities, the most probable first."""
    return [
        (label, float(score))
        for label, score in zip(
            answer["labels"][row], answer["scores"][row], strict=True
        )
    ]


def highlight_of(text: str, answer: Mapping):
    """What a classifier looked at in a text.

    Args:
        text: as the model read it: of a pair, both texts with a line break between.
        answer: outputs of `with_attention` by name, as arrays or nested lists; the
            first row is the text's.

    Returns:
        A `zoo.highlights.Highlight`.
    """
    # Those who only classify must not wait for the pictures.
    from zoo.highlights import Highlight

    if "values" in answer:
        title = f"{float(answer['values'][0]):.4g}"
    else:
        label, score = labels_of(answer, 0)[0]
        title = f"{label} {score:.2f}"
    places = (answer[key][0] for key in ("starts", "ends", "attention"))
    return Highlight.from_pieces(
        text, *places, title=title, sentences=_sentences(text, answer)
    )


def _sentences(text: str, answer: Mapping):
    """Sentences in characters, with their weights, where the model weighs them."""
    if "sentence_attention" not in answer:
        return None
    content = text.encode()
    names = ("sentence_starts", "sentence_ends", "sentence_attention")
    rows = zip(*(answer[name][0] for name in names), strict=True)
    return [
        (len(content[:start].decode()), len(content[:end].decode()), float(weight))
        for start, end, weight in rows
        if end > start
    ]

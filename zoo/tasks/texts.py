"""What tasks that read texts have in common."""

import keras

_BATCH = 64


def check_texts(texts) -> None:
    """Refuses what is no list of strings.

    Raises:
        TypeError: not a list of strings.
        ValueError: a string that cannot be written as UTF-8.
    """
    if not isinstance(texts, list | tuple) or not all(
        isinstance(text, str) for text in texts
    ):
        raise TypeError(
            "Expected a list of strings. Received: "
            f"{type(texts).__name__} {str(texts)[:80]!r}."
        )
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"A text cannot be written as UTF-8 ({error.reason}): {text[:80]!r}."
            ) from None


def need_tensorflow(doing: str) -> None:
    """Says what needs TensorFlow where Keras runs on something else.

    Raises:
        RuntimeError: Keras runs on another backend.
    """
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"{doing} run on TensorFlow, but Keras runs on "
            f"{keras.backend.backend()}. Start Python with KERAS_BACKEND=tensorflow."
        )


def batches_of(texts):
    """Indices of texts of like length together: less padding."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    for start in range(0, len(order), _BATCH):
        yield order[start : start + _BATCH]

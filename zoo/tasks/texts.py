"""What tasks that read texts have in common."""
# Keras and TensorFlow are imported where they are used: a task is also asked on
# machines that have none, and by commands that must answer at once.

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
    import keras

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


def with_codecs(task, name: str, run):
    """Calls `run` with a task's codecs; with new ones if TensorFlow lost theirs.

    `tf.random.set_seed`, and so `keras.utils.set_random_seed`, clears TensorFlow's
    cache of eager kernels, which own the tokenizers.

    Args:
        task: keeps its codecs as a cached property.
        name: of the property.
        run: takes the codecs.
    """
    import tensorflow as tf

    try:
        return run(getattr(task, name))
    except tf.errors.NotFoundError:
        delattr(task, name)
        return run(getattr(task, name))


def text_function(method, inputs: list[str]):
    """A compiled function of strings, for a Python call and for a signature alike.

    Args:
        method: takes as many tensors of strings, shape (batch,), as there are inputs.
        inputs: their names.
    """
    import tensorflow as tf

    # Not the method itself: a signature must not have its optional arguments.
    return tf.function(
        lambda *texts: method(*texts),
        input_signature=[tf.TensorSpec([None], tf.string, name=n) for n in inputs],
        autograph=False,
    )

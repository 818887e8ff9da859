"""A SavedModel in a session, fed and read by the names of its tensors."""

import functools
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo.serving.errors import ServingError, as_serving_error

_LOADING = threading.Lock()
# Without the wrapper that tells every user that new programs should not call it.
_load = tf.compat.v1.saved_model.load
_load = getattr(_load, "__wrapped__", _load)


class SavedSession:
    """A SavedModel loaded as TF Serving loads it: as a graph, without its Python.

    Any number of threads may run it.

    Args:
        folder: with `saved_model.pb`.

    Attributes:
        signatures: `SignatureDef`s by name, that of the initialisation included.

    Raises:
        ServingError: it does not load; the message is TensorFlow's own.
    """

    def __init__(self, folder):
        _load_text_operations()
        # Memory of an accelerator is taken as it is needed, not all at once.
        options = tf.compat.v1.GPUOptions(allow_growth=True)
        config = tf.compat.v1.ConfigProto(gpu_options=options)
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        try:
            meta_graph = _load(self._session, ["serve"], str(folder))
        except Exception as error:
            self.close()
            raise _load_error(error) from error
        self.signatures = dict(meta_graph.signature_def)

    def run(
        self,
        feeds: Mapping[str, np.ndarray],
        fetches: Mapping[str, str],
        timeout_seconds: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs the graph once.

        Args:
            feeds: values by the names of tensors; strings as objects of `bytes`.
            fetches: names of tensors by the names to answer them under.
            timeout_seconds: how long it may take.

        Raises:
            ServingError: the code and message are TensorFlow's own.
        """
        session = self._session
        if session is None:
            raise ServingError("UNAVAILABLE", "This version is unloaded.")
        options = None
        if timeout_seconds is not None:
            milliseconds = max(1, int(1000 * timeout_seconds))
            options = tf.compat.v1.RunOptions(timeout_in_ms=milliseconds)
        names = list(fetches.values())
        try:
            values = session.run(names, dict(feeds), options)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise as_serving_error(error) from error
        pairs = zip(fetches, values, strict=True)
        return {key: _array(value) for key, value in pairs}

    def close(self) -> None:
        """Frees variables and tables; what runs must have ended."""
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _array(value) -> np.ndarray:
    return np.asarray(value, object if isinstance(value, bytes) else None)


def _load_error(error: Exception) -> ServingError:
    found = as_serving_error(error)
    # The Python loader's own words, for a folder that is no whole SavedModel.
    if isinstance(error, (OSError, RuntimeError, ValueError)):
        broken = "Cannot parse" in str(error)
        return ServingError("DATA_LOSS" if broken else "NOT_FOUND", str(error))
    return found


def _load_text_operations() -> None:
    with _LOADING:
        _text_operations()


@functools.cache
def _text_operations() -> None:
    """Registers TF Text's operations; its Python package would bring in Keras."""
    package = find_spec("tensorflow_text")
    for folder in package.submodule_search_locations if package else ():
        for library in sorted(Path(folder, "python").rglob("_*.so")):
            tf.load_op_library(str(library))

"""Runs an exported SavedModel with TensorFlow and TF Text's operations alone.

A script of its own: `check_export` starts it in an isolated interpreter, which
does not look into the user's folder, and checks at the end that nothing of this package
or of `recipes` was imported. It reads requests as JSON, pairs of a signature and its
inputs, and prints the outputs of each.

    echo '[["signature", {"input": [values]}]]' | python -I clean_process.py EXPORT
"""

import base64
import glob
import importlib.util
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


def main(folder: str) -> None:
    import tensorflow as tf

    requests = json.load(sys.stdin)
    for library in text_libraries():
        tf.load_op_library(library)
    loaded = tf.saved_model.load(folder)
    answers = []
    for name, inputs in requests:
        if name not in loaded.signatures:
            raise SystemExit(
                f"No signature {name!r}. There is: {', '.join(loaded.signatures)}."
            )
        function = loaded.signatures[name]
        specs = function.structured_input_signature[1]
        tensors = {
            key: tf.constant(encoded(value), specs[key].dtype)
            for key, value in inputs.items()
        }
        answers.append({key: plain(v) for key, v in function(**tensors).items()})
    ours = [name for name in sys.modules if name.split(".")[0] in ("zoo", "recipes")]
    if ours:
        raise SystemExit(f"The process is not clean: it imported {', '.join(ours)}.")
    json.dump(answers, sys.stdout)


def text_libraries() -> list[str]:
    """TF Text's operations as shared libraries: its Python code stays out."""
    package = importlib.util.find_spec("tensorflow_text").submodule_search_locations[0]
    return sorted(glob.glob(f"{package}/python/ops/_*.so"))


def encoded(value):
    """Inputs as TensorFlow takes them: {"b64": ...} stands for bytes."""
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [encoded(item) for item in value] if isinstance(value, list) else value


def plain(tensor):
    value = tensor.numpy()
    if value.dtype.kind not in "OS":
        return value.tolist()
    return decode(value.tolist())


def decode(value):
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value.decode("utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

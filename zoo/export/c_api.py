"""Answers of a SavedModel through TensorFlow's C API: no Python layer has a part in it.

A script of the standard library, and of two such files beside it. It loads by
`TF_LoadSessionFromSavedModel`, which calls the loader that TF Serving calls, and feeds
and fetches by the signatures' tensor names, as a server does. TF Text's operations come
from its shared libraries. It sets no variable of the environment.

    echo '[["serving_default", {"texts": ["..."]}]]' | python -I -S c_api.py \
        EXPORT SITE/tensorflow SITE/tensorflow_text [--warm-up]

Requests are pairs of a signature and its inputs; {"b64": "..."} stands for bytes. What
is printed is JSON:

tensorflow    its version
answers       outputs by name, one dictionary a request; {"b64"} if not UTF-8
warm_up       with --warm-up: [signature, outputs] of each record of the warm-up file
error         instead, and the exit code is 1
"""

import argparse
import ctypes
import json
import os
import sys

# Isolated, Python does not look beside a script.
sys.path.append(os.path.dirname(os.path.abspath(__file__)))

from c_library import Failed, Output, TensorFlow
from protobuf_wire import PREDICT, read_records, read_request, read_signatures

WARM_UP = os.path.join("assets.extra", "tf_serving_warmup_requests")
# A ConfigProto: device_count {key: "GPU" value: 0}.
WITHOUT_GPU = b"\x0a\x07\x0a\x03GPU\x10\x00"
PYTHON_LAYER = {"google", "keras", "numpy", "recipes", "tensorflow", "tensorflow_text"}
PYTHON_LAYER |= {"zoo"}


class SavedModel:
    """A loaded SavedModel.

    Args:
        tensorflow: a `TensorFlow`.
        folder: with a saved_model.pb.
    """

    def __init__(self, tensorflow: TensorFlow, folder: str):
        self.tensorflow, self.graph = tensorflow, tensorflow.NewGraph()
        options, meta_graph = tensorflow.NewSessionOptions(), tensorflow.NewBuffer()
        tensorflow.checked("SetConfig", options, WITHOUT_GPU, len(WITHOUT_GPU))
        load = options, None, os.fsencode(folder), (ctypes.c_char_p * 1)(b"serve"), 1
        self.session = tensorflow.checked(
            "LoadSessionFromSavedModel", *load, self.graph, meta_graph
        )
        found = meta_graph.contents
        self.signatures = read_signatures(ctypes.string_at(found.data, found.length))

    def signature(self, name: str):
        """
        Raises:
            Failed: there is no such signature; the message lists them.
        """
        # TensorFlow's own starts with underscores.
        known = [known for known in self.signatures if not known.startswith("__")]
        if name not in known:
            raise Failed(f"No signature {name!r}. There is: {', '.join(known)}.")
        return self.signatures[name]

    def answer(self, name: str, inputs: dict) -> dict:
        """Outputs for inputs by name, both as nested lists."""
        return self._run(name, inputs, self.tensorflow.tensor)

    def replay(self, record: bytes) -> tuple[str, dict]:
        """The signature that a PredictionLog asks, and its outputs."""
        request = read_request(record)
        name, method = request.signature, self.signature(request.signature).method
        if request.method == PREDICT:
            parse = self.tensorflow.parsed
            return name, self._run(name, request.tensors, lambda proto, _: parse(proto))
        if request.method != method:
            raise Failed(f"{name} answers {method}, and is asked {request.method}.")
        return name, self.answer(name, {"inputs": request.examples})

    def _run(self, name, inputs, make) -> dict:
        signature = self.signature(name)
        if set(inputs) != set(signature.inputs):
            raise Failed(
                f"{name} takes {sorted(signature.inputs)} and was given "
                f"{sorted(inputs)}."
            )
        fed = {}
        for key, value in inputs.items():
            try:
                fed[key] = make(value, signature.inputs[key])
            except Failed as error:
                raise Failed(f"{name}.{key}: {error}") from error
        try:
            return self._run_session(signature, fed)
        except Failed as error:
            raise Failed(f"{name}: {error}") from error

    def _run_session(self, signature, fed: dict) -> dict:
        tensorflow, size = self.tensorflow, len(signature.outputs)
        feeds = [self._output(signature.inputs[key]) for key in fed]
        fetches = [self._output(info) for info in signature.outputs.values()]
        found = (ctypes.c_void_p * size)()
        tensorflow.checked(
            "SessionRun",
            *(self.session, None),
            *((Output * len(fed))(*feeds), (ctypes.c_void_p * len(fed))(*fed.values())),
            *(len(fed), (Output * size)(*fetches), found, size, None, 0, None),
        )
        answer = dict(zip(signature.outputs, map(tensorflow.value, found), strict=True))
        for tensor in (*fed.values(), *found):
            tensorflow.DeleteTensor(tensor)
        return answer

    def _output(self, info) -> Output:
        operation, _, index = info.name.partition(":")
        found = self.tensorflow.GraphOperationByName(self.graph, operation.encode())
        if not found:
            raise Failed(f"The graph has no operation {operation!r}.")
        return Output(found, int(index or 0))


def answered(folder: str, tensorflow: TensorFlow, requests, warm_up: bool) -> dict:
    """What is printed."""
    model = SavedModel(tensorflow, folder)
    answers = [model.answer(name, inputs) for name, inputs in requests]
    found = {"tensorflow": tensorflow.Version().decode(), "answers": answers}
    if warm_up:
        with open(os.path.join(folder, WARM_UP), "rb") as file:
            content = file.read()
        found["warm_up"] = []
        try:
            for record in read_records(content):
                found["warm_up"].append(model.replay(record))
        except (Failed, ValueError) as error:
            place = len(found["warm_up"])
            raise Failed(f"{WARM_UP}, record {place}: {error}") from error
    return found


def check_clean(modules) -> None:
    """
    Raises:
        Failed: a module of TensorFlow's Python, or of what builds on it.
    """
    foreign = PYTHON_LAYER & {name.partition(".")[0] for name in modules}
    if foreign:
        raise Failed(f"The process is not clean: it imported {sorted(foreign)}.")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("export")
    parser.add_argument("tensorflow")
    parser.add_argument("tensorflow_text")
    parser.add_argument("--warm-up", action="store_true")
    options = parser.parse_args()
    try:
        requests = json.load(sys.stdin.buffer)
        tensorflow = TensorFlow(options.tensorflow, options.tensorflow_text)
        found = answered(options.export, tensorflow, requests, options.warm_up)
        check_clean(sys.modules)
    except (Failed, OSError, ValueError) as error:
        found = {"error": str(error)}
    json.dump(found, sys.stdout)
    return int("error" in found)


if __name__ == "__main__":
    sys.exit(main())

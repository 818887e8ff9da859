"""What makes an export of a text classifier: signatures, and samples for them."""

import tensorflow as tf

from zoo.export import CLASSIFY, REGRESS, Exportable
from zoo.inference import exported_reader
from zoo.tasks.meanings import TEXT_CLASSIFICATION
from zoo.tasks.texts import text_function

# Labels that an export names, if there are more and nothing else is asked for.
_TOP_K = 10
# Inputs whose answers an export records.
_SAMPLE = [
    "A wonderful film.",
    "What is my balance? I do not know.",
    "很好，下次再来。",
]


def exportable(task, model, codec, top_k: int | None) -> Exportable:
    """A model with its task, ready to be written as a SavedModel.

    Args:
        task: a `TextClassificationTask`.
        model: a `zoo.models.TextClassifier`.
        codec: the task's, strings to ids.
        top_k: how many labels are named; at most 10 if `None`.
    """
    reader, variables = exported_reader(model)
    about = task.labels, task.temperature, top_k or _TOP_K
    graph = task.make_graph(reader, codec, *about, variables=variables)
    inputs = {"texts": _SAMPLE}
    if task.has_pairs:
        inputs["text_pairs"] = _SAMPLE[::-1]
    methods = {"serving_default": "embed", "embed": "embed"}
    if task.labels is not None:
        methods |= {"serving_default": "classify", "with_attention": "attend"}
    signatures = {
        name: text_function(getattr(graph, method), list(inputs))
        for name, method in methods.items()
    }
    samples = dict.fromkeys(methods, inputs)
    forms, names = {}, ()
    if task.labels is not None:
        names = task.labels.names
        is_number = task.labels.kind == "regression"
        form = "regress" if is_number else "classify"
        forms = {form: REGRESS if is_number else CLASSIFY}
        signatures[form] = text_function(graph.examples, ["inputs"])
        samples[form] = {"inputs": _examples(inputs)}
    details = {"task": task.name, "top_k": getattr(graph, "top_k", None)}
    return Exportable(
        graph,
        signatures,
        samples,
        details | task.describe(),
        forms=forms,
        labels=names,
        meanings=TEXT_CLASSIFICATION,
    )


def _examples(inputs: dict[str, list[str]]) -> list[bytes]:
    """Texts as serialised `tf.train.Example`s."""
    names = ("text", "text_pair")[: len(inputs)]
    rows = zip(*inputs.values(), strict=True)
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    name: tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[value.encode()])
                    )
                    for name, value in zip(names, row, strict=True)
                }
            )
        ).SerializeToString()
        for row in rows
    ]

"""Exports that no server could run or speak of: one for each rule."""

import re

import keras
import pytest
import tensorflow as tf

from zoo.export import (
    CLASSIFY,
    Exportable,
    ExportRefused,
    audit,
    contract,
    export,
    servers,
)
from zoo.export.audit import read_saved_model

NUMBERS = tf.TensorSpec([None], tf.float32, name="numbers")


def exportable(function, spec=NUMBERS, sample=(1.0, 2.0), **more):
    module = tf.Module()
    module.held = more.pop("held", None)
    signature = tf.function(function, input_signature=[spec], autograph=False)
    samples = {"serving_default": {spec.name: list(sample)}}
    return Exportable(module, {"serving_default": signature}, samples, {}, **more)


def refusal(folder, *arguments, server="2.20", **more) -> str:
    """The message, once it is seen that nothing is left behind."""
    with pytest.raises(ExportRefused) as caught:
        export(exportable(*arguments, **more), folder, server=server)
    assert list(folder.iterdir()) == []
    return str(caught.value)


def assert_names(message, op, *more, layer="doubling"):
    """The operation, its node, function, layer and signature, and the reason."""
    place = (
        rf"{op} \(node '[^']+'; (function '[^']+'|the graph itself); layer '{layer}'"
    )
    assert re.search(place, message), message
    assert "signature serving_default" in message
    for part in more:
        assert part in message


class Doubling(keras.layers.Layer):
    """A layer that does something to numbers."""

    def __init__(self, function):
        super().__init__(name="doubling")
        self._do = function

    def call(self, numbers):
        return self._do(numbers)


def in_a_layer(function):
    layer = Doubling(function)
    return lambda numbers: {"out": layer(numbers)}


# Operations


def test_a_python_function_is_refused(tmp_path):
    def double(numbers):
        return tf.numpy_function(lambda n: n * 2, [numbers], tf.float32)

    message = refusal(
        tmp_path, in_a_layer(lambda n: tf.ensure_shape(double(n), [None]))
    )
    assert_names(message, "PyFunc", "calls Python")


def test_xla_is_refused(tmp_path):
    compiled = tf.function(lambda n: n * 2.0, jit_compile=True, autograph=False)
    message = refusal(tmp_path, in_a_layer(lambda n: compiled(n)))
    assert_names(message, "PartitionedCall", "compiled by XLA")


def trimmed(numbers):
    import tensorflow_text as tf_text

    rows = tf.RaggedTensor.from_row_lengths(numbers, [tf.shape(numbers)[0]])
    return tf_text.RoundRobinTrimmer(2).trim([rows, rows])[0].values


def test_an_operation_that_a_stated_server_lacks_is_refused(tmp_path):
    message = refusal(tmp_path, in_a_layer(trimmed), server="2.19")
    assert_names(message, "TFText>RoundRobinTrim", "new in TF Serving 2.20, and 2.19")
    version = export(exportable(in_a_layer(trimmed)), tmp_path, server="2.20.0")
    assert servers(version) == ["2.20"]
    with pytest.raises(ExportRefused, match=r"2\.12 does not have it"):
        audit(version, "2.12")


def test_an_unknown_server_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"from 2\.12 to 2\.20"):
        export(exportable(lambda n: {"out": n}), tmp_path / "model", server="1.15")
    assert not (tmp_path / "model").exists()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A version that is all right, with a layer in it."""
    folder = tmp_path_factory.mktemp("plain")
    variable = tf.Variable(3.0, name="factor")
    function = in_a_layer(lambda n: tf.sqrt(n * variable))
    return export(exportable(function, held=variable), folder)


def changed(plain, folder, change):
    """The same, with its nodes changed as no TensorFlow of today would write them."""
    saved_model = read_saved_model(plain)
    for function in saved_model.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            change(node)
    (folder / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    return folder


def test_the_plain_one_is_not_refused(plain):
    assert {"Sqrt", "ReadVariableOp"} <= set(audit(plain))


def test_operations_of_others_are_refused(plain, tmp_path):
    def change(node):
        if node.op == "Sqrt":
            node.op = "Addons>GatherTree"

    with pytest.raises(ExportRefused) as caught:
        audit(changed(plain, tmp_path, change))
    assert_names(
        str(caught.value), "Addons>GatherTree", "not an operation of TensorFlow"
    )


def test_operations_and_attributes_of_a_newer_tensorflow_are_refused(plain, tmp_path):
    def change(node):
        if node.op == "Sqrt":
            node.op = "DecodeJxl"
        if node.op == "Mul":
            node.op = "TensorListGetItem"
            node.attr["Tshape"].i = 1

    with pytest.raises(ExportRefused) as caught:
        audit(changed(plain, tmp_path, change))
    message = str(caught.value)
    assert_names(message, "DecodeJxl", "is new in no server yet, and 2.20")
    assert_names(message, "TensorListGetItem", "its attribute 'Tshape' is new")


def test_names_of_variables_for_messages_are_left_out(plain, tmp_path):
    assert servers(plain)[0] == "2.12"
    saved_model = read_saved_model(plain)
    for node in saved_model.meta_graphs[0].graph_def.node:
        if node.op == "VarHandleOp":
            assert "debug_name" not in node.attr
            node.attr["debug_name"].s = b"factor"
    (tmp_path / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    assert servers(tmp_path)[0] == "2.15"
    with pytest.raises(ExportRefused, match=r"VarHandleOp .*'debug_name' is new"):
        audit(tmp_path, "2.14")


# State


def test_a_variable_that_no_attribute_holds_is_refused(tmp_path):
    variable = tf.Variable(2.0, name="scale")
    message = refusal(tmp_path, in_a_layer(lambda n: n * variable))
    assert_names(message, "ReadVariableOp", "scale:0", "no attribute")


def test_a_table_that_no_attribute_holds_is_refused(tmp_path):
    pairs = tf.lookup.KeyValueTensorInitializer([1, 2], [3.0, 4.0], tf.int32)
    table = tf.lookup.StaticHashTable(pairs, 0.0)
    message = refusal(
        tmp_path, in_a_layer(lambda n: table.lookup(tf.cast(n, tf.int32)))
    )
    assert_names(message, "LookupTableFindV2", "StaticHashTable", "no attribute")
    assert " 0x" not in message


def test_a_table_that_a_request_makes_is_refused(tmp_path):
    def find(numbers):
        table = tf.raw_ops.HashTableV2(key_dtype=tf.float32, value_dtype=tf.float32)
        found = tf.raw_ops.LookupTableFindV2(
            table_handle=table, keys=numbers, default_value=0.0
        )
        return tf.ensure_shape(found, [None])

    assert_names(refusal(tmp_path, in_a_layer(find)), "HashTableV2", "made by each")


def test_a_request_that_changes_a_variable_is_refused(tmp_path):
    count = tf.Variable(0.0)
    message = refusal(
        tmp_path, in_a_layer(lambda n: n + count.assign_add(1.0)), held=count
    )
    assert_names(message, "AssignAddVariableOp", "later requests")


# What requests and answers can say


def test_outputs_without_a_rank_are_refused(tmp_path):
    def shapeless(numbers):
        return tf.raw_ops.PlaceholderWithDefault(input=numbers + 1.0, shape=None)

    message = refusal(tmp_path, in_a_layer(shapeless))
    assert_names(
        message, "PlaceholderWithDefault", "output 'out'", "no shape information"
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "complex64"])
def test_outputs_of_types_that_json_cannot_say_are_refused(tmp_path, dtype):
    message = refusal(tmp_path, in_a_layer(lambda n: tf.cast(n, dtype)))
    word = {"float16": "half"}.get(dtype, dtype)
    assert_names(message, "Cast", f"output 'out' of 'serving_default' is {word}")


def test_outputs_that_are_no_rows_are_refused(tmp_path):
    message = refusal(tmp_path, in_a_layer(tf.reduce_sum))
    assert_names(message, "Sum", "is a single number")
    message = refusal(tmp_path, in_a_layer(lambda n: tf.reduce_sum(n)[None]))
    assert_names(message, "StridedSlice|ExpandDims", "always has 1 rows")


def test_inputs_that_are_no_rows_are_refused(tmp_path):
    spec = tf.TensorSpec([], tf.float32, name="number")
    with pytest.raises(ExportRefused, match=r"input 'number'.*is a single number"):
        export(exportable(lambda n: {"out": n[None]}, spec), tmp_path)


def test_text_in_an_output_named_for_bytes_is_refused(tmp_path):
    message = refusal(tmp_path, lambda n: {"text_bytes": tf.strings.as_string(n)})
    assert "serving_default.text_bytes is text" in message


def test_bytes_in_an_output_that_is_not_named_for_them_are_refused(tmp_path):
    def encode(numbers):
        return tf.repeat(tf.constant([b"\xff\xd8"]), tf.shape(numbers)[0])

    assert "is no text" in refusal(tmp_path, lambda n: {"image": encode(n)})
    version = export(exportable(lambda n: {"image_bytes": encode(n)}), tmp_path)
    assert contract(version)["serving_default"]["outputs"] == {
        "image_bytes": {"dtype": "string", "shape": [None]}
    }


def test_bytes_in_an_input_that_is_not_named_for_them_are_refused(tmp_path):
    def sizes(files):
        return {"sizes": tf.strings.length(files)}

    spec, sample = tf.TensorSpec([None], tf.string, name="image"), [b"\xff\xd8"]
    assert "End its name in '_bytes'" in refusal(tmp_path, sizes, spec, sample)
    spec = tf.TensorSpec([None], tf.string, name="image_bytes")
    export(exportable(sizes, spec, sample), tmp_path)


def test_answers_that_are_no_numbers_are_refused(tmp_path):
    message = refusal(tmp_path, lambda n: {"out": tf.math.log(n - 1.0)})
    assert "serving_default.out is not finite" in message


def test_names_that_classify_requests_do_not_know_are_refused(tmp_path):
    spec = tf.TensorSpec([None], tf.string, name="examples")
    message = refusal(
        tmp_path,
        lambda examples: {"labels": examples},
        spec,
        [tf.train.Example().SerializeToString()],
        forms={"serving_default": CLASSIFY},
    )
    assert "one input is 'inputs'; it has ['examples']" in message
    assert "outputs are ['classes', 'scores']; it has ['labels']" in message

"""Answers through TensorFlow's C API, against Python's."""

import ast
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from tests.export.tiny import INPUTS, write_tiny
from zoo.export import c_library
from zoo.export.check_export import ExportCheckFailed, ask_export
from zoo.export.protobuf_wire import TensorInfo

EMPTY = {"texts": [], "numbers": [], "flags": [], "pixels": [], "count": -1}
SCRIPTS = ("c_api", "c_library", "protobuf_wire")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("exports") / "1")


@pytest.fixture(scope="module")
def found(exported):
    bytes_in = {"inputs": [{"b64": "//4="}, "中文"]}
    requests = [("serving_default", INPUTS), ("serving_default", EMPTY)]
    return ask_export(exported, [*requests, ("classify", bytes_in)])


def test_answers_are_python_s_own_to_the_last_bit(exported, found):
    function = tf.saved_model.load(str(exported)).signatures["serving_default"]
    specs = function.structured_input_signature[1]
    tensors = {
        name: tf.constant(value, specs[name].dtype) for name, value in INPUTS.items()
    }
    answer = found["answers"][0]
    expected = function(**tensors)
    assert sorted(answer) == sorted(expected)
    assert answer["normal"][0].startswith("fine Donau")
    for name, tensor in expected.items():
        # Some of these bytes are half a character.
        values = answer[name]
        if name == "first_bytes":
            assert values == [{"b64": "76w="}, {"b64": "5Lg="}]
        elif tensor.dtype == tf.string:
            assert values == [one.decode() for one in tensor.numpy()]
        else:
            value = np.array(values, tensor.dtype.as_numpy_dtype)
            np.testing.assert_array_equal(value, tensor.numpy(), strict=True)


def test_values_are_plain_numbers_and_truths(found):
    answer = found["answers"][0]
    assert answer["count"] == -3_000_000_000
    assert answer["negated"] == [False, True]
    assert answer["nothing"] == [[], []]
    assert answer["brighter"] == [[[1, 2, 255]], [[10, 9, 8]]]


def test_a_batch_of_nothing_is_answered(found):
    answer = found["answers"][1]
    batches = ("normal", "products", "negated", "brighter")
    assert [answer[name] for name in batches] == [[]] * 4
    assert answer["count"] == 1


def test_bytes_go_in_as_base64(found):
    assert found["answers"][2] == {"classes": [["2"], ["6"]], "scores": [[2.0], [6.0]]}
    assert found["tensorflow"] == tf.__version__


def test_an_unknown_signature_is_named_and_the_known_are_listed(exported):
    with pytest.raises(ExportCheckFailed, match=r"No signature 'nope'.*: .*classify"):
        ask_export(exported, [("nope", {"texts": ["x"]})])


def test_an_operation_that_is_not_registered_fails_with_its_name(exported, tmp_path):
    """As on a server that links an older TF Text."""
    (tmp_path / "tensorflow").symlink_to(Path(tf.__file__).parent)
    operations = tmp_path / "tensorflow_text" / "python" / "ops"
    operations.mkdir(parents=True)
    for path in (Path(tf_text.__file__).parent / "python" / "ops").glob("_*.so"):
        if path.name != "_normalize_ops.so":
            (operations / path.name).symlink_to(path)
    with pytest.raises(ExportCheckFailed, match=r"NOT_FOUND: .*NormalizeUTF8"):
        ask_export(exported, [], site=tmp_path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([["a"], ["b", "c"]], "differ in length"),
        ([["a"], "b"], "differ in length"),
        (["b", ["a"]], "differ in depth"),
        (["b"], r"expected shape \[-1, 2\], -1 any, and received \[1\]"),
        ([["b"]], r"received \[1, 1\]"),
        ("b", r"received \[\]"),
    ],
)
def test_lists_that_are_no_tensor_are_refused(value, message):
    with pytest.raises(c_library.Failed, match=message):
        c_library._flattened(value, [-1, 2])


def test_empty_lists_have_the_shape_that_the_signature_tells():
    assert c_library._flattened([], [-1, -1, 3]) == ([0, 0, 3], [])
    assert c_library._flattened([[], []], [-1, -1, 3]) == ([2, 0, 3], [])
    assert c_library._flattened([], None) == ([0], [])
    assert c_library._flattened("one", []) == ([], ["one"])
    assert c_library._flattened([[1, 2], [3, 4]], [-1, 2]) == ([2, 2], [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        (3, [1.5], "expected int32"),
        (3, [2**31], "expected int32"),
        (4, [-1], "expected uint8"),
        (1, ["1.5"], "expected float32"),
        (10, [1], "expected bool"),
        (9, [True], "expected int64"),
        (7, [5], "expected a string and received 5"),
        (7, [{"b64": "?"}], "base64"),
        (19, [1.0], "dtype that is not read here: number 19"),
    ],
)
def test_values_of_another_dtype_are_refused(dtype, value, message):
    """Before TensorFlow sees them: its C API takes any memory for any dtype."""
    library = c_library.TensorFlow.__new__(c_library.TensorFlow)
    with pytest.raises(c_library.Failed, match=message):
        library.tensor(value, TensorInfo("x:0", dtype, [-1]))


def test_a_process_with_python_layers_is_not_clean(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    script = runpy.run_path(str(Path(c_library.__file__).with_name("c_api.py")))
    for name in SCRIPTS[1:]:
        monkeypatch.delitem(sys.modules, name)
    script["check_clean"](["json", "c_library", "zoology"])
    for name in ("zoo.export", "keras", "google.protobuf"):
        with pytest.raises(script["Failed"], match=name.partition(".")[0]):
            script["check_clean"](["json", name])


def test_the_script_imports_the_standard_library_alone():
    for name in SCRIPTS:
        path = Path(c_library.__file__).with_name(f"{name}.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            for module in modules:
                assert module in SCRIPTS or module in sys.stdlib_module_names

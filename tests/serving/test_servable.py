import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from zoo.files import MANIFEST
from zoo.serving.batching_parameters import BatchingParameters
from zoo.serving.errors import ServingError
from zoo.serving.servable import Servable


@pytest.fixture(scope="module")
def tiny(tiny_versions):
    servable = Servable("tiny", 2, tiny_versions / "2")
    yield servable
    servable.close()


def _strings(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _example(text):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
    features = tf.train.Features(feature={"text": feature})
    return tf.train.Example(features=features).SerializeToString()


def _refusal(call, *arguments):
    with pytest.raises(ServingError) as raised:
        call(*arguments)
    return raised.value.code, raised.value.message


def test_predict_answers_strings_and_numbers_by_name(tiny):
    name, outputs = tiny.predict(
        "", {"text": _strings(b"abc", "ÅÅ".encode(), b"\xff\0")}
    )
    assert name == "serving_default"
    assert outputs["label"].tolist() == [b"abc|2", "ÅÅ|2".encode(), b"\xff\0|2"]
    assert outputs["scores"].dtype == np.float32
    expected = np.outer([3, 4, 2], [1, 0.5, 0.25])
    np.testing.assert_allclose(outputs["scores"], expected, rtol=1e-6)


def test_predict_answers_an_empty_batch(tiny):
    outputs = tiny.predict("", {"text": _strings()})[1]
    assert outputs["label"].shape == (0,) and outputs["scores"].shape == (0, 3)


def test_a_single_number_is_an_array_without_axes(tiny):
    total = tiny.predict("total", {"numbers": np.float32([3, 5, 7])})[1]["total"]
    assert total.shape == () and total == 15


def test_output_filter_keeps_what_it_names(tiny):
    text = {"text": _strings(b"abc")}
    assert set(tiny.predict("", text, ["scores"])[1]) == {"scores"}
    assert _refusal(tiny.predict, "", text, ["zz"]) == (
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: zz Outputs expected to be in the "
        "set {label,scores}.",
    )
    assert _refusal(tiny.predict, "", text, ["label", "label"])[1] == (
        "duplicate output tensor alias: label"
    )


# The messages are those that TF Serving's own code was seen to answer.
@pytest.mark.parametrize(
    ("signature", "inputs", "code", "message"),
    [
        (
            "zz",
            {"text": _strings(b"a")},
            "FAILED_PRECONDITION",
            'Serving signature key "zz" not found.',
        ),
        (
            "",
            {},
            "INVALID_ARGUMENT",
            "input size does not match signature: 0!=1 len({}) != len({text}). Sent "
            "extra: {}. Missing but required: {text}.",
        ),
        (
            "",
            {"text": _strings(b"a"), "b": _strings(b"a"), "a": _strings(b"a")},
            "INVALID_ARGUMENT",
            "input size does not match signature: 3!=1 len({a,b,text}) != len({text}). "
            "Sent extra: {a,b}. Missing but required: {}.",
        ),
        (
            "",
            {"txt": _strings(b"a")},
            "INVALID_ARGUMENT",
            "Signature input alias: text(feed name: serving_default_text:0) not found "
            "in request and no default value provided. Inputs expected to be in the "
            "request {txt}, or default input alias set: ",
        ),
        (
            "",
            {"text": np.float32([1])},
            "INVALID_ARGUMENT",
            "Expects arg[0] to be string but float is provided",
        ),
        (
            "pictures",
            {"pixels": np.zeros((1, 2)), "names": _strings(b"a")},
            "INVALID_ARGUMENT",
            "Expects arg[1] to be float but double is provided",
        ),
        (
            "",
            {"text": np.array([[b"a", b"b"]], object)},
            "INVALID_ARGUMENT",
            'Input "text" has the shape [1,2]; the signature takes [-1], where -1 is '
            "any size.",
        ),
        (
            "",
            {"text": np.array(["text"], object)},
            "INVALID_ARGUMENT",
            'Input "text" has a string that is not given as bytes.',
        ),
    ],
)
def test_what_a_signature_does_not_take_is_refused(
    tiny, signature, inputs, code, message
):
    assert _refusal(tiny.predict, signature, inputs) == (code, message)


def test_a_failing_graph_says_what_tensorflow_says(tiny):
    code, message = _refusal(tiny.predict, "checked", {"numbers": np.float32([-1])})
    assert code == "INVALID_ARGUMENT"
    assert message.startswith("assertion failed: [negative]")
    assert "Original stack trace" not in message and "defined at" not in message


def test_a_graph_that_takes_too_long_is_stopped(tiny):
    assert tiny.predict("count", {"times": np.int64(7)}, (), 30)[1]["times"] == 7
    endless = {"times": np.int64(2**62)}
    assert _refusal(tiny.predict, "count", endless, (), 0.05)[0] == "DEADLINE_EXCEEDED"
    # The session is still of use.
    assert tiny.predict("count", {"times": np.int64(5)})[1]["times"] == 5


def test_classify_gives_each_example_its_labels_and_scores(tiny):
    name, results = tiny.classify("classify", [_example(b"abc"), _example(b"bonjo")])
    assert name == "classify"
    assert results == [[("abc", 3.0), ("ABC", 10.0)], [("bonjo", 5.0), ("BONJO", 12.0)]]


def test_regress_gives_each_example_a_number(tiny):
    examples = [_example(b"abc"), _example(b"bonjo")]
    assert tiny.regress("regress", examples) == ("regress", [3.0, 5.0])


def test_classify_and_regress_refuse_in_the_servers_words(tiny):
    example = [_example(b"a")]
    assert _refusal(tiny.classify, "", example) == (
        "INVALID_ARGUMENT",
        "Expected classification signature method_name to be "
        "tensorflow/serving/classify. Was: tensorflow/serving/predict",
    )
    assert _refusal(tiny.regress, "classify", example) == (
        "INVALID_ARGUMENT",
        "Expected regression signature method_name to be "
        "tensorflow/serving/regress. Was: tensorflow/serving/classify",
    )
    assert _refusal(tiny.regress, "zz", example) == (
        "INVALID_ARGUMENT",
        "No signature was found with the name: zz",
    )
    assert _refusal(tiny.classify, "classify", [])[1] == "Input is empty."


def test_initialisation_stands_among_the_signatures(tiny):
    assert "__saved_model_init_op" in tiny.signatures


def test_batched_answers_are_those_of_requests_alone(tiny, tiny_versions, random):
    batched = Servable(
        "tiny", 2, tiny_versions / "2", BatchingParameters(16, 20_000, 99)
    )
    runs, run = [], batched._session.run
    batched._session.run = lambda feeds, *rest: runs.append(0) or run(feeds, *rest)
    texts = [
        _strings(*(b"%d" % 10 ** random.integers(0, 18) for _ in range(rows)))
        for rows in (1, 2, 3, 5) * 5
    ]
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(lambda text: batched.predict("", {"text": text})[1], texts)
        for text, answer in zip(texts, answers, strict=True):
            alone = tiny.predict("", {"text": text})[1]
            assert answer["label"].tolist() == alone["label"].tolist()
            np.testing.assert_array_equal(answer["scores"], alone["scores"])
    assert len(runs) < 20
    batched.close()


@pytest.mark.parametrize("signature", ["total", "positive"])
def test_signatures_whose_rows_are_not_the_requests_answer_each_its_own(
    tiny_versions, signature
):
    batched = Servable("tiny", 2, tiny_versions / "2", BatchingParameters(8, 20_000))
    numbers = [np.float32([1, -1, value]) for value in (3, 5, 7, 11)]
    with ThreadPoolExecutor(4) as pool:
        ask = lambda one: batched.predict(signature, {"numbers": one})[1]  # noqa: E731
        answers = list(pool.map(ask, numbers))
    found = [next(iter(answer.values())).tolist() for answer in answers]
    expected = {"total": [3, 5, 7, 11], "positive": [[1, v] for v in (3, 5, 7, 11)]}
    assert found == expected[signature]
    batched.close()


def test_a_batch_size_is_a_limit_of_requests(tiny_versions):
    batched = Servable("tiny", 2, tiny_versions / "2", BatchingParameters(3))
    text = {"text": _strings(*[b"a"] * 5)}
    assert _refusal(batched.predict, "", text) == (
        "INVALID_ARGUMENT",
        "Task size 5 is larger than maximum input batch size 3",
    )
    # A part of the outputs is no signature of the queue's, as in TF Serving.
    assert len(batched.predict("", text, ["label"])[1]["label"]) == 5
    batched.close()


def test_a_closed_version_answers_no_more(tiny_versions):
    servable = Servable("tiny", 1, tiny_versions / "1", BatchingParameters(3))
    threads = threading.active_count()
    servable.predict("", {"text": _strings(b"a")})
    servable.close()
    servable.close()
    assert _refusal(servable.predict, "", {"text": _strings(b"a")})[0] == "UNAVAILABLE"
    assert threading.active_count() == threads


def test_what_is_no_saved_model_does_not_load(tmp_path):
    code, _ = _refusal(Servable, "tiny", 1, tmp_path)
    assert code == "NOT_FOUND"
    (tmp_path / "saved_model.pb").write_bytes(b"\x07broken")
    code, _ = _refusal(Servable, "tiny", 1, tmp_path)
    assert code == "DATA_LOSS"


def test_an_environment_that_an_export_asks_for_is_told(
    tiny_versions, tmp_path, monkeypatch, caplog
):
    folder = shutil.copytree(tiny_versions / "1", tmp_path / "1")
    (folder / MANIFEST).parent.mkdir(exist_ok=True)
    names = "TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA"
    wanted = {"environment": {names[0]: "1", names[1]: "SSE41"}}
    (folder / MANIFEST).write_text(json.dumps(wanted), encoding="utf-8")
    monkeypatch.setenv(names[0], "0")
    monkeypatch.setenv(names[1], "SSE41")
    Servable("tiny", 1, folder).close()
    (told,) = [of.getMessage() for of in caplog.records if "zoo" in of.name]
    assert "TF_ENABLE_ONEDNN_OPTS=1" in told


def test_a_variable_that_no_export_may_ask_for_is_not_recommended(
    tiny_versions, tmp_path, caplog
):
    folder = shutil.copytree(tiny_versions / "1", tmp_path / "1")
    (folder / MANIFEST).parent.mkdir(exist_ok=True)
    wanted = {"environment": {"LD_PRELOAD": "/tmp/a.so"}}
    (folder / MANIFEST).write_text(json.dumps(wanted), encoding="utf-8")
    Servable("tiny", 1, folder).close()
    (told,) = [of.getMessage() for of in caplog.records if "zoo" in of.name]
    assert "asks for 'LD_PRELOAD'" in told and "set it" not in told

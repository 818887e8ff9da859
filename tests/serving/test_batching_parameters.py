import os

import pytest

from zoo.serving.batching_parameters import BatchingParameters, read_batching


def _read(tmp_path, text):
    path = tmp_path / "batching.pbtxt"
    path.write_text(text, encoding="utf-8")
    return read_batching(path)


def test_a_file_of_tf_serving_is_read(tmp_path):
    text = """
    # As the guide to batching has it.
    max_batch_size { value: 8 }
    batch_timeout_micros { value: 20000 }  max_enqueued_batches: { value: 100 };
    num_batch_threads < value: 2 >
    thread_pool_name { value: "pool # one" }
    pad_variable_length_inputs: false
    allowed_batch_sizes: 3, allowed_batch_sizes: [ 5, 8 ]
    """
    assert _read(tmp_path, text) == BatchingParameters(8, 20000, 100, 2, (3, 5, 8))


def test_what_is_not_said_is_as_in_tf_serving(tmp_path):
    expected = BatchingParameters(1000, 0, 10, os.cpu_count(), ())
    assert _read(tmp_path, "") == expected == BatchingParameters()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max_batch_sise { value: 8 }", "no field max_batch_sise"),
        (
            "enable_large_batch_splitting { value: true }",
            "enable_large_batch_splitting",
        ),
        ("foo { bar { value: 1 } }", "no field foo"),
        ("max_batch_size { value: 8 } max_batch_size { value: 9 }", "max_batch_size"),
        ("max_batch_size: [8, 9]", "max_batch_size should have one value"),
        ("max_batch_size { value: 8", "max_batch_size is without an end"),
        ("max_batch_size {}", "max_batch_size should hold"),
        ("max_batch_size { valu: 8 }", "max_batch_size should hold"),
        ("max_batch_size", "max_batch_size is without an end"),
        ("max_batch_size 8", "followed by '8'"),
        ('max_batch_size { value: "8" }', "wrong kind"),
        ("max_batch_size { value: 8.5 }", "line 1"),
        ("max_batch_size\n\n{ value: $ }", "line 3"),
        ("8 { value: 8 }", "name of a field"),
        ("max_batch_size { value: 0 }", "max_batch_size is 0"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros is -1"),
        ("pad_variable_length_inputs: true", "pad_variable_length_inputs"),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 5",
            "rise to max_batch_size",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path, text, told):
    with pytest.raises(ValueError, match=r"batching\.pbtxt") as raised:
        _read(tmp_path, text)
    assert told in str(raised.value)

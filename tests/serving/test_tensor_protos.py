import numpy as np
import pytest
import tensorflow as tf

from zoo.protocol.tensor_types import TENSOR_TYPES
from zoo.serving.errors import ServingError
from zoo.serving.tensor_protos import read_proto, write_proto


@pytest.mark.parametrize("kind", TENSOR_TYPES.values(), ids=lambda kind: kind.name)
def test_what_is_written_is_read_by_tensorflow_and_back(kind, random):
    array = random.integers(0, 2, (2, 3, 5)).astype(kind.numpy)
    if kind.name == "string":
        array = np.vectorize(lambda value: b"\xff" * value, otypes="O")(array)
    proto = write_proto(array)
    assert not proto.tensor_content
    assert tf.as_dtype(proto.dtype).as_numpy_dtype == np.dtype(kind.numpy)
    np.testing.assert_array_equal(tf.make_ndarray(proto), array)
    for sent in (proto, tf.make_tensor_proto(array)):
        back = read_proto("a", sent, 1000)
        assert back.dtype == array.dtype
        np.testing.assert_array_equal(back, array)


def test_half_numbers_keep_their_bits():
    array = np.float16([0.1, -2.5, 65504])
    np.testing.assert_array_equal(tf.make_ndarray(write_proto(array)), array)


def test_types_of_tensorflow_alone_are_written_too():
    array = np.asarray(tf.cast([1.5, -2], tf.bfloat16))
    back = tf.make_ndarray(write_proto(array))
    np.testing.assert_array_equal(back.astype(np.float32), [1.5, -2])


def _proto(shape, **fields):
    proto = tf.make_tensor_proto(np.zeros(0, np.float32))
    proto.ClearField("tensor_shape")
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    for name, value in fields.items():
        if name == "dtype":
            proto.dtype = value
        elif name == "tensor_content":
            proto.tensor_content = value
        else:
            getattr(proto, name).extend(value)
    return proto


def test_one_value_may_stand_for_all():
    assert read_proto("a", _proto([3], float_val=[5]), 12).tolist() == [5, 5, 5]
    strings = _proto([3], dtype=7, string_val=[b"a", b"b"])
    assert read_proto("a", strings, 1000).tolist() == [b"a", b"b", b"b"]
    assert read_proto("a", _proto([2], dtype=7), 1000).tolist() == [b"", b""]


@pytest.mark.parametrize(
    "proto",
    [
        _proto([10**12], float_val=[1]),
        _proto([2**40, 2**40], dtype=7, string_val=[b"a"]),
        _proto([-1], float_val=[1]),
        _proto([2], float_val=[1, 2, 3]),
        _proto([1], dtype=7, string_val=[b"a", b"b"]),
        _proto([2], tensor_content=b"abc"),
        _proto([1], dtype=7, tensor_content=b"\x01a"),
        _proto([1], dtype=20),
        _proto([1], dtype=0, float_val=[1]),
    ],
)
def test_what_is_no_tensor_or_a_huge_one_is_refused(proto):
    with pytest.raises(ServingError, match="tensor parsing error: a") as refused:
        read_proto("a", proto, 1 << 20)
    assert refused.value.code == "INVALID_ARGUMENT"

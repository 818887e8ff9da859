import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto

from zoo.protocol.tensor_types import DATA_TYPES, TENSOR_TYPES, data_type, listed


def test_names_have_tensorflows_numbers():
    assert {name: types_pb2.DataType.Value(name) for name in DATA_TYPES} == DATA_TYPES


@pytest.mark.parametrize("number", TENSOR_TYPES)
def test_types_are_those_of_tensorflow(number):
    kind, real = TENSOR_TYPES[number], tf.as_dtype(number)
    array = np.array([[3, 1, 0]]).astype(real.as_numpy_dtype)
    assert array.dtype == np.dtype(kind.numpy)
    assert DATA_TYPES[f"DT_{kind.name.upper()}"] == number == data_type(array)
    if kind.name != "string":
        proto = TensorProto(dtype=number)
        proto.tensor_shape.CopyFrom(tf.TensorShape(array.shape).as_proto())
        getattr(proto, kind.field).extend(listed(array).tolist())
        np.testing.assert_array_equal(tf.make_ndarray(proto), array)


def test_the_order_of_bytes_is_no_type_and_others_have_none():
    assert data_type(np.zeros(1, ">f4")) == 1
    assert data_type(np.array(["a"])) == 7
    assert data_type(np.zeros(1, "longdouble")) is None

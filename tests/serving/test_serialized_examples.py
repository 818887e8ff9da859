import tensorflow as tf
from tensorflow_serving.apis import input_pb2

from zoo.serving.serialized_examples import serialized_examples


def _example(text):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
    return tf.train.Example(features=tf.train.Features(feature={"text": feature}))


def test_examples_are_joined_with_their_context():
    message = input_pb2.Input()
    listed = message.example_list_with_context
    listed.context.CopyFrom(_example(b"of all"))
    listed.examples.extend([tf.train.Example(), _example(b"own")])
    texts = [
        tf.train.Example.FromString(each).features.feature["text"].bytes_list.value
        for each in serialized_examples(message)
    ]
    assert texts == [[b"of all"], [b"own"]]


def test_examples_without_a_context_are_as_they_came():
    message = input_pb2.Input()
    message.example_list.examples.append(_example(b"own"))
    assert serialized_examples(message) == [_example(b"own").SerializeToString()]

"""Names of nodes, which say what layer they were made for."""

import tensorflow as tf


def layer_scope(name: str):
    """What is made inside stands in the graph as Keras names it: counted behind.

    Messages about an export name layers by it.
    """
    return tf.name_scope(f"{name}_1")

"""Mathematics without weights, in keras.ops: runs on TensorFlow, JAX and torch."""

"""Clients of TF Serving, over REST and gRPC, without TensorFlow."""

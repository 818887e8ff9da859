"""Metrics: of tensors while training, of strings when a model is judged."""

"""A server for one machine that speaks as TF Serving does."""

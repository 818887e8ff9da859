"""Files and strings to batches of arrays."""

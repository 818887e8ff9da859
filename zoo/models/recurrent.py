"""Recurrent layers that several models have."""

from keras import layers, ops

CELLS = {"gru": layers.GRU, "lstm": layers.LSTM}


def check_cell(cell: str) -> None:
    """Refuses a cell that there is not.

    Raises:
        ValueError: an unknown cell.
    """
    if cell not in CELLS:
        raise ValueError(
            f"cell must be one of {', '.join(CELLS)}. Received: cell={cell!r}."
        )


def make_bidirectional(cell: str, units: int, name: str, dtype: dict):
    """A recurrent layer in both directions, with names that are always the same."""
    layer = CELLS[cell](units, return_sequences=True, name=cell, **dtype)
    return layers.Bidirectional(layer, name=name, **dtype)


def read_recurrent(layer, values, mask, training: bool):
    """The states of a recurrent layer, with zeros at padding."""
    values = layer(values, mask=mask, training=training)
    # What comes out of an operation no longer carries Keras's own, implicit mask.
    return ops.where(ops.expand_dims(mask, -1), values, 0.0)

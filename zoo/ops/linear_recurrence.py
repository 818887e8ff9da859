"""A recurrence without products of the state, over a whole sequence at once."""
# By doubling (Hillis and Steele, 1986, https://doi.org/10.1145/7902.7903): after k
# rounds each position holds what the last 2^k together do to a state, and two
# neighbouring stretches together do what one does after the other. Keras's own
# associative scan recurses: TensorFlow takes a quarter of a minute to trace it, and it
# needs a length that is known beforehand.

from keras import ops

# Shape letters: B batch, L length, U units.


def linear_recurrence(decays_BLU, updates_BLU):
    """Runs c_t = decay_t c_{t-1} + update_t from c_0 = 0, in about log2(L) rounds.

    Args:
        decays_BLU: what is left of the state at each step, shape (batch, length,
            units); in [0, 1], so that no product of them grows.
        updates_BLU: what is added at each step, of the same shape.

    Returns:
        All states c_1 to c_L, of the same shape.
    """
    length = ops.shape(updates_BLU)[1]
    if isinstance(length, int):
        distance = 1
        while distance < length:
            decays_BLU, updates_BLU = _joined(decays_BLU, updates_BLU, distance)
            distance *= 2
        return updates_BLU

    def go_on(distance, decays_BLU, updates_BLU):
        return 2 * distance, *_joined(decays_BLU, updates_BLU, distance)

    start = (ops.convert_to_tensor(1, "int32"), decays_BLU, updates_BLU)
    return ops.while_loop(lambda distance, *_: distance < length, go_on, start)[2]


def _joined(decays_BLU, updates_BLU, distance):
    """Each stretch together with the one that ends a distance before it."""
    updates_BLU = decays_BLU * _earlier(updates_BLU, distance) + updates_BLU
    return decays_BLU * _earlier(decays_BLU, distance), updates_BLU


def _earlier(values_BLU, distance):
    """What stands a distance earlier, or zeros, where nothing does."""
    places_L = ops.arange(ops.shape(values_BLU)[1], dtype="int32") - distance
    found_BLU = ops.take(values_BLU, ops.maximum(places_L, 0), axis=1)
    return ops.where(places_L[:, None] >= 0, found_BLU, ops.zeros_like(found_BLU))

"""Padded batches to the rows of their real tokens and back."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.inference.packing import Packing

# Texts, length, heads, parts, head size. The second text is empty.
B, L, H, P, D = 3, 5, 7, 2, 11
LENGTHS = (4, 0, 5)
# Text and position of each row; an empty text keeps its first position.
ROWS = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)] + [(2, place) for place in range(5)]


@pytest.fixture
def packing():
    ids = np.ones((B, L), "int32")
    for row, length in enumerate(LENGTHS):
        ids[row, length:] = 0
    return Packing(tf.constant(ids), H)


def test_only_real_tokens_and_first_positions_are_rows(packing, random):
    values = random.normal(size=(B, L))
    np.testing.assert_array_equal(packing.pack(values), [values[at] for at in ROWS])
    np.testing.assert_array_equal(packing.columns_N, [column for _, column in ROWS])


def test_rows_go_back_to_where_they_stood(packing, random):
    rows = random.normal(size=(len(ROWS), D))
    found = packing.unpack(rows).numpy()
    for number, at in enumerate(ROWS):
        np.testing.assert_array_equal(found[at], rows[number])
    np.testing.assert_array_equal(packing.first(rows), found[:, 0])


def test_heads_are_split_by_part_and_joined_again(packing, random):
    rows = random.normal(size=(len(ROWS), P * H * D)).astype("float32")
    parts = packing.split_heads(tf.constant(rows), P)
    by_hand = rows.reshape(len(ROWS), P, H, D)
    for part, found in enumerate(parts):
        assert found.shape == (B, H, L, D)
        for number, (text, column) in enumerate(ROWS):
            np.testing.assert_array_equal(found[text, :, column], by_hand[number, part])
        joined = packing.join_heads(found)
        np.testing.assert_array_equal(joined, by_hand[:, part].reshape(-1, H * D))


def test_scores_become_weights_of_the_real_positions(packing, random):
    scores = random.normal(size=(len(ROWS), H)).astype("float32")
    weights = packing.softmax(scores).numpy()
    exponentials = np.exp(scores[:4].astype("float64"))
    expected = exponentials / exponentials.sum(axis=0)
    np.testing.assert_allclose(weights[0, :, :4], expected.T, rtol=1e-6)
    np.testing.assert_array_equal(weights[0, :, 4], np.zeros(H))

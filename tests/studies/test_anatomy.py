"""Pictures of attention's anatomy: what is drawn is what the layers say."""

import math
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from tests.references.positions import interleaved, two_dimensional
from zoo.layers import LuongAttention
from zoo.studies import anatomy


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The pictures, and every matrix that was drawn into them."""
    folder = tmp_path_factory.mktemp("anatomy") / "new" / "folder"
    matrices, imshow = [], Axes.imshow

    def watched(axes, matrix, **options):
        matrices.append(np.ma.getdata(matrix))
        return imshow(axes, matrix, **options)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")
        patch.setattr(Axes, "imshow", watched)
        paths = anatomy.draw_anatomy(folder)
    return paths, matrices


def test_every_picture_is_drawn_in_a_size_for_a_page(drawn):
    paths, _ = drawn
    assert [path.name for path in paths] == list(anatomy.PICTURES)
    for path in paths:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert 800 < picture.width < 1600
        assert path.stat().st_size < 150_000
    # Written whole: nothing is left beside them.
    assert len(list(paths[0].parent.iterdir())) == len(paths)


def test_the_same_bytes_in_another_process(drawn, tmp_path):
    script = "import sys, zoo.studies.anatomy as a; a.draw_anatomy(sys.argv[1])"
    (tmp_path / "windows.png").write_bytes(b"what an earlier call left")
    subprocess.run(
        [sys.executable, "-c", script, tmp_path],
        check=True,
        capture_output=True,
        env=dict(os.environ, PYTHONHASHSEED="3"),
    )
    for path in drawn[0]:
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_what_is_drawn_is_what_the_layers_say(drawn):
    _, matrices = drawn
    said = [
        *anatomy.alignment_windows().values(),
        *(0.6 * visible for visible in anatomy.visible_weights().values()),
        *anatomy.head_weights(),
        anatomy.sine_similarity(),
        *anatomy.sine_similarity_2d()[0],
    ]
    for matrix in said:
        assert any(np.array_equal(matrix, other) for other in matrices)


# What the layers say, against formulas written here.


def test_windows_are_those_of_the_paper():
    windows = anatomy.alignment_windows()
    assert list(windows) == ["global", "local_m", "local_p"]
    for t, centre in enumerate(anatomy.CENTRES):
        for s in range(anatomy.SOURCE):
            real = s < anatomy.REAL
            assert windows["global"][t, s] == real
            near = abs(s - min(t, anatomy.REAL - 1)) <= anatomy.WIDTH
            assert windows["local_m"][t, s] == (real and near)
            factor = math.exp(-((s - centre) ** 2) / (2 * (anatomy.WIDTH / 2) ** 2))
            near = abs(s - centre) <= anatomy.WIDTH
            expected = factor if real and near else 0.0
            assert windows["local_p"][t, s] == pytest.approx(expected, abs=1e-5)


def test_attention_has_weight_exactly_inside_the_window():
    """The picture shows a mask; attention through the window obeys it."""
    query = np.ones((1, len(anatomy.CENTRES), 3), "float32")
    values = np.ones((1, anatomy.SOURCE, 3), "float32")
    key_mask = np.arange(anatomy.SOURCE)[None] < anatomy.REAL
    windows = anatomy.alignment_windows()
    for name in ("global", "local_m"):
        attention = LuongAttention("dot", window=name, window_width=anatomy.WIDTH)
        _, weights = attention(query, values, key_mask=key_mask)
        weights = np.asarray(weights)[0]
        np.testing.assert_array_equal(weights > 0, windows[name] > 0)


def test_who_sees_whom():
    found = anatomy.visible_weights()
    for (q, k), full in np.ndenumerate(found["full"]):
        assert full
        assert found["causal"][q, k] == (k <= q)
        assert found["sliding window"][q, k] == (abs(q - k) <= anatomy.REACH)
        assert found["padded keys"][q, k] == (k < anatomy.SEEN)


def test_steps_are_the_path_lengths_of_table_1():
    steps = {
        kind: anatomy.steps_between(kind)
        for kind in ("recurrent", "full", "causal", "sliding window")
    }
    for (to, start), count in np.ndenumerate(steps["recurrent"]):
        distance = abs(to - start)
        assert count == distance
        assert steps["full"][to, start] == min(distance, 1)
        layers = math.ceil(distance / anatomy.REACH)
        assert steps["sliding window"][to, start] == layers
        expected = -1 if start > to else min(distance, 1)
        assert steps["causal"][to, start] == expected


def test_heads_over_equal_words_show_their_slopes():
    for head, weights in enumerate(anatomy.head_weights()):
        for query in (0, 5, anatomy.FAR - 1):
            falls = [2.0 ** -(head + 1) * (query - key) for key in range(query + 1)]
            found = np.exp(-np.array(falls))
            expected = np.zeros(anatomy.FAR)
            expected[: query + 1] = found / found.sum()
            np.testing.assert_allclose(weights[query], expected, atol=1e-5)


def test_rotary_scores_fall_as_a_mean_of_cosines():
    distances, scores = anatomy.rotary_scores()
    half = anatomy.HEAD_SIZE // 2
    for distance in (0, 1, 17, 128):
        angles = [distance * 10000.0 ** (-i / half) for i in range(half)]
        expected = sum(map(math.cos, angles)) / half
        assert scores[distances == distance] == pytest.approx(expected, abs=1e-5)


def test_alibi_has_eight_slopes_each_half_the_last():
    distances, biases = anatomy.alibi_biases()
    assert len(biases) == 8
    for head, bias in enumerate(biases):
        np.testing.assert_allclose(bias, distances / 2 ** (head + 1), rtol=1e-6)


def test_t5_buckets_are_those_of_the_paper():
    """Half of a side's buckets hold one distance, the last all from 128 on."""
    distances, buckets = anatomy.t5_buckets()
    by_distance = dict(zip(distances.tolist(), buckets.tolist(), strict=True))
    assert [by_distance[-d] for d in (0, 1, 7, 8, 127, 144)] == [0, 1, 7, 8, 15, 15]
    assert [by_distance[d] for d in (1, 7, 8, 127, 144)] == [17, 23, 24, 31, 31]
    distances, buckets = anatomy.t5_buckets(bidirectional=False)
    by_distance = dict(zip(distances.tolist(), buckets.tolist(), strict=True))
    assert [by_distance[-d] for d in (0, 1, 15, 16, 144)] == [0, 1, 15, 16, 31]
    assert {by_distance[d] for d in range(1, 145)} == {0}


def cosine(left, right):
    left, right = np.asarray(left), np.asarray(right)
    return left @ right / np.sqrt((left @ left) * (right @ right))


def test_sine_similarity_is_that_of_the_formula():
    similarity = anatomy.sine_similarity()
    for one, other in ((0, 0), (3, 40), (63, 20)):
        expected = cosine(
            interleaved(one, anatomy.SIZE), interleaved(other, anatomy.SIZE)
        )
        assert similarity[one, other] == pytest.approx(expected, abs=1e-5)


def test_2d_similarity_is_that_of_the_formula():
    similarity, mask = anatomy.sine_similarity_2d()
    table = two_dimensional(mask.tolist(), 256)
    for cell, cosines in zip(anatomy.CELLS, similarity, strict=True):
        assert cosines[cell] == pytest.approx(1.0, abs=1e-5)
        for row, column in ((0, 0), (9, 13), (17, 25)):
            expected = cosine(table[cell], table[row, column])
            assert cosines[row, column] == pytest.approx(expected, abs=1e-4)

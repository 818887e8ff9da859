"""Highlights as pixels."""

import numpy as np

from tests.highlights.making import highlight


def test_png_words_are_as_wide_as_their_shades(tmp_path, monkeypatch):
    """Ink of a strong word must not run beyond its shade."""
    from matplotlib.image import imread

    picture = imread(highlight("nevertheless", [1.0]).save(tmp_path / "a.png"))
    red, green, blue = np.moveaxis(np.round(picture[..., :3] * 255), -1, 0)
    shade = (red == 0xE6) & (green == 0x9F) & (blue == 0)
    rows = np.flatnonzero(shade.sum(axis=1) > 100)
    columns = np.flatnonzero(shade[rows].any(axis=0))
    around = picture[rows][:, columns[-1] + 2 :, :3]
    assert columns[-1] - columns[0] > 100
    assert (around == 1).all()

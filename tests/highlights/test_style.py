"""Colours that can be read."""

import re

import numpy as np

from tests.highlights.making import highlight
from zoo.highlights.style import INK


def contrast(one, other):
    """WCAG's contrast of two colours such as #ffffff."""

    def luminance(colour):
        shares = np.array(list(bytes.fromhex(colour[1:]))) / 255
        linear = np.where(
            shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722] + 0.05

    low, high = sorted([luminance(one), luminance(other)])
    return high / low


def test_ink_is_readable_on_every_shade():
    weights = np.arange(1, 41) / np.arange(1, 41).sum()
    text = " ".join(f"w{number}" for number in range(40))
    made = highlight(text, weights)
    pairs = re.findall(r"(#\w+) on (#\w+)", str(made.terminal().spans))
    shades = re.findall(r"background:(#[0-9a-f]{6})", made.html())
    pairs += [(INK, shade) for shade in shades]
    assert len(pairs) >= 70
    assert min(contrast(*pair) for pair in pairs) >= 4.5

"""Colours and fonts of highlights."""

FONTS = "'Helvetica Neue', Arial, 'Noto Sans', 'Noto Sans CJK SC', sans-serif"
# Okabe and Ito's palette, which colour-blind readers tell apart; lines that fall and
# rise differ by dashes too. Ink stays readable on the strongest shade.
INK, FAINT_INK = "#1a1a1a", "#595959"
SHADE, FALL, RISE, SENTENCE = "#E69F00", "#0072B2", "#CC79A7", "#009E73"
DIMMEST, BRIGHTEST = "#3d2c00", "#ffb000"  # of a terminal
FAINTEST = 0.04  # of the strongest word; a weaker one is left white


def blend(low: str, high: str, share: float) -> str:
    """A colour between two, all such as #ffffff; 0 gives the low one."""
    pairs = zip(_channels(low), _channels(high), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def shade_of(strength: float) -> str | None:
    """The background of a word on white; `None` where it stays white."""
    return blend("#ffffff", SHADE, strength) if strength >= FAINTEST else None


def _channels(colour):
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]

"""Highlights as HTML."""

from zoo.highlights.content import (
    effects_of,
    escaped,
    gap_before,
    groups_of,
    legend_of,
    strengths_of,
    tip_of,
)
from zoo.highlights.style import (
    FAINT_INK,
    FAINTEST,
    FALL,
    FONTS,
    INK,
    RISE,
    SENTENCE,
    shade_of,
)


def html_fragment(highlight) -> str:
    """A fragment of HTML; each word tells its numbers when it is pointed at."""
    strengths, effects = strengths_of(highlight), effects_of(highlight)
    blocks = []
    for share, members in groups_of(highlight):
        words = [
            ("" if index == members[0] else gap_before(highlight, index))
            + f'<span title="{tip_of(highlight, index)}"'
            + f"{_css(strengths[index], effects[index])}>"
            + f"{escaped(highlight.words[index])}</span>"
            for index in members
        ]
        blocks.append(_html_block(share, "".join(words), highlight.sentences))
    legend = "<br>".join(legend_of(highlight).values())
    return (
        f'<div style="background:#fff;color:{INK};padding:1em;max-width:45em;'
        f'font-family:{FONTS}">\n'
        f'<p style="margin:0 0 .5em"><strong>{escaped(highlight.title)}</strong></p>\n'
        + "\n".join(blocks)
        + f'\n<p style="margin:.8em 0 0;font-size:.8em;color:{FAINT_INK}">'
        f"{legend}</p>\n</div>\n"
    )


def html_page(highlight) -> str:
    """A whole page, for a file."""
    return (
        '<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escaped(highlight.title)}</title></head>\n"
        f"<body>\n{html_fragment(highlight)}</body>\n</html>\n"
    )


def _css(strength, effect):
    rules = [f"background:{shade_of(strength)}"] if shade_of(strength) else []
    if abs(effect) >= FAINTEST:
        kind = f"solid {FALL}" if effect > 0 else f"dashed {RISE}"
        rules.append(f"border-bottom:{1 + 3 * abs(effect):.1f}px {kind}")
    return f' style="{";".join(rules)}"' if rules else ""


def _html_block(share, content, sentences):
    rules = "white-space:pre-wrap;line-height:1.9;margin:0 0 .3em"
    if share is None:
        return f'<div dir="auto" style="{rules}">{content}</div>'
    strongest = max(weight for _, _, weight in sentences) or 1
    bar = f"border-inline-start:{1 + 9 * share / strongest:.1f}px solid {SENTENCE}"
    number = f'<small style="color:{FAINT_INK}">{share:.2f}</small> '
    return (
        f'<div dir="auto" title="sentence {share:.3f}" style="{rules};{bar};'
        f'padding-inline-start:.6em">{number}{content}</div>'
    )

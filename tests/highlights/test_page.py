"""Highlights as a browser reads them."""

import re
from html.parser import HTMLParser

from tests.highlights.making import highlight
from zoo.highlights.style import FALL, RISE, SHADE


class Reader(HTMLParser):
    """Text, and what spans say, as a browser would read them."""

    def __init__(self, page):
        super().__init__()
        self.spans, self.text, self.tags = [], "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "span":
            self.spans.append(dict(attributes))

    def handle_data(self, data):
        self.text += data


def test_html_holds_the_text_and_tells_every_number():
    text = "a <fine> film\n& more"
    made = highlight(
        text, [0, 0, 0.5, 0, 0.3, 0, 0.2], without=[0] * 4 + [0.1, -0.2, 0]
    )
    read = Reader(made.html())
    assert text in read.text and "positive 0.98" in read.text
    assert len(read.spans) == 7
    assert read.spans[2]["title"] == "attention 0.500; without it the score stays"
    assert read.spans[2]["style"] == f"background:{SHADE.lower()}"
    assert "falls by 0.100" in read.spans[4]["title"]
    assert f"solid {FALL}" in read.spans[4]["style"]
    assert f"dashed {RISE}" in read.spans[5]["style"]
    assert "background" not in read.spans[5]["style"]
    assert "style" not in read.spans[0]


def test_html_has_a_block_a_sentence():
    text = "Hm. So so. Good end."
    made = highlight(text, sentences=[(4, 10, 0.25), (11, 20, 0.75)])
    shown = made.html()
    assert shown.count("border-inline-start") == 2
    assert re.search(r"border-inline-start:10.0px.*0\.75</small>", shown)
    assert Reader(shown).tags.count("div") == 4

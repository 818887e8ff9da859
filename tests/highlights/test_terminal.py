"""Highlights on a terminal, with colours and without."""

from tests.highlights.making import highlight


def styles_of(text):
    return {text.plain[span.start : span.end]: str(span.style) for span in text.spans}


def test_on_a_terminal_a_stronger_word_is_brighter():
    shown = highlight("a fine film .", [0.0, 0.6, 0.3, 0.1]).terminal()
    assert shown.plain.startswith("positive 0.98\na fine film .\nShade:")
    styles = styles_of(shown)
    assert "a" not in styles
    assert styles["fine"].startswith("bold ") and "bold" not in styles["."]

    def brightness(word):
        return sum(bytes.fromhex(styles[word].split("on #")[1]))

    assert brightness("fine") > brightness("film") > brightness(".")


def test_on_a_terminal_words_that_matter_are_underlined():
    made = highlight("a fine film", [0.2, 0.5, 0.3], without=[-0.9, 0.4, 0.1])
    styles = styles_of(made.terminal())
    underlined = [word for word, style in styles.items() if "underline" in style]
    assert underlined == ["fine"]
    assert "falls by 0.2 or more" in made.terminal().plain
    never = highlight("a fine film", [0.2, 0.5, 0.3], without=[-0.9, 0, -0.1])
    assert "underline" not in str(never.terminal().spans)
    assert "the score does not fall" in never.terminal().plain


def test_on_a_terminal_sentences_begin_lines_with_their_share():
    made = highlight("So so. Good end.", sentences=[(0, 6, 0.25), (7, 16, 0.75)])
    assert "\n0.25 ▌ So so.\n0.75 ▌ Good end.\n" in made.terminal().plain


def test_plain_lists_the_strongest_words_with_bars():
    made = highlight(
        "a fine film 好", [0.0, 0.4, 0.2, 0.4], without=[0.0, 0.31, -0.02, 0.0001]
    )
    assert made.plain().split("\n") == [
        "positive 0.98",
        "a fine film 好",
        "",
        f"0.400  fine  {'█' * 20}  without it the score falls by 0.310",
        f"0.400  好    {'█' * 20}  without it the score stays",
        f"0.200  film  {'█' * 10:20}  without it the score rises by 0.020",
    ]
    assert made.plain(most=1).count("█" * 10) == 2


def test_plain_lists_sentences():
    made = highlight("So so.\nGood\nend.", sentences=[(0, 6, 0.25), (7, 16, 0.75)])
    assert made.plain().endswith("0.250  sentence: So so.\n0.750  sentence: Good end.")

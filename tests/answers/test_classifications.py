import numpy as np
import pytest

from zoo.answers import highlight_of, labels_of

PIECES = {
    "starts": [[0, 5, 8]],
    "ends": [[4, 8, 11]],
    "attention": [[0.25, 0.25, 0.5]],
}
LABELS = {"labels": [["good", "bad"]], "scores": [[0.75, 0.25]]}


@pytest.mark.parametrize("form", [list, np.array])
def test_words_have_the_weights_of_their_pieces(form):
    answer = {name: form(values) for name, values in (PIECES | LABELS).items()}
    found = highlight_of("sehr schnee", answer)
    assert found.title == "good 0.75"
    assert found.words == ["sehr", "schnee"]
    assert found.weights == pytest.approx([0.25, 0.75])
    assert found.sentences is None


def test_sentences_stand_in_characters():
    weighed = {
        "sentence_starts": [[0, 6, 0]],
        "sentence_ends": [[5, 11, 0]],
        "sentence_attention": [[0.125, 0.875, 0.0]],
    }
    # Two characters of two bytes in the first.
    found = highlight_of("äö. neues", PIECES | LABELS | weighed)
    assert found.sentences == [(0, 3, 0.125), (4, 9, 0.875)]


def test_of_a_regression_the_title_is_the_value():
    assert highlight_of("sehr schnee", PIECES | {"values": [3.14159]}).title == "3.142"


def test_labels_have_their_scores():
    assert labels_of(LABELS, 0) == [("good", 0.75), ("bad", 0.25)]

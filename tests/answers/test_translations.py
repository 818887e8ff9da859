import numpy as np
import pytest

from zoo.answers import alignment_of, translations_of

ANSWER = {
    "translations": ["a b"],
    "scores": [-0.25],
    "truncated": [True],
    "source_pieces": [["x", "y", "</s>", "", ""]],
    "target_pieces": [["a", "</s>", ""]],
    "source_lengths": [3],
    "target_lengths": [2],
    "alignment": [[[0.5, 0.25, 0.25, 0, 0], [0.125, 0.125, 0.75, 0, 0], [0.0] * 5]],
}


@pytest.mark.parametrize("form", [list, np.array])
def test_an_alignment_is_without_what_fills_it_up(form):
    found = alignment_of({name: form(values) for name, values in ANSWER.items()})
    assert (found.source_pieces, found.target_pieces) == (
        ["x", "y", "</s>"],
        ["a", "</s>"],
    )
    assert found.weights.tolist() == [[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]
    assert found.translation.text == "a b"
    assert (found.translation.score, found.translation.truncated) == (-0.25, True)


def test_hypotheses_that_fill_up_are_no_translations():
    answer = {
        "translations": [["a", "b", ""], ["", "", ""]],
        "scores": [[-1.0, -2.0, 0.0], [0.0] * 3],
        "truncated": [False, True],
        "target_lengths": [[2, 2, 0], [0, 0, 0]],
    }
    assert [one.text for one in translations_of(answer, 0)] == ["a", "b"]
    assert [one.text for one in translations_of(answer, 1)] == [""]

import math

import pytest

from zoo.decoding import DecodingOptions


@pytest.mark.parametrize(
    "options",
    [
        {"method": "bean"},
        {"length_form": "mean"},
        {"stopping": "early"},
        {"beam_size": 0},
        {"length_penalty": -0.1},
        {"length_penalty": math.nan},
        {"length_penalty": math.inf},
        {"coverage_penalty": -0.1},
        {"min_length": -1},
        {"no_repeat_ngram": -1},
        {"num_hypotheses": 5},
        {"num_hypotheses": 0, "method": "sample"},
        {"temperature": 0.0},
        {"temperature": math.nan},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"seed": 2**31},
        {"suppressed": (4, -1)},
    ],
    ids=str,
)
def test_options_out_of_range_are_refused_by_name(options):
    with pytest.raises(ValueError, match=rf"Received: .*{next(iter(options))}="):
        DecodingOptions(**options)


def test_sampling_may_draw_more_than_a_beam_holds():
    assert DecodingOptions(method="sample", num_hypotheses=5).rows == 5
    assert DecodingOptions(num_hypotheses=3).rows == 4

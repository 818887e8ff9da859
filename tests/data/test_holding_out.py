import pytest

from zoo.data.holding_out import groups_of_equals, number_to_hold_out


def test_a_share_is_held_out_at_least_one_and_at_most_so_many():
    assert number_to_hold_out(130, 0.1, 500) == 13
    assert number_to_hold_out(3, 0.1, 500) == 1
    assert number_to_hold_out(13_000, 0.1, 500) == 500


@pytest.mark.parametrize("share, most", [(0, 5), (1, 5), (-0.1, 5), (0.1, 0)])
def test_shares_that_are_none_are_refused(share, most):
    with pytest.raises(ValueError, match=f"share={share}, most={most}"):
        number_to_hold_out(130, share, most)


def test_equals_are_together_in_the_order_of_their_first():
    assert groups_of_equals("abcab") == {"a": [0, 3], "b": [1, 4], "c": [2]}

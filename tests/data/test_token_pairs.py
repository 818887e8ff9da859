import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest

from zoo.data.ragged import Ragged
from zoo.data.token_pairs import BUCKETS, TokenPairBatches, TokenPairs

END, START = 2, 1
# Fields of a batch in a fixed order.
PARTS = ("source_ids", "target_ids", "targets")


def make_pairs(random, count=211, longest=40):
    """Pairs whose first source id is their own number, so that none is like another."""

    def row(number):
        length = random.integers(2, longest + 1)
        return [number + 10, *random.integers(4, 10, length - 2), END]

    sources, targets = ([row(n) for n in range(count)] for _ in range(2))
    return TokenPairs(Ragged.from_rows(sources), Ragged.from_rows(targets))


@pytest.fixture
def pairs(random):
    return make_pairs(random)


def take(batches, count, start=0):
    return list(itertools.islice(batches.stream(start), count))


def epoch(batches, number=0):
    steps = batches.steps_per_epoch
    return take(batches, steps, number * steps)


def rows(some_batches):
    """Source and target ids of all rows that hold a pair, without padding."""
    found = []
    for inputs, targets in some_batches:
        for source, target in zip(inputs["source_ids"], targets, strict=True):
            if source.any() or target.any():
                found.append((tuple(source[source > 0]), tuple(target[target > 0])))
    return found


def all_rows(pairs):
    return [
        (tuple(pairs.sources[n]), tuple(pairs.targets[n])) for n in range(len(pairs))
    ]


def same(one, other):
    return len(one) == len(other) and all(
        np.array_equal(a[0][part], b[0][part])
        if part != "targets"
        else np.array_equal(a[1], b[1])
        for a, b in zip(one, other, strict=True)
        for part in PARTS
    )


# Rows of many lengths


def test_rows_are_found_by_their_number():
    ragged = Ragged.from_rows([[5, 2], [2], [], [7, 8, 9, 2]])
    assert len(ragged) == 4
    assert ragged.lengths.tolist() == [2, 1, 0, 4]
    expected = [[5, 2], [2], [], [7, 8, 9, 2]]
    assert [ragged[number].tolist() for number in range(4)] == expected
    with pytest.raises(IndexError):
        ragged[4]


def test_no_rows_are_rows_too():
    assert len(Ragged.from_rows([])) == 0
    assert Ragged.from_rows([]).lengths.tolist() == []


def test_pairs_are_saved_and_loaded(pairs, tmp_path):
    pairs.save(tmp_path / "pairs.npz")
    loaded = TokenPairs.load(tmp_path / "pairs.npz")
    assert len(loaded) == len(pairs)
    assert all_rows(loaded) == all_rows(pairs)
    assert loaded.sources.values.dtype == np.int32


# Batches


@pytest.mark.parametrize("seed", [None, 0, 5])
@pytest.mark.parametrize("batch_tokens", [1, 100, 1_000, 100_000])
def test_an_epoch_holds_every_pair_exactly_once(pairs, seed, batch_tokens):
    batches = TokenPairBatches(pairs, batch_tokens, seed)
    expected = Counter(all_rows(pairs))
    assert Counter(rows(batches.once())) == expected
    for number in (0, 1, 3):
        assert Counter(rows(epoch(batches, number))) == expected


def test_all_batches_of_a_bucket_have_one_shape(pairs):
    shapes = defaultdict(set)
    for inputs, targets in TokenPairBatches(pairs, 300).once():
        assert inputs["source_ids"].shape == inputs["target_ids"].shape == targets.shape
        shapes[targets.shape[1]].add(targets.shape)
    assert set(shapes) <= set(BUCKETS)
    assert len(shapes) >= 5
    assert all(len(found) == 1 for found in shapes.values())


def test_a_pair_is_in_the_first_bucket_that_holds_its_longer_side(pairs):
    for inputs, targets in TokenPairBatches(pairs, 300).once():
        width = targets.shape[1]
        shorter = max((bucket for bucket in BUCKETS if bucket < width), default=0)
        longest = np.maximum((inputs["source_ids"] > 0).sum(1), (targets > 0).sum(1))
        real = longest[longest > 0]
        assert (real <= width).all()
        assert (real > shorter).all()


@pytest.mark.parametrize("batch_tokens", [128, 307, 4_096])
def test_no_batch_has_more_tokens_than_allowed(pairs, batch_tokens):
    for _, targets in TokenPairBatches(pairs, batch_tokens).once():
        assert targets.size <= batch_tokens


def test_a_pair_longer_than_the_budget_gets_a_batch_of_its_own():
    pairs = TokenPairs(Ragged.from_rows([[5] * 30]), Ragged.from_rows([[6] * 31]))
    ((inputs, targets),) = TokenPairBatches(pairs, 10).once()
    assert targets.shape == inputs["source_ids"].shape == (1, 32)


def test_the_decoder_reads_the_target_shifted_right_behind_the_start_token():
    pairs = TokenPairs(
        Ragged.from_rows([[5, 6, END]]), Ragged.from_rows([[7, 8, 9, END]])
    )
    ((inputs, targets),) = TokenPairBatches(pairs, 100).once()
    assert inputs["source_ids"].tolist() == [[5, 6, END, 0, 0, 0, 0, 0]]
    assert inputs["target_ids"].tolist() == [[START, 7, 8, 9, 0, 0, 0, 0]]
    assert targets.tolist() == [[7, 8, 9, END, 0, 0, 0, 0]]


def test_a_short_last_batch_is_filled_with_empty_rows():
    row = Ragged.from_rows([[5, END]] * 7)
    found = list(TokenPairBatches(TokenPairs(row, row), 3 * 8).once())
    assert [batch[1].shape for batch in found] == [(3, 8)] * 3
    empty = [
        sum(
            not (inputs["source_ids"][n].any() or inputs["target_ids"][n].any())
            for n in range(3)
        )
        for inputs, _ in found
    ]
    assert sorted(empty) == [0, 0, 2]
    assert sum((targets > 0).any(1).sum() for _, targets in found) == 7


# Order


def test_a_stream_begun_later_is_the_tail_of_the_whole_stream(pairs):
    batches = TokenPairBatches(pairs, 500, seed=3)
    steps = batches.steps_per_epoch
    assert steps > 5
    whole = take(batches, 2 * steps + 5)
    for start in (1, 2, steps - 1, steps, steps + 1, 2 * steps - 1, 2 * steps):
        rest = take(batches, len(whole) - start, start)
        assert same(rest, whole[start:]), f"from step {start}"


def test_the_same_seed_gives_the_same_order_and_another_seed_another(pairs):
    one, again, other = (
        take(TokenPairBatches(pairs, 500, seed), 20) for seed in (3, 3, 4)
    )
    assert same(one, again)
    assert not same(one, other)


def test_every_epoch_is_shuffled_anew(pairs):
    batches = TokenPairBatches(pairs, 500, seed=3)
    first, second = epoch(batches, 0), epoch(batches, 1)
    assert not same(first, second)
    # Other pairs come together, too: not the same batches in another order.
    together = {frozenset(rows([batch])) for batch in first}
    assert not any(frozenset(rows([batch])) in together for batch in second[:1])


def test_without_a_seed_each_bucket_keeps_the_order_of_the_file(pairs):
    batches = TokenPairBatches(pairs, 500, seed=None)
    numbers = defaultdict(list)
    for inputs, targets in batches.once():
        real = inputs["source_ids"][:, 0]
        numbers[targets.shape[1]] += real[real > 0].tolist()
    assert all(found == sorted(found) for found in numbers.values())
    assert same(epoch(batches, 0), epoch(batches, 1))


# Pairs that do not fit


def test_pairs_with_a_side_that_is_too_long_are_left_out_and_counted():
    rows_ = [[5, END], [6] * 129, [7] * 128, [8, END]]
    other = [[5, END], [6, END], [7, END], [8] * 200]
    batches = TokenPairBatches(
        TokenPairs(Ragged.from_rows(rows_), Ragged.from_rows(other)), 1_000
    )
    assert batches.left_out == 2
    assert sorted(source[0] for source, _ in rows(batches.once())) == [5, 7]


def test_pairs_that_are_all_too_long_are_refused():
    row = Ragged.from_rows([[5] * 129] * 3)
    with pytest.raises(ValueError, match="None of 3 examples is at most 128"):
        TokenPairBatches(TokenPairs(row, row), 1_000)


def test_no_pairs_are_refused():
    with pytest.raises(ValueError, match="None of 0 examples"):
        TokenPairBatches(TokenPairs(Ragged.from_rows([]), Ragged.from_rows([])), 100)

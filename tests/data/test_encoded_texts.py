"""Batches of texts and of documents, and their files."""

import itertools

import numpy as np
import pytest

from zoo.data.encoded_texts import (
    BUCKETS,
    SENTENCE_BUCKETS,
    DocumentBatches,
    EncodedTexts,
    TextBatches,
)
from zoo.data.ragged import Ragged


@pytest.fixture
def texts(random):
    """Texts of up to 60 ids, of which the first is the text's own number."""
    rows = [
        [number + 10, *random.integers(2, 9, random.integers(0, 60))]
        for number in range(97)
    ]
    weights = random.random(97).astype("float32") + 0.5
    return EncodedTexts(Ragged.from_rows(rows), np.arange(97) % 5, weights)


@pytest.fixture
def documents(random):
    """Documents of up to 9 sentences; the first id of all is their number."""
    rows, counts = [], []
    for number in range(31):
        count = random.integers(0, 10)
        rows += [[number + 10, *[7] * random.integers(0, 4)] for _ in range(count)]
        counts.append(count)
    targets = random.random((31, 3)).astype("float32")
    ends = np.cumsum(counts, dtype=np.int64)
    weights = np.ones(31, "float32")
    return EncodedTexts(Ragged.from_rows(rows), targets, weights, ends), counts


def test_every_text_is_in_one_batch_with_its_target_and_weight(texts):
    found = []
    for inputs, targets, weights in texts.batches(256, seed=3).once():
        ids = inputs["token_ids"]
        assert ids.shape[1] in BUCKETS
        assert ids.size <= 256 or len(ids) == 1
        for row, target, weight in zip(ids, targets, weights, strict=True):
            if not row.any():
                assert (target, weight) == (0, 0)
                continue
            number = row[0] - 10
            np.testing.assert_array_equal(row[row > 0], texts.ids[number])
            assert target == texts.targets[number]
            assert weight == texts.weights[number]
            found.append(number)
    assert sorted(found) == list(range(97))


def test_rows_that_fill_up_a_batch_weigh_nothing(texts):
    rows = 0
    for inputs, _, weights in TextBatches(texts, 256, None).once():
        empty = ~inputs["token_ids"].any(axis=1)
        assert (weights[empty] == 0).all()
        assert (weights[~empty] > 0).all()
        rows += empty.sum()
    assert rows > 0


def test_the_order_goes_on_from_any_step_and_differs_between_epochs(texts):
    batches = texts.batches(256, seed=3)
    steps = batches.steps_per_epoch

    def firsts(start, count):
        some = itertools.islice(batches.stream(start), count)
        return [inputs["token_ids"][:, 0].tolist() for inputs, *_ in some]

    whole = firsts(0, 2 * steps)
    assert firsts(steps + 2, steps - 2) == whole[steps + 2 :]
    assert sorted(map(sorted, whole[:steps])) != sorted(map(sorted, whole[steps:]))


def test_a_document_is_whole_in_one_batch_and_sentences_have_rows(documents):
    encoded, counts = documents
    found = set()
    for inputs, targets, weights in encoded.batches(128, seed=0).once():
        ids = inputs["token_ids"]
        assert ids.shape[1] in SENTENCE_BUCKETS
        assert ids.shape[2] == encoded.ids.lengths.max()
        for document, target, weight in zip(ids, targets, weights, strict=True):
            if not document.any():
                assert weight == 0 or target.tolist() in [
                    encoded.targets[n].tolist() for n, c in enumerate(counts) if not c
                ]
                continue
            number = document[0, 0] - 10
            first = sum(counts[:number])
            for place in range(counts[number]):
                row = document[place]
                expected = encoded.ids[first + place]
                np.testing.assert_array_equal(row[row > 0], expected)
            assert not document[counts[number] :].any()
            np.testing.assert_array_equal(target, encoded.targets[number])
            found.add(int(number))
    assert found == {number for number, count in enumerate(counts) if count}


def test_empty_documents_are_batched_too(documents):
    encoded, _ = documents
    total = sum(weights.sum() for *_, weights in DocumentBatches(encoded, 128).once())
    assert total == len(encoded)


def test_a_file_gives_everything_back(texts, documents, tmp_path):
    for encoded in (texts, documents[0]):
        encoded.save(tmp_path / "data.npz")
        again = EncodedTexts.load(tmp_path / "data.npz")
        for name in ("targets", "weights", "sentence_ends"):
            one, other = getattr(again, name), getattr(encoded, name)
            assert (one is None) == (other is None)
            if one is not None:
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(again.ids.values, encoded.ids.values)
        np.testing.assert_array_equal(again.ids.ends, encoded.ids.ends)


@pytest.mark.parametrize("kept", [0, 10, 500])
def test_a_damaged_file_is_refused(texts, tmp_path, kept):
    path = tmp_path / "data.npz"
    texts.save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"data\.npz is damaged"):
        EncodedTexts.load(path)

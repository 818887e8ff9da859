import json
from types import SimpleNamespace

import numpy as np
import pytest

from zoo.data.parallel_text import DataWarning, ParallelText
from zoo.data.vocabulary import END_ID
from zoo.tasks.translation import TranslationTask

TEXT = ParallelText(
    ["Where is the cat?", "The cat sat there.", "Is the cat here, or there?"] * 20,
    [["Wo ist die Katze?"], ["Die Katze saß dort."], ["Ist sie hier?"]] * 20,
)
COUNT, SAMPLES = len(TEXT), 3


@pytest.fixture(scope="module", params=[False, True], ids=["separate", "shared"])
def task(request):
    return TranslationTask.learn(TEXT, 60, request.param, subword_samples=SAMPLES)


def rows(ragged):
    return [ragged[number].tolist() for number in range(len(ragged))]


def sides(task, pairs):
    return (
        (task.source_vocabulary, rows(pairs.sources), TEXT.sources),
        (task.target_vocabulary, rows(pairs.targets), TEXT.targets),
    )


def test_the_first_sample_is_what_the_graph_reads(task):
    encoded = task.encode(TEXT, training=True)
    assert len(encoded) == SAMPLES * COUNT
    for (_, sampled, _), (_, plain, _) in zip(
        sides(task, encoded), sides(task, task.encode(TEXT)), strict=True
    ):
        assert len(plain) == COUNT
        assert sampled[:COUNT] == plain


def test_every_sample_spells_the_same_text(task):
    for vocabulary, found, texts in sides(task, task.encode(TEXT, training=True)):
        assert all(row[-1] == END_ID and END_ID not in row[:-1] for row in found)
        decoded = [vocabulary.processor.decode(row[:-1]) for row in found]
        assert decoded == texts * SAMPLES


def test_samples_differ_from_the_best_from_each_other_and_between_sides(task):
    for _, found, _ in sides(task, task.encode(TEXT, training=True)):
        best, one, other = (found[n * COUNT :][:COUNT] for n in range(SAMPLES))
        for a, b in ((best, one), (best, other), (one, other)):
            assert np.mean([x != y for x, y in zip(a, b, strict=True)]) > 0.3
    if task.source_vocabulary is task.target_vocabulary:
        same = ParallelText(TEXT.sources, [[text] for text in TEXT.sources])
        drawn = task.sample(1, task.encode(same), same.sources, same.targets, 128)
        assert rows(drawn.sources) != rows(drawn.targets)


def test_sampling_again_gives_the_same(task):
    one, other = (task.encode(TEXT, training=True) for _ in range(2))
    assert rows(one.sources) == rows(other.sources)
    assert rows(one.targets) == rows(other.targets)


def test_a_sample_that_is_too_long_gives_way_to_the_best(task):
    best = task.encode(TEXT)
    longest = int(best.sources.lengths.max())
    drawn = task.sample(1, best, TEXT.sources, TEXT.targets, longest)
    assert drawn.sources.lengths.max() <= longest
    free = task.sample(1, best, TEXT.sources, TEXT.targets, 128)
    replaced = free.sources.lengths > longest
    assert replaced.any()
    for number in range(COUNT):
        expected = best if replaced[number] else free
        assert drawn.sources[number].tolist() == expected.sources[number].tolist()


def test_a_pair_that_is_too_long_has_no_sample_either(task):
    long = "the cat " * 100
    text = ParallelText([long, *TEXT.sources[:2]], [["so"], ["die"], ["da"]])
    with pytest.warns(DataWarning, match="1 of 3 pairs are longer than 127"):
        encoded = task.encode(text, training=True)
    decode = task.source_vocabulary.processor.decode
    found = [decode(row[:-1]) for row in rows(encoded.sources)]
    assert found == TEXT.sources[:2] * SAMPLES


def test_by_default_there_is_one_segmentation():
    task = TranslationTask.learn(TEXT, 60)
    assert len(task.encode(TEXT, training=True)) == COUNT


def test_no_segmentation_is_refused(task):
    with pytest.raises(ValueError, match=r"subword_samples must be at least 1.*: 0"):
        TranslationTask.learn(TEXT, 60, subword_samples=0)


def test_a_shared_vocabulary_is_one_file_and_stays_one(task, tmp_path):
    task.save(tmp_path)
    again = TranslationTask.load(tmp_path)
    shared = task.source_vocabulary is task.target_vocabulary
    files = ["shared.model"] if shared else ["source.model", "target.model"]
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert (again.source_vocabulary is again.target_vocabulary) == shared
    assert again.source_vocabulary.proto == task.source_vocabulary.proto
    assert again.target_vocabulary.proto == task.target_vocabulary.proto


def test_how_to_decode_is_kept_with_the_vocabularies(task, tmp_path):
    decoding = {"beam_size": 3, "length_form": "plain", "suppress": ["."]}
    vocabularies = task.source_vocabulary, task.target_vocabulary
    told = TranslationTask(*vocabularies, max_pieces=51, decoding=decoding)
    told.save(tmp_path)
    again = TranslationTask.load(tmp_path)
    assert (again.max_pieces, again.decoding) == (51, decoding)
    assert [codec.max_pieces for codec in again.codecs] == [51, 51]
    path = tmp_path / "task.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ValueError, match=r"task\.json has another format than 1"):
        TranslationTask.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_pieces": None}, r"max_pieces in .*task\.json must be .* from 1 on"),
        ({"max_pieces": 0}, r"max_pieces in .*Received: 0"),
        ({"decoding": [3]}, r"decoding in .*task\.json must be options by name"),
        (
            {"decoding": {"length_penalty": None}},
            r"task\.json .*length_penalty must be",
        ),
        ({"decoding": {"length_penalty": -1}}, "length_penalty must be at least 0"),
        ({"decoding": {"beams": 3}}, "No option 'beams'"),
    ],
)
def test_what_cannot_be_decoded_by_is_refused_by_name(task, tmp_path, changes, message):
    task.save(tmp_path)
    path = tmp_path / "task.json"
    usual = {"format": 1, "max_pieces": 51, "decoding": {}}
    path.write_text(json.dumps(usual | changes))
    with pytest.raises(ValueError, match=message):
        TranslationTask.load(tmp_path)
    (missing,) = changes
    path.write_text(json.dumps({n: v for n, v in usual.items() if n != missing}))
    with pytest.raises(ValueError, match=rf"task\.json .*Missing: {missing}"):
        TranslationTask.load(tmp_path)


def test_a_task_is_not_made_of_what_cannot_be_decoded_by(task):
    vocabularies = task.source_vocabulary, task.target_vocabulary
    with pytest.raises(ValueError, match="length_penalty must be at least 0"):
        TranslationTask(*vocabularies, decoding={"length_penalty": -1.0})


def test_what_a_user_asks_for_comes_before_what_a_preset_says(task):
    decoding = {"beam_size": 3, "length_penalty": 0.6, "suppress": ["."]}
    vocabularies = task.source_vocabulary, task.target_vocabulary
    told = TranslationTask(*vocabularies, decoding=decoding)
    model = SimpleNamespace(attention="general")
    chosen, _ = told.runner(model)._options({"beam_size": 5})
    stop = task.target_vocabulary.processor.piece_to_id(".")
    assert (chosen.beam_size, chosen.length_penalty) == (5, 0.6)
    assert chosen.suppressed == (stop,)

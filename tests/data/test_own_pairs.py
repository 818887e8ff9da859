import random as standard_random
import warnings

import pytest

from zoo.data import own_pairs
from zoo.data.own_pairs import check_direction, hold_out, warn_of_unknown
from zoo.data.parallel_text import DataWarning, ParallelText
from zoo.data.vocabulary import Vocabulary
from zoo.presets import SHIPPED

ENGLISH = ["the cat sat on the mat", "a dog ran home", "we like the small house"]
GERMAN = ["die katze sass dort", "ein hund lief nach hause", "wir wollen das haus"]


@pytest.fixture(scope="module")
def shipped():
    folder = SHIPPED / "translation_rnn" / "en-zh" / "preset" / "vocabulary"
    return [Vocabulary.load(folder / f"{s}.model") for s in ("source", "target")]


@pytest.fixture(scope="module")
def same_script():
    return [Vocabulary.learn(texts * 9, 100) for texts in (ENGLISH, GERMAN)]


def pairs(sources, targets):
    return ParallelText(list(sources), [[target] for target in targets])


# Holding out


def numbered(count):
    return pairs([f"s{n}" for n in range(count)], [f"t{n}" for n in range(count)])


@pytest.mark.parametrize("count, held", [(1, 1), (4, 1), (107, 11), (20_000, 1_000)])
def test_a_tenth_is_held_out(count, held):
    rest, out = hold_out(numbered(count))
    assert (len(rest), len(out)) == (count - held, held)
    assert sorted(rest.sources + out.sources) == sorted(numbered(count).sources)
    assert all(s[1:] == t[1:] for s, t in zip(out.sources, out.targets, strict=True))


def test_what_is_held_out_depends_on_the_source_alone():
    data, changed = numbered(50), numbered(50)
    order = list(range(50))
    standard_random.Random(3).shuffle(order)
    changed = pairs([f"s{n}" for n in order], ["other"] * 50)
    assert set(hold_out(data)[1].sources) == set(hold_out(changed)[1].sources)
    assert hold_out(data)[1].sources != data.sources[:5]


def test_pairs_of_one_source_stay_together():
    data = pairs([f"s{n % 17}" + " " * (n // 51) for n in range(102)], ["t"] * 102)
    rest, out = hold_out(data)
    strip = lambda part: {source.strip() for source in part.sources}  # noqa: E731
    assert not strip(rest) & strip(out)
    assert 1 <= len(out) <= 10


# Which side is which


@pytest.mark.filterwarnings("error")
def test_sides_that_fit_pass(shipped, same_script):
    check_direction(pairs(["Hello there."], ["你好。"]), *shipped, "data")
    check_direction(pairs(ENGLISH, GERMAN), *same_script, "data")
    check_direction(pairs(["1 2 3"], ["1 2 3"]), *shipped, "data")


def test_swapped_scripts_are_refused_with_the_remedy(shipped):
    message = (
        r"sides of the data are swapped: the source is mainly Han and the target "
        r"mainly Latin, but the preset reads Latin and writes Han\. .*--columns 2,1"
    )
    with pytest.raises(ValueError, match=message):
        check_direction(pairs(["你好。"], ["Hello there."]), *shipped, "data")


def test_another_script_is_a_warning(shipped):
    with pytest.warns(DataWarning, match=r"the source is mainly Cyrillic, where .*Lat"):
        check_direction(pairs(["Привет."], ["你好。"]), *shipped, "data")


def test_sides_of_one_script_that_look_swapped_are_a_warning(same_script):
    with pytest.warns(DataWarning, match="look swapped: .* 3 pairs as they stand"):
        check_direction(pairs(GERMAN, ENGLISH), *same_script, "data")


# What the vocabulary knows


def test_unknown_characters_are_named_by_their_frequency(shipped):
    message = r"does not know \d\d% of the pieces of the source side, most often: ж "
    with pytest.warns(DataWarning, match=message):
        warn_of_unknown(["a cat", "жук лежит", "ж"], shipped[0], "source")


def test_a_few_unknown_characters_are_no_matter(shipped):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_unknown(["The cat is on the table." * 5, "ж"], shipped[0], "source")


def test_common_pairs_are_counted():
    train = ParallelText(["a", "b", "c"], [["1"], ["2", "3"], ["4"]])
    valid = ParallelText(["a", "b", "b", "c"], [["9"], ["3"], ["8", "2"], ["1"]])
    with pytest.warns(DataWarning, match="2 of 4 validation pairs also stand"):
        own_pairs.warn_of_overlap(train, valid)

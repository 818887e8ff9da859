import subprocess
import sys

import numpy as np
import pytest

from zoo.metrics.tfidf_baseline import is_unspaced, tfidf_baseline

ENGLISH = ["a fine film", "a dull film", "fine acting", "dull acting"] * 3
CHINESE = ["这部电影真好看", "这部电影太差了", "演员真好看", "演员太差了"] * 3
SIDES = np.array([1, 0, 1, 0] * 3)


@pytest.mark.parametrize(
    ("texts", "unspaced"),
    [
        (["The harvest was good."], False),
        (["올해 수확은 좋았습니다."], False),
        (["Урожай был хорошим."], False),
        (["今年农业丰收了。"], True),
        (["他在 IBM 工作了十年。"], True),
        (["He read 红楼梦 twice."], False),
        (["コンピュータ"], True),
        (["ภาพยนตร์เรื่องนี้ดีมาก"], True),
        ([""], False),
        (["1 2 3 !"], False),
    ],
)
def test_scripts_without_spaces_are_known(texts, unspaced):
    assert is_unspaced(texts) == unspaced


def test_the_majority_of_letters_decides():
    assert is_unspaced([*CHINESE, "one English text"])
    assert not is_unspaced(["one English text, quite long as it is", "好看"])


@pytest.mark.parametrize(
    ("train", "test", "kind", "message"),
    [
        ((ENGLISH, SIDES), (ENGLISH, SIDES), "classes", "kind is 'classes'"),
        ((ENGLISH, SIDES[:4]), (ENGLISH, SIDES), "single", r"train_targets.*\(4,\)"),
        ((ENGLISH, SIDES), ([], []), "single", "test_targets.*for 0 texts"),
        ((ENGLISH, SIDES), (ENGLISH, SIDES), "multi", r"\(texts, labels\)"),
        (
            (["a"], [[0, 1]]),
            (["a"], [[0]]),
            "multi",
            "train_targets has 2 labels and test_targets 1",
        ),
    ],
)
def test_targets_that_do_not_fit_are_refused(train, test, kind, message):
    with pytest.raises(ValueError, match=message):
        tfidf_baseline(*train, *test, kind)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    for name in [name for name in sys.modules if name.startswith("sklearn.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'attention-zoo\[baseline\]'"):
        tfidf_baseline(ENGLISH, SIDES, ENGLISH, SIDES, "single")


def test_scikit_learn_is_imported_only_when_it_is_used():
    program = (
        "import sys, zoo.metrics.tfidf_baseline;"
        "print({'sklearn', 'tensorflow', 'keras'} & set(sys.modules))"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_word_that_decides_is_found():
    pytest.importorskip("sklearn")
    scores = tfidf_baseline(
        ENGLISH, SIDES, ["fine plot", "dull plot", "dull music"], [1, 0, 1], "single"
    )
    assert list(scores) == ["accuracy", "macro_f1", "micro_f1", "examples", "what"]
    assert scores["accuracy"] == scores["micro_f1"] == pytest.approx(2 / 3)
    # Each label: one hit, and one error that the two share.
    assert scores["macro_f1"] == pytest.approx(2 / 3)
    assert scores["examples"] == 3
    assert scores["what"] == (
        "A linear SVM over TF-IDF of words and pairs of words, trained on 12 texts."
    )


@pytest.mark.parametrize(
    ("first", "second"), [("not bad but good", "not good but bad"), ("i go", "u go")]
)
def test_pairs_of_words_and_words_of_one_letter_count(first, second):
    pytest.importorskip("sklearn")
    texts, sides = [first, second] * 5, [0, 1] * 5
    scores = tfidf_baseline(texts, sides, [first, second], [0, 1], "single")
    assert scores["accuracy"] == 1.0


def test_chinese_is_read_by_characters():
    pytest.importorskip("sklearn")
    tests = ["手机真好看！", "手机太差了！"]
    scores = tfidf_baseline(CHINESE, SIDES, tests, [1, 0], "single")
    assert scores["accuracy"] == 1.0
    assert "one to three characters" in scores["what"]


def test_every_label_of_many_is_learnt_even_one_that_never_changes():
    pytest.importorskip("sklearn")
    always, never = np.ones(12, int), np.zeros(12, int)
    targets = np.stack([SIDES, always, never, 1 - SIDES], axis=1)
    scores = tfidf_baseline(
        ENGLISH,
        targets,
        ["fine plot", "dull plot"],
        [[1, 1, 0, 0], [0, 1, 0, 0]],
        "multi",
    )
    assert list(scores)[:3] == ["micro_f1", "macro_f1", "exact_match"]
    # Three hits, and the last label is predicted once too often.
    assert scores["micro_f1"] == pytest.approx(6 / 7)
    assert scores["macro_f1"] == pytest.approx((1 + 1 + 0) / 3)
    assert scores["exact_match"] == 0.5


def test_one_label_alone_needs_no_model():
    pytest.importorskip("sklearn")
    scores = tfidf_baseline(ENGLISH, SIDES * 0, ENGLISH[:2], [0, 1], "single")
    assert scores["accuracy"] == 0.5


def test_numbers_are_learnt_too():
    pytest.importorskip("sklearn")
    texts = ["awful film", "poor film", "fine film", "great film"] * 20
    numbers = np.array([-3.0, -1.0, 1.0, 3.0] * 20)
    scores = tfidf_baseline(texts, numbers, texts[:4], numbers[:4], "regression")
    assert list(scores)[:4] == ["r2", "rmse", "mae", "spearman"]
    assert scores["r2"] > 0.95 and scores["spearman"] == pytest.approx(1.0)


def test_the_same_texts_give_the_same_scores_and_draw_no_random_numbers():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(8)
    words = np.array(list("abcdefghijklm"))
    texts = [" ".join(rng.choice(words, 5)) for _ in range(97)]
    targets = rng.integers(0, 3, 97)
    before = np.random.get_state()[1:3]
    once, again = (
        tfidf_baseline(texts, targets, texts, targets, "single") for _ in range(2)
    )
    assert once == again
    np.testing.assert_equal(np.random.get_state()[1:3], before)

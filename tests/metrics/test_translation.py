import pytest

from zoo.metrics.translation import (
    bleu_tokenizer,
    score_by_length,
    score_translations,
)

ENGLISH = [
    "The harvest was good this year.",
    "There is an old photograph under the box.",
    "Knowledge is power, he said.",
]
CHINESE = ["今年农业丰收了。", "箱子底下有一张旧相片。", "他说知识就是力量。"]


@pytest.mark.parametrize(
    ("text", "tokenizer"),
    [
        ("The harvest was good.", "13a"),
        ("Der Löwe schläft früh.", "13a"),
        ("Урожай был хорошим.", "13a"),
        ("今年农业丰收了。", "zh"),
        ("他在 IBM 工作了十年。", "zh"),
        ("今年の収穫は良かったです。", "char"),
        ("コンピュータ", "char"),
        ("올해 수확은 좋았습니다.", "char"),
        ("", "13a"),
        ("1 2 3 !", "13a"),
    ],
)
def test_the_tokenizer_fits_the_script(text, tokenizer):
    assert bleu_tokenizer([text]) == tokenizer


def test_a_chinese_name_in_english_text_stays_english():
    assert bleu_tokenizer([*ENGLISH, "He read 红楼梦."]) == "13a"


@pytest.mark.parametrize(
    ("sentences", "tokenizer"), [(ENGLISH, "13a"), (CHINESE, "zh")]
)
def test_identical_sentences_score_a_hundred(sentences, tokenizer):
    scores = score_translations(sentences, [[text] for text in sentences])
    assert scores["bleu"] == 100.0
    assert scores["chrf"] == 100.0
    assert scores["sentences"] == 3
    assert f"tok:{tokenizer}|" in scores["signatures"]["bleu"]
    assert "version:" in scores["signatures"]["chrf"]


def test_a_named_tokenizer_is_used():
    scores = score_translations(CHINESE, [[text] for text in CHINESE], "char")
    assert "tok:char|" in scores["signatures"]["bleu"]


def test_sentences_without_a_common_word_score_near_zero():
    scores = score_translations(["a b c d e"] * 3, [["v w x y z"]] * 3)
    assert scores["bleu"] < 5.0


def test_bleu_of_a_short_example_is_the_one_computed_by_hand():
    # Of 6 words 5 match, of the 2-, 3- and 4-grams 3 of 5, 2 of 4 and 1 of 3. Both
    # are of one length: BLEU = (5/6 * 3/5 * 2/4 * 1/3) ** (1/4).
    scores = score_translations(["a b c d x f"], [["a b c d e f"]], "none")
    assert scores["bleu"] == pytest.approx(100 * (1 / 12) ** 0.25, abs=0.01)


def test_any_of_several_references_may_be_matched():
    others = ["Something else was written here instead."] * 3
    only = score_translations(ENGLISH, [[other] for other in others])
    first = score_translations(
        ENGLISH, [[text, other] for text, other in zip(ENGLISH, others, strict=True)]
    )
    second = score_translations(
        ENGLISH, [[other, text] for text, other in zip(ENGLISH, others, strict=True)]
    )
    assert only["bleu"] < 50.0
    assert first["bleu"] == second["bleu"] == 100.0
    assert "nrefs:2|" in first["signatures"]["bleu"]


def test_sentences_may_have_different_numbers_of_references():
    references = [[ENGLISH[0]], ["Wrong words stand here.", ENGLISH[1]], [ENGLISH[2]]]
    scores = score_translations(ENGLISH, references)
    assert scores["bleu"] == 100.0
    assert scores["chrf"] == 100.0


@pytest.mark.parametrize(
    ("translations", "references", "counts"),
    [
        ([], [], "0 translations, 0 lists"),
        (["a"], [], "1 translations, 0 lists"),
        (["a"], [["a"], ["b"]], "1 translations, 2 lists"),
    ],
)
def test_scores_of_nothing_and_counts_that_differ_are_errors(
    translations, references, counts
):
    with pytest.raises(ValueError, match=counts):
        score_translations(translations, references)


def rows_of(lengths, **options):
    """Scores of made-up sentences that are all translated rightly."""
    texts = [f"This is the sentence number {n}" for n in range(len(lengths))]
    return score_by_length(texts, [[text] for text in texts], lengths, **options)


def test_lengths_at_an_edge_belong_to_the_bucket_below_it():
    lengths = [1, 5, 6, 10, 11, 15, 16, 20, 21, 30, 31, 97] * 25
    assert [(row["length"], row["sentences"]) for row in rows_of(lengths)] == [
        ("1-5", 50),
        ("6-10", 50),
        ("11-15", 50),
        ("16-20", 50),
        ("21-30", 50),
        ("31+", 50),
    ]


def test_a_bucket_of_too_few_sentences_is_joined_to_the_shorter_one():
    lengths = [3] * 53 + [7] * 49 + [13] * 59 + [41] * 2
    assert [
        (row["length"], row["sentences"]) for row in rows_of(lengths, edges=[5, 10, 15])
    ] == [("1-10", 102), ("11+", 61)]


def test_every_bucket_is_scored_by_its_own_sentences():
    right = [f"The harvest of the year {n} was good." for n in range(53)]
    wrong = ["x y z"] * 59
    references = [[text] for text in right] + [["Knowledge is power, he said."]] * 59
    # Shuffled by a stride, so that a bucket is not a stretch of the list.
    order = [5 * n % 112 for n in range(112)]
    translations = [(right + wrong)[n] for n in order]
    lengths = [3, 4] * 26 + [4] + [5] * 59
    rows = score_by_length(
        translations,
        [references[n] for n in order],
        [lengths[n] for n in order],
        edges=[4],
    )
    assert [(row["length"], row["sentences"]) for row in rows] == [
        ("1-4", 53),
        ("5+", 59),
    ]
    assert rows[0]["bleu"] == rows[0]["chrf"] == 100.0
    alone = score_translations(wrong, references[53:])
    assert (rows[1]["bleu"], rows[1]["chrf"]) == (alone["bleu"], alone["chrf"])
    assert alone["bleu"] < 5.0


def test_the_tokenizer_of_all_sentences_is_used_in_every_bucket():
    references = CHINESE * 20 + ["He said that he had read 红楼梦 twice."] * 53
    translations = [text.replace("红楼梦", "红楼") for text in references]
    rows = score_by_length(
        translations,
        [[text] for text in references],
        [2] * 60 + [7] * 53,
        edges=[5],
    )
    as_chinese, as_english = (
        score_translations(
            translations[60:], [[text] for text in references[60:]], tokenizer
        )
        for tokenizer in ("zh", "13a")
    )
    assert bleu_tokenizer(references) == "zh"
    assert bleu_tokenizer(references[60:]) == "13a"
    assert as_chinese["bleu"] != as_english["bleu"]
    assert rows[1]["bleu"] == as_chinese["bleu"]

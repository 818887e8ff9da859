"""What TF-IDF and a linear model reach: the figure a neural model has to beat."""
# Shape letters: N examples, K labels.

import importlib
import re
from collections.abc import Sequence

import numpy as np

from zoo.metrics.classification import score_decisions, score_regression

# A text in a script without spaces between words has no words to find: Thai, Lao,
# Myanmar, Khmer, kana and Chinese characters.
_UNSPACED = re.compile(
    "[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)
SAMPLE = 1000  # texts
# From so many training texts on, n-grams seen in one of them are left out: below it
# they help a little, above it they would fill the memory.
MANY_TEXTS = 100_000


def tfidf_baseline(
    train_texts: Sequence[str],
    train_targets,
    test_texts: Sequence[str],
    test_targets,
    kind: str,
) -> dict:
    """Trains a linear model over TF-IDF n-grams and scores it.

    Words and pairs of words; for text that is mainly in a script without spaces,
    one to three characters. The settings are the same whatever the data.

    Args:
        train_texts: what to learn from.
        train_targets: for "single" shape (N,), integers; for "multi" shape (N, K), of 0
            and 1; for "regression" shape (N,), numbers.
        test_texts: what to score on.
        test_targets: as `train_targets`.
        kind: "single", "multi" or "regression".

    Returns:
        For "single" `accuracy`, `macro_f1`, `micro_f1`; for "multi" `micro_f1`,
        `macro_f1`, `exact_match`; for "regression" `r2`, `rmse`, `mae`, `spearman`;
        then `examples` (test texts) and `what`, a sentence on how it was made. The
        scores are those of `zoo.metrics.classification`.

    Raises:
        ValueError: another kind, texts and targets of different numbers, or training
            texts without a word.
        ImportError: scikit-learn is not installed.
    """
    train_targets, test_targets = np.asarray(train_targets), np.asarray(test_targets)
    _check(train_texts, train_targets, test_texts, test_targets, kind)
    vectorizer, what = _vectorizer(train_texts)
    features = vectorizer.fit_transform(train_texts)
    test_features = vectorizer.transform(test_texts)
    if kind == "regression":
        predictions = _ridge(features, train_targets, test_features)
        scores, model = score_regression(predictions, test_targets), "Ridge regression"
    elif kind == "multi":
        columns = [_svc(features, each, test_features) for each in train_targets.T]
        scores = _multi_scores(np.stack(columns, axis=1), test_targets)
        model = "A linear SVM for each label"
    else:
        predicted = _svc(features, train_targets, test_features)
        scores = _single_scores(predicted, test_targets)
        model = "A linear SVM"
    learnt = f"trained on {len(train_texts):,} texts"
    return scores | {
        "examples": len(test_texts),
        "what": f"{model} over TF-IDF of {what}, {learnt}.",
    }


def is_unspaced(texts: Sequence[str]) -> bool:
    """Whether most letters of texts are of a script without spaces between words."""
    sample = "".join(texts[:SAMPLE])
    letters = sum(map(str.isalpha, sample))
    # Thai and Khmer vowel signs are no letters, yet stand for as much as letters.
    return len(_UNSPACED.findall(sample)) > 0.5 * letters


def _vectorizer(texts):
    TfidfVectorizer = _sklearn("feature_extraction.text").TfidfVectorizer
    # Words of one character ("I", "a", "5") tell intents apart, so they stay.
    fewest = 2 if len(texts) >= MANY_TEXTS else 1
    shared = {"sublinear_tf": True, "min_df": fewest}
    if is_unspaced(texts):
        what = "one to three characters"
        vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), **shared)
    else:
        what = "words and pairs of words"
        pattern = r"(?u)\b\w+\b"
        vectorizer = TfidfVectorizer(
            ngram_range=(1, 2), token_pattern=pattern, **shared
        )
    return vectorizer, what


def _svc(features, targets, test_features):
    """Predicted labels, shape (test texts,)."""
    values = np.unique(targets)
    if len(values) == 1:  # nothing to separate, which scikit-learn refuses
        return np.full(test_features.shape[0], values[0])
    model = _sklearn("svm").LinearSVC(random_state=0, max_iter=10_000)
    return model.fit(features, targets).predict(test_features)


def _ridge(features, targets, test_features):
    model = _sklearn("linear_model").Ridge()
    return model.fit(features, targets).predict(test_features)


def _single_scores(predicted, targets):
    labels = np.union1d(predicted, targets)
    decisions = score_decisions(
        predicted[:, None] == labels, targets[:, None] == labels, labels
    )
    accuracy = float(np.mean(predicted == targets))
    return {
        "accuracy": accuracy,
        "macro_f1": decisions["macro_f1"],
        "micro_f1": decisions["micro_f1"],
    }


def _multi_scores(predicted, targets):
    decisions = score_decisions(predicted, targets, range(targets.shape[1]))
    return {
        "micro_f1": decisions["micro_f1"],
        "macro_f1": decisions["macro_f1"],
        "exact_match": float((predicted == targets).all(axis=1).mean()),
    }


def _sklearn(module):
    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError as error:
        raise ImportError(
            "The TF-IDF baseline needs scikit-learn. Install it with "
            "`pip install 'attention-zoo[baseline]'`."
        ) from error


def _check(train_texts, train_targets, test_texts, test_targets, kind):
    if kind not in ("single", "multi", "regression"):
        raise ValueError(
            f"kind is {kind!r}; expected 'single', 'multi' or 'regression'."
        )
    axes = 2 if kind == "multi" else 1
    sides = (("train", train_texts, train_targets), ("test", test_texts, test_targets))
    for side, texts, targets in sides:
        if targets.ndim != axes or len(targets) != len(texts) or not len(texts):
            shape = "(texts, labels)" if kind == "multi" else "(texts,)"
            raise ValueError(
                f"{side}_targets has shape {targets.shape} for {len(texts)} texts; "
                f"expected {shape}, and at least one text."
            )
    if train_targets.shape[1:] != test_targets.shape[1:]:
        raise ValueError(
            f"train_targets has {train_targets.shape[1]} labels and test_targets "
            f"{test_targets.shape[1]}; expected the same ones."
        )

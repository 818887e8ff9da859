"""How far attention agrees with what decides: words left out one at a time.

    python benchmarks/faithfulness.py text_classification_rnn/sentiment --data test.csv

For each text the words are ranked by their attention, and by how far the probability
of the predicted label falls without them. Printed are the mean rank correlation of the
two (Spearman's, of texts of at least five words), how often the word with the most
attention is also the one whose loss costs most, and how often chance would find it.
"""

import argparse
import json

import numpy as np

import zoo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("preset")
    parser.add_argument("--data", required=True, help="labelled texts")
    parser.add_argument("--texts", type=int, default=200)
    options = parser.parse_args()
    classifier = zoo.load(options.preset)
    texts = classifier.task.read(options.data).texts
    step = max(1, len(texts) // options.texts)
    rows = [_row(classifier, text) for text in texts[::step][: options.texts]]
    rows = [row for row in rows if row is not None]
    correlations, hits, chances = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    print(
        json.dumps(
            {
                "preset": options.preset,
                "texts": len(rows),
                "rank_correlation": round(float(correlations.mean()), 3),
                "rank_correlation_quartiles": [
                    round(float(value), 3)
                    for value in np.quantile(correlations, (0.25, 0.75))
                ],
                "same_first_word": round(float(hits.mean()), 3),
                "same_first_word_by_chance": round(float(chances.mean()), 3),
            },
            indent=2,
        )
    )


def _row(classifier, text):
    found = classifier.attention(text, without=True)
    if len(found.words) < 5 or not np.ptp(found.weights) or not np.ptp(found.without):
        return None
    ranks = [np.argsort(np.argsort(each)) for each in (found.weights, found.without)]
    correlation = np.corrcoef(*ranks)[0, 1]
    hit = int(np.argmax(found.weights) == np.argmax(found.without))
    return correlation, hit, 1 / len(found.words)


if __name__ == "__main__":
    main()

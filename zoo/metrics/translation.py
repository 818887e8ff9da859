"""BLEU and chrF by sacreBLEU (Post, 2018), with their signatures."""

import unicodedata
from collections.abc import Sequence

LENGTH_BUCKETS = (5, 10, 15, 20, 30)
# BLEU of fewer sentences says little; such a bucket is joined to its shorter neighbour.
FEWEST_SENTENCES = 50


def bleu_tokenizer(references: Sequence[str]) -> str:
    """The sacreBLEU tokenizer that fits the language: "zh" for Chinese, else "13a".

    Japanese and Korean need tokenizers that sacreBLEU does not install by itself, so
    text in kana or hangul is scored by characters ("char").
    """
    sample = "".join(references[:1000])
    scripts = {"CJK": 0, "HIRAGANA": 0, "KATAKANA": 0, "HANGUL": 0}
    letters = 0
    for character in sample:
        if character.isalpha():
            letters += 1
            script = unicodedata.name(character, "").split(" ")[0]
            if script in scripts:
                scripts[script] += 1
    if scripts["HIRAGANA"] + scripts["KATAKANA"] + scripts["HANGUL"] > 0.1 * letters:
        return "char"
    return "zh" if scripts["CJK"] > 0.3 * letters else "13a"


def score_translations(
    translations: Sequence[str],
    references: Sequence[Sequence[str]],
    tokenizer: str | None = None,
) -> dict:
    """Corpus BLEU and chrF.

    Args:
        translations: what the model gave, one string a sentence.
        references: one or more accepted translations of each sentence.
        tokenizer: sacreBLEU's name of a tokenizer; chosen by script when `None`.

    Returns:
        Dictionary of `bleu` and `chrf` (both 0 to 100), their `signatures` and the
        number of `sentences`.

    Raises:
        ValueError: no sentences, or counts that differ.
    """
    from sacrebleu.metrics import BLEU, CHRF

    if len(translations) != len(references) or not translations or [] in references:
        raise ValueError(
            "Scores need as many translations as reference lists, at least one, and no "
            f"list empty. Received: {len(translations)} translations, "
            f"{len(references)} lists, {references.count([])} of them empty."
        )
    bleu = BLEU(tokenize=tokenizer or bleu_tokenizer([r[0] for r in references]))
    chrf = CHRF()
    streams = _reference_streams(references)
    return {
        "bleu": round(bleu.corpus_score(list(translations), streams).score, 2),
        "chrf": round(chrf.corpus_score(list(translations), streams).score, 2),
        "sentences": len(translations),
        "signatures": {
            "bleu": str(bleu.get_signature()),
            "chrf": str(chrf.get_signature()),
        },
    }


def score_by_length(
    translations: Sequence[str],
    references: Sequence[Sequence[str]],
    source_lengths: Sequence[int],
    tokenizer: str | None = None,
    edges: Sequence[int] = LENGTH_BUCKETS,
) -> list[dict]:
    """BLEU in buckets of source length, the form of Bahdanau et al. (2015), figure 2.

    Args:
        translations: what the model gave.
        references: accepted translations of each sentence.
        source_lengths: length of each source sentence, in pieces.
        tokenizer: as for `score_translations`.
        edges: upper edges of all buckets but the last, which is open. A bucket of
            fewer than 50 sentences is joined to the one before it.

    Returns:
        One dictionary a bucket that is not empty: `length` (such as "6-10"),
        `sentences`, `bleu`, `chrf`.
    """
    tokenizer = tokenizer or bleu_tokenizer([r[0] for r in references])
    rows = []
    for low, high, members in _length_buckets(source_lengths, edges):
        scores = score_translations(
            [translations[index] for index in members],
            [references[index] for index in members],
            tokenizer,
        )
        row = {"length": f"{low}-{high}" if high else f"{low}+"}
        rows.append(row | {key: scores[key] for key in ("sentences", "bleu", "chrf")})
    return rows


def _length_buckets(lengths, edges):
    """Buckets as lowest length, highest (None: open) and the sentences in them."""
    buckets: list[list] = []
    for low, high in zip((-1, *edges), (*edges, None), strict=True):
        members = [
            index
            for index, length in enumerate(lengths)
            if length > low and (high is None or length <= high)
        ]
        if buckets and 0 < len(members) < FEWEST_SENTENCES:
            buckets[-1][1] = high
            buckets[-1][2] += members
        elif members:
            buckets.append([max(low + 1, 1), high, members])
    return buckets


def _reference_streams(references):
    """sacreBLEU's layout: the k-th stream holds every sentence's k-th reference."""
    most = max(len(accepted) for accepted in references)
    return [
        [accepted[k] if k < len(accepted) else None for accepted in references]
        for k in range(most)
    ]

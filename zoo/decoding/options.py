"""What decoding is asked for, and what it finds."""

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

_NAMED = {
    "method": ("beam", "sample"),
    "length_form": ("gnmt", "plain"),
    "stopping": ("sure", "likely", "full"),
}


@dataclass(frozen=True)
class DecodingOptions:
    """How to decode.

    Attributes:
        method: "beam" searches for the most probable translation, greedily if
            `beam_size` is 1; "sample" draws `num_hypotheses` translations at random.
        beam_size: hypotheses kept while searching.
        num_hypotheses: how many are returned, best first: at most `beam_size` for
            "beam".
        length_penalty: alpha of Wu et al. (2016, https://arxiv.org/abs/1609.08144,
            equation 14), at least 0; 0 ranks by plain log probability.
        length_form: what is taken to the power of alpha: "gnmt" is the equation's
            (5 + n) / 6, "plain" is n itself, so that an alpha of 1 ranks by the mean
            log probability of a token, as Hugging Face's `generate` does.
        stopping: when a beam search ends. "sure": when nothing unfinished can still
            win. As `generate` does, which may miss the best: "full", when as many have
            ended as the beam holds (`early_stopping=True`); "likely", when besides the
            best unfinished one, if it ended here, would be no better than the worst of
            them (`early_stopping=False`). With these two, as there, an end counts only
            among the best `beam_size` continuations, and being ended at the longest
            length costs nothing.
        coverage_penalty: beta of the same equation, at least 0: how much it costs to
            have left source words without attention.
        min_length: fewest target tokens, the end token not counted; the longest
            length allowed comes first where they disagree.
        no_repeat_ngram: no n tokens in a row may occur twice; 0 allows all. A forced
            prefix may repeat them.
        suppressed: ids that are never chosen, besides padding, start and unknown.
        allow_unknown: the unknown token may be chosen, to be replaced afterwards.
        temperature: of sampling, above 0: below 1 the likely becomes likelier.
        top_k: sample from the k most probable tokens; 0 for all.
        top_p: sample from the most probable tokens that together have this share of
            the probability (Holtzman et al., 2020, https://arxiv.org/abs/1904.09751),
            above 0 and at most 1.
        seed: of sampling. A sentence's samples depend on the seed and on the sentence,
            not on its batch: equal sentences in one call get equal samples.

    Raises:
        ValueError: a value out of range.
    """

    method: Literal["beam", "sample"] = "beam"
    beam_size: int = 4
    num_hypotheses: int = 1
    length_penalty: float = 1.0
    length_form: Literal["gnmt", "plain"] = "gnmt"
    stopping: Literal["sure", "likely", "full"] = "sure"
    coverage_penalty: float = 0.0
    min_length: int = 0
    no_repeat_ngram: int = 0
    suppressed: tuple[int, ...] = ()
    allow_unknown: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self):
        for name, known in _NAMED.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}. "
                    f"Received: {name}={getattr(self, name)!r}."
                )
        lowest = {"beam_size": 1, "num_hypotheses": 1, "min_length": 0, "top_k": 0}
        lowest |= {"length_penalty": 0, "coverage_penalty": 0, "no_repeat_ngram": 0}
        for name, least in lowest.items():
            value = getattr(self, name)
            if not least <= value < math.inf:
                raise ValueError(
                    f"{name} must be at least {least} and finite. "
                    f"Received: {name}={value}."
                )
        if not -(2**31) <= self.seed < 2**31 or min(self.suppressed, default=0) < 0:
            raise ValueError(
                "seed must be a number of 32 bits, and suppressed ids at least 0. "
                f"Received: seed={self.seed}, suppressed={self.suppressed}."
            )
        if self.method == "beam" and self.num_hypotheses > self.beam_size:
            raise ValueError(
                "num_hypotheses must be at most beam_size. Received: num_hypotheses="
                f"{self.num_hypotheses}, beam_size={self.beam_size}."
            )
        if not 0 < self.temperature < math.inf or not 0 < self.top_p <= 1:
            raise ValueError(
                "temperature must be above 0 and finite, and top_p above 0 and at most "
                f"1. Received: temperature={self.temperature}, top_p={self.top_p}."
            )

    @property
    def rows(self) -> int:
        """Hypotheses of a sentence that advance side by side."""
        return self.beam_size if self.method == "beam" else self.num_hypotheses


class Hypotheses(NamedTuple):
    """What decoding found, best first.

    Attributes:
        ids: (batch, num_hypotheses, length), ended by the end token, then padding.
        scores: (batch, num_hypotheses): log probability over length penalty, minus
            what the coverage penalty costs.
        weights: (batch, num_hypotheses, length, source_length), the attention
            weights with which each token was chosen; zeros after the end.
    """

    ids: Any
    scores: Any
    weights: Any

"""The task of translation: parallel text and two vocabularies."""
# TensorFlow is imported where it is used: a training from prepared arrays runs on a
# machine that has none.

import functools
import importlib.util
import warnings
from pathlib import Path

import numpy as np

from zoo.data.own_pairs import (
    check_direction,
    hold_out,
    warn_of_overlap,
    warn_of_unknown,
)
from zoo.data.parallel_text import (
    DataWarning,
    ParallelText,
    read_parallel_text,
    write_parallel_text,
)
from zoo.data.ragged import Ragged
from zoo.data.table_vocabulary import TableVocabulary, load_vocabulary
from zoo.data.token_pairs import TokenPairBatches, TokenPairs
from zoo.data.vocabulary import END_ID, Vocabulary
from zoo.files import read_json, write_json
from zoo.tasks.task import Runner
from zoo.tasks.texts import with_codecs
from zoo.values import convert_fields

_MAX_PIECES = 128
# What a preset says besides its vocabularies, where it is not the usual.
_OPTIONS, _FORMAT = "task.json", 1


class TranslationTask:
    """Raw parallel text to batches, and a model's output to text.

    Args:
        source_vocabulary: of the source language.
        target_vocabulary: of the target language.
        subword_samples: how many segmentations of each pair are trained on.
        max_pieces: longest source or target, the end token included.
        decoding: how to decode if nothing else is asked for: fields of
            `zoo.decoding.DecodingOptions` by name.

    Raises:
        ValueError: a value out of range, or a field that there is not.
    """

    name = "translation"
    encoded_type = TokenPairs
    suffix = ".tsv.gz"
    scores_by_decoding = True
    # Scores of small validation sets say little.
    finetuning_monitor = "perplexity"
    finetuning_passes = 6
    finetuning_rate = 0.2
    default_head = "keep"

    def __init__(
        self,
        source_vocabulary: Vocabulary | TableVocabulary,
        target_vocabulary: Vocabulary | TableVocabulary,
        subword_samples: int = 1,
        max_pieces: int = _MAX_PIECES,
        decoding: dict | None = None,
    ):
        if subword_samples < 1:
            raise ValueError(
                f"subword_samples must be at least 1. Received: {subword_samples}."
            )
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = target_vocabulary
        self.subword_samples = subword_samples
        self.max_pieces = max_pieces
        self.decoding = decoding or {}
        _check_decoding(self.decoding, "decoding")

    @classmethod
    def learn(
        cls,
        data: ParallelText,
        vocabulary_size: int,
        shared: bool = False,
        subword_samples: int = 1,
    ) -> "TranslationTask":
        """Learns both vocabularies from training pairs.

        Args:
            data: the training set, and no other.
            vocabulary_size: pieces a language, at most, or of both if shared.
            shared: one vocabulary for both languages.
            subword_samples: how many segmentations of each pair `encode` gives for
                training; all but the first are drawn at random (Kudo, 2018).
        """
        if shared:
            texts = data.sources + data.targets
            both = Vocabulary.learn(texts, vocabulary_size, keep_characters=True)
            return cls(both, both, subword_samples)
        return cls(
            Vocabulary.learn(data.sources, vocabulary_size),
            Vocabulary.learn(data.targets, vocabulary_size, keep_characters=True),
            subword_samples,
        )

    @classmethod
    def load(cls, folder) -> "TranslationTask":
        folder = Path(folder)
        options = _read_options(folder / _OPTIONS)
        if (folder / "shared.model").is_file():
            both = load_vocabulary(folder / "shared.model")
            return cls(both, both, **options)
        return cls(
            load_vocabulary(folder / "source.model"),
            load_vocabulary(folder / "target.model"),
            **options,
        )

    def save(self, folder) -> None:
        folder = Path(folder)
        options = {"max_pieces": self.max_pieces, "decoding": self.decoding}
        if options != {"max_pieces": _MAX_PIECES, "decoding": {}}:
            write_json(folder / _OPTIONS, {"format": _FORMAT} | options)
        if self.source_vocabulary is self.target_vocabulary:
            self.source_vocabulary.save(folder / "shared.model")
            return
        self.source_vocabulary.save(folder / "source.model")
        self.target_vocabulary.save(folder / "target.model")

    @staticmethod
    def made_up(count: int, seed: int = 0) -> ParallelText:
        """A made-up language pair: each word has one translation, in reverse order."""
        random = np.random.default_rng(seed)
        words = ["sun", "moon", "rain", "wind", "tree", "leaf", "root", "seed"]
        translated = dict(zip(words, "日月雨风木叶根种", strict=True))
        text = ParallelText()
        for _ in range(count):
            chosen = random.choice(words, size=random.integers(1, 5))
            text.sources.append(" ".join(chosen))
            text.references.append(["".join(translated[w] for w in chosen[::-1])])
            text.origins.append("")
        return text

    @staticmethod
    def read(path, target_path=None, columns=None) -> ParallelText:
        """Reads parallel text; see `zoo.data.parallel_text.read_parallel_text`."""
        return read_parallel_text(path, target_path, columns)

    @staticmethod
    def write(data: ParallelText, path) -> None:
        """Keeps data in one file, for `read_back`."""
        write_parallel_text(data, path)

    @staticmethod
    def read_back(path) -> ParallelText:
        """Reads what `write` wrote."""
        return read_parallel_text(path, columns=(1, 2, 3))

    def summary(self, train: ParallelText, valid: ParallelText) -> list[str]:
        """Nothing that is not said elsewhere."""
        return []

    def hold_out(self, data: ParallelText, kind=None) -> tuple:
        """Splits data into what to train on and what to validate on."""
        return hold_out(data)

    def check(self, train: ParallelText, valid: ParallelText) -> None:
        """Refuses or warns of pairs that do not go with the vocabularies."""
        vocabularies = self.source_vocabulary, self.target_vocabulary
        for name, data in (("training data", train), ("validation data", valid)):
            check_direction(data, *vocabularies, name)
        warn_of_overlap(train, valid)
        sides = (("source", train.sources), ("target", train.targets))
        for vocabulary, (side, texts) in zip(vocabularies, sides, strict=True):
            warn_of_unknown(texts, vocabulary, side)

    def for_data(
        self, data: ParallelText, head: str = "keep", kind: str | None = None
    ) -> "TranslationTask":
        """The same task: translation has no labels that data could change."""
        if head != "keep" or kind is not None:
            raise ValueError(
                "Only presets of text classification have a head to reset or reuse, "
                f"and kinds of labels. Received: head={head!r}, kind={kind!r}."
            )
        return self

    def loss(self, label_smoothing: float):
        """What training makes smaller."""
        from zoo.losses import SequenceCrossentropy

        return SequenceCrossentropy(label_smoothing)

    def metrics(self) -> dict:
        """What is measured in training, by name: a Keras metric, and whether more is
        better."""
        from zoo.metrics.perplexity import Perplexity

        return {"perplexity": (Perplexity(), False)}

    def calibrated(self, model, batches) -> "TranslationTask":
        """The same task: scores of translations are no probabilities to set right."""
        return self

    def model_options(self) -> dict:
        return {
            "source_vocabulary_size": self.source_vocabulary.size,
            "target_vocabulary_size": self.target_vocabulary.size,
        }

    @functools.cached_property
    def codecs(self):
        """The source and the target `TextCodec`."""
        from zoo.data.table_codec import codec_of

        sides = (self.source_vocabulary, self.target_vocabulary)
        return tuple(codec_of(side, max_pieces=self.max_pieces) for side in sides)

    def encode(self, data: ParallelText, training: bool = False) -> TokenPairs:
        """Tokenizes with the graph's own operations.

        Pairs with a side too long for the model are left out, and counted in a
        `DataWarning`: cut short, they would teach to stop early.

        Args:
            data: the pairs.
            training: follow each other with as many copies as `subword_samples` says:
                the first as the graph tokenizes, the others in pieces drawn at random.
        """
        (sources, long_sources), (targets, long_targets) = (
            self.with_codecs(lambda codecs, n=n, t=texts: _encode_all(codecs[n], t))
            for n, texts in enumerate((data.sources, data.targets))
        )
        too_long = long_sources | long_targets
        if count := int(np.sum(too_long)):
            warnings.warn(
                f"{count} of {len(data)} pairs are longer than "
                f"{self.codecs[0].max_pieces - 1} pieces a side and were left out.",
                DataWarning,
                stacklevel=2,
            )
        kept = np.flatnonzero(~too_long)
        best = TokenPairs(
            Ragged.from_rows([sources[n] for n in kept]),
            Ragged.from_rows([targets[n] for n in kept]),
        )
        samples = self.subword_samples if training else 1
        texts = [[side[n] for n in kept] for side in (data.sources, data.targets)]
        longest = self.codecs[0].max_pieces
        return TokenPairs.join(
            [best, *(self.sample(n, best, *texts, longest) for n in range(1, samples))]
        )

    def sample(
        self,
        number: int,
        best: TokenPairs,
        sources: list[str],
        targets: list[str],
        longest: int,
    ) -> TokenPairs:
        """One segmentation of each pair, drawn at random; needs no TensorFlow.

        Args:
            number: which sample; each has a seed of its own.
            best: the pairs as `encode` gives them; one stands in for a sample that is
                too long.
            sources: the texts of all pairs.
            targets: likewise.
            longest: most pieces, the end token included.
        """
        return TokenPairs(
            _sampled(
                self.source_vocabulary, sources, 2 * number, best.sources, longest
            ),
            _sampled(
                self.target_vocabulary, targets, 2 * number + 1, best.targets, longest
            ),
        )

    def source_lengths(self, texts: list[str]) -> np.ndarray:
        """Pieces in each source text, without the end token."""
        rows, _ = self.with_codecs(lambda codecs: _encode_all(codecs[0], texts))
        return np.array([len(row) for row in rows]) - 1

    def with_codecs(self, run):
        """Calls `run` with the codecs; with new ones if TensorFlow lost theirs."""
        return with_codecs(self, "codecs", run)

    def batches(self, encoded: TokenPairs, batch_tokens: int, seed: int | None):
        return TokenPairBatches(encoded, batch_tokens, seed)

    def runner(self, model) -> Runner:
        from zoo.tasks.translation_runner import TranslationRunner

        return TranslationRunner(self, model)

    def describe(self) -> dict:
        """What a deployment wants to know of the vocabularies."""
        return {
            side: {"pieces": vocabulary.size, "sha256": vocabulary.sha256}
            for side, vocabulary in (
                ("source_vocabulary", self.source_vocabulary),
                ("target_vocabulary", self.target_vocabulary),
            )
        }


def _read_options(path: Path) -> dict:
    if not path.is_file():
        return {}
    options = read_json(path)
    if not isinstance(options, dict) or options.get("format") != _FORMAT:
        raise ValueError(
            f"{path} has another format than {_FORMAT}, the one that this version of "
            "attention-zoo reads."
        )
    if missing := {"max_pieces", "decoding"} - options.keys():
        raise ValueError(
            f"{path} must have max_pieces and decoding. Missing: "
            f"{', '.join(sorted(missing))}. Get the preset again."
        )
    longest = options["max_pieces"]
    if isinstance(longest, bool) or not isinstance(longest, int) or longest < 1:
        raise ValueError(
            f"max_pieces in {path} must be a whole number from 1 on. "
            f"Received: {longest!r}."
        )
    _check_decoding(options["decoding"], f"decoding in {path}")
    return {"max_pieces": longest, "decoding": options["decoding"]}


def _check_decoding(decoding, origin: str) -> None:
    """Refuses what could not be decoded by, where there is TensorFlow to decode."""
    if not isinstance(decoding, dict):
        raise ValueError(
            f"{origin} must be options by name. Received: {type(decoding).__name__}."
        )
    if not decoding or importlib.util.find_spec("tensorflow") is None:
        return
    from zoo.decoding import DecodingOptions

    # Options of the graph, which a runner checks against its vocabulary.
    beside = ("suppress", "replace_unknown")
    own = {name: value for name, value in decoding.items() if name not in beside}
    try:
        DecodingOptions(**convert_fields(DecodingOptions, own))
    except ValueError as error:
        raise ValueError(f"{origin} is not possible: {error}") from None


def _sampled(vocabulary, texts, seed, best: Ragged, longest) -> Ragged:
    rows = vocabulary.sample(texts, seed)
    return Ragged.from_rows(
        [*row, END_ID] if len(row) < longest else best[n] for n, row in enumerate(rows)
    )


def _encode_all(codec, texts: list[str]) -> tuple[list, np.ndarray]:
    """Rows of ids, and whether a limit cut each text."""
    import tensorflow as tf

    rows, flags = [], [np.zeros(0, bool)]
    for start in range(0, len(texts), 4096):
        ids, truncated = codec.encode(tf.constant(texts[start : start + 4096]))
        rows += ids.to_list()
        flags.append(truncated.numpy())
    return rows, np.concatenate(flags)

"""Subword vocabularies by SentencePiece (Kudo and Richardson, 2018)."""

import hashlib
import io
import tempfile
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

PADDING_ID, START_ID, END_ID, UNKNOWN_ID = range(4)


class Vocabulary:
    """A SentencePiece model: its bytes and what can be read off them.

    Ids 0 to 3 are padding, start, end and unknown in every vocabulary of this
    project. Encoding and decoding are `zoo.data.text_codec`'s, inside the graph.

    Args:
        proto: the serialised SentencePiece model.

    Raises:
        ValueError: the bytes are no SentencePiece model with those special ids.
    """

    def __init__(self, proto: bytes):
        self.proto = proto
        try:
            processor = self.processor
        except RuntimeError as error:
            raise ValueError(f"Not a SentencePiece model: {error}.") from error
        found = tuple(getattr(processor, f"{name}_id")() for name in _SPECIAL)
        if found != (PADDING_ID, START_ID, END_ID, UNKNOWN_ID):
            raise ValueError(
                "The ids of padding, start, end and unknown must be 0, 1, 2, 3. "
                f"Received a SentencePiece model with {found}."
            )

    @classmethod
    def learn(
        cls,
        texts: Iterable[str],
        size: int,
        character_coverage: float = 0.9995,
        keep_characters: bool = False,
    ) -> "Vocabulary":
        """Learns a unigram vocabulary (Kudo, 2018) from raw sentences.

        Args:
            texts: sentences of the training set, and of no other.
            size: the most pieces to keep; small data may give fewer.
            character_coverage: share of all characters seen that get a piece of
                their own; the rarest others become unknown.
            keep_characters: keep every character as it is written; only the many
                kinds of space become one. Without it, text is normalised (NFKC),
                which reads more spellings as one, but in a target would write ","
                for the Chinese "，".

        Raises:
            ValueError: no text, or fewer pieces asked for than there are characters.
        """
        import sentencepiece

        texts = [text for text in texts if text.strip()]
        if not texts:
            raise ValueError("A vocabulary is learnt from at least one sentence.")
        model = io.BytesIO()
        with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
            rules.write("".join(f"{space:X}\t20\n" for space in _SPACES))
            rules.flush()
            normalization = (
                {"normalization_rule_tsv": rules.name}
                if keep_characters
                else {"normalization_rule_name": "nmt_nfkc"}
            )
            try:
                sentencepiece.SentencePieceTrainer.train(
                    sentence_iterator=iter(texts),
                    model_writer=model,
                    vocab_size=size,
                    hard_vocab_limit=False,
                    character_coverage=character_coverage,
                    model_type="unigram",
                    num_threads=1,
                    minloglevel=2,
                    **normalization,
                    **{f"{name}_id": number for number, name in enumerate(_SPECIAL)},
                )
            except RuntimeError as error:
                raise ValueError(
                    f"SentencePiece could not learn {size} pieces from {len(texts)} "
                    f"sentences: {error}. Ask for another vocabulary_size."
                ) from error
        return cls(_without_paths(model.getvalue()))

    @classmethod
    def load(cls, path) -> "Vocabulary":
        try:
            return cls(Path(path).read_bytes())
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {error}") from error

    def save(self, path) -> None:
        Path(path).write_bytes(self.proto)

    @cached_property
    def processor(self):
        """The sentencepiece package's own view of the model."""
        import sentencepiece

        return sentencepiece.SentencePieceProcessor(model_proto=self.proto)

    def sample(
        self, texts: list[str], seed: int, sharpness: float = 0.3
    ) -> list[list[int]]:
        """One segmentation of each text, drawn at random (Kudo, 2018, section 3.2).

        Needs no TensorFlow. The same texts and seed give the same ids on one machine;
        builds of sentencepiece differ in what they draw.

        Args:
            texts: what to encode.
            seed: of the drawing; it seeds sentencepiece's generator for the process.
            sharpness: exponent of the segmentations' probabilities, alpha in the paper:
                0 draws them all alike, a large one always the best.

        Returns:
            Rows of ids, without the end token.
        """
        import sentencepiece

        # A batch on one thread draws from a generator that begins at the seed; a
        # single text would go on with the main thread's.
        sentencepiece.set_random_generator_seed(seed)
        return self.processor.encode(
            list(texts),
            out_type=int,
            enable_sampling=True,
            alpha=sharpness,
            nbest_size=-1,
            num_threads=1,
        )

    @property
    def size(self) -> int:
        return self.processor.get_piece_size()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.proto).hexdigest()


_SPECIAL = ("pad", "bos", "eos", "unk")
# Tab, no-break space, the spaces of typography, and the ideographic space.
_SPACES = (0x09, 0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)


def _without_paths(proto: bytes) -> bytes:
    """The model without the names of files that it was learnt with."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(proto)
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    model.trainer_spec.ClearField("input")
    model.trainer_spec.ClearField("model_prefix")
    return model.SerializeToString()

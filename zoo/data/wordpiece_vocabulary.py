"""WordPiece vocabularies as BERT has them (Devlin et al., 2019)."""

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from zoo.files import read_json, written_whole

PADDING, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
PIECES_FILE, OPTIONS_FILE = "wordpiece.txt", "wordpiece.json"


class WordPieceVocabulary:
    """The pieces of a WordPiece model, and how text is made ready for them.

    A piece that goes on inside a word begins with "##". Encoding is
    `zoo.data.wordpiece_codec`'s, inside the graph.

    Args:
        pieces: every piece; its place is its id. The first is [PAD]; [UNK], [CLS]
            and [SEP] stand anywhere.
        lower_case: whether text is lower-cased.
        strip_accents: whether accents are taken off; None does what `lower_case`
            says, as BERT.
        split_chinese: whether every Chinese character is a word of its own.

    Raises:
        ValueError: a piece appears twice or holds a line break, a special piece is
            missing, or padding is not id 0.
    """

    def __init__(
        self,
        pieces: Iterable[str],
        lower_case: bool = True,
        strip_accents: bool | None = None,
        split_chinese: bool = True,
    ):
        self.pieces = tuple(pieces)
        self.lower_case = lower_case
        self.strip_accents = lower_case if strip_accents is None else strip_accents
        self.split_chinese = split_chinese
        self._check()

    @classmethod
    def load(cls, folder) -> "WordPieceVocabulary":
        """Reads what `save` wrote."""
        folder = Path(folder)
        options = read_json(folder / OPTIONS_FILE)
        lines = (folder / PIECES_FILE).read_bytes().decode("utf-8").split("\n")
        try:
            return cls(lines[:-1], **options)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{folder} is damaged: {error}") from error

    @classmethod
    def read_hugging_face(cls, folder) -> "WordPieceVocabulary":
        """Reads a BERT tokenizer's folder, by vocab.txt or else by tokenizer.json.

        Beside vocab.txt, tokenizer_config.json may give the options; without it they
        are BERT's own defaults.

        Raises:
            FileNotFoundError: the folder has neither file.
            ValueError: the tokenizer does something that BERT's does not.
        """
        folder = Path(folder)
        if (folder / "vocab.txt").exists():
            source, read = folder / "vocab.txt", _read_vocab_txt
        else:
            source, read = folder / "tokenizer.json", _read_tokenizer_json
        if not source.exists():
            raise FileNotFoundError(
                f"{folder} has neither vocab.txt nor tokenizer.json. Pass the folder "
                "of a BERT tokenizer."
            )
        try:
            pieces, options = read(source)
            return cls(pieces, **options)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from error

    def save(self, folder) -> None:
        """Writes wordpiece.txt, a piece a line, and wordpiece.json, the options."""
        for name, content in self._files.items():
            with written_whole(Path(folder) / name) as beside:
                beside.write_bytes(content)

    @property
    def size(self) -> int:
        return len(self.pieces)

    @cached_property
    def sha256(self) -> str:
        """Of the pieces and the options."""
        return hashlib.sha256(b"".join(self._files.values())).hexdigest()

    @property
    def padding_id(self) -> int:
        return self._ids[PADDING]

    @property
    def unknown_id(self) -> int:
        return self._ids[UNKNOWN]

    @property
    def start_id(self) -> int:
        return self._ids[START]

    @property
    def end_id(self) -> int:
        return self._ids[END]

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Padding, unknown, start, end and, where there is one, the mask; sorted."""
        return tuple(sorted(self._ids.values()))

    @cached_property
    def _ids(self) -> dict[str, int]:
        special = (PADDING, UNKNOWN, START, END, MASK)
        return {p: id_ for id_, p in enumerate(self.pieces) if p in special}

    @property
    def _files(self) -> dict[str, bytes]:
        options = {
            "lower_case": self.lower_case,
            "strip_accents": self.strip_accents,
            "split_chinese": self.split_chinese,
        }
        return {
            PIECES_FILE: "".join(f"{piece}\n" for piece in self.pieces).encode(),
            OPTIONS_FILE: (json.dumps(options, indent=2) + "\n").encode(),
        }

    def _check(self) -> None:
        seen = set()
        for piece in self.pieces:
            if piece in seen:
                raise ValueError(
                    f"Every piece must appear once. Received {piece!r} twice; drop one."
                )
            if "\n" in piece:
                raise ValueError(
                    f"A piece must be on one line. Received {piece!r}, which no word "
                    "can match; put an unused name in its place."
                )
            seen.add(piece)
        missing = [p for p in (PADDING, UNKNOWN, START, END) if p not in seen]
        if missing:
            raise ValueError(
                f"A vocabulary needs [PAD], [UNK], [CLS] and [SEP]. Received "
                f"{len(self.pieces)} pieces without {', '.join(missing)}; is this a "
                "BERT vocabulary?"
            )
        if self.padding_id != 0:
            raise ValueError(
                f"Padding must be id 0. Received [PAD] at {self.padding_id} and "
                f"{self.pieces[0]!r} at 0; move [PAD] (and its embedding) to the front."
            )


# Tokenizers that read vocab.txt as BERT does. Others find words in other ways first,
# such as BertJapaneseTokenizer and RoFormerTokenizer.
_AS_BERT = ("Bert", "ConvBert", "DistilBert", "Electra", "LayoutLM", "Lxmert")
_AS_BERT += ("MobileBert", "RetriBert", "SqueezeBert", "DPRReader")
_AS_BERT += ("DPRContextEncoder", "DPRQuestionEncoder", "PreTrained")


def _read_vocab_txt(path: Path) -> tuple[list[str], dict]:
    """Pieces and options."""
    config_path = path.with_name("tokenizer_config.json")
    config = {}
    if config_path.exists():
        config = json.loads(config_path.read_text(encoding="utf-8"))
    kind = config.get("tokenizer_class") or "BertTokenizer"
    family = kind.removesuffix("Fast").removesuffix("Tokenizer")
    if family not in _AS_BERT and kind != "TokenizersBackend":
        raise ValueError(
            f"Only tokenizers that find words as BERT's are read. Received {kind} in "
            f"{config_path.name}; if it does, write BertTokenizer there."
        )
    lines = path.read_text(encoding="utf-8").split("\n")
    return lines[:-1] if lines[-1] == "" else lines, {
        "lower_case": config.get("do_lower_case", True),
        "strip_accents": config.get("strip_accents"),
        "split_chinese": config.get("tokenize_chinese_chars", True),
    }


def _read_tokenizer_json(path: Path) -> tuple[list[str], dict]:
    """Pieces and options."""
    content = json.loads(path.read_text(encoding="utf-8"))
    model = content.get("model") or {}
    normalizer = content.get("normalizer") or {}
    splitter = content.get("pre_tokenizer") or {}
    for what, found, expected in (
        ("model", model.get("type"), "WordPiece"),
        ("normalizer", normalizer.get("type"), "BertNormalizer"),
        ("pre_tokenizer", splitter.get("type"), "BertPreTokenizer"),
        ("model's unk_token", model.get("unk_token"), UNKNOWN),
        ("model's prefix", model.get("continuing_subword_prefix"), "##"),
        ("longest word", model.get("max_input_chars_per_word"), 100),
        ("normalizer's clean_text", normalizer.get("clean_text"), True),
    ):
        if found != expected:
            raise ValueError(
                f"The {what} must be {expected!r}, as BERT's. Received {found!r}; use "
                "a tokenizer of the BERT family."
            )
    return _ordered(model["vocab"], content.get("added_tokens") or []), {
        "lower_case": normalizer.get("lowercase", True),
        "strip_accents": normalizer.get("strip_accents"),
        "split_chinese": normalizer.get("handle_chinese_chars", True),
    }


def _ordered(ids: dict[str, int], added: list[dict]) -> list[str]:
    """Pieces in the order of their ids."""
    for token in added:
        if token["content"] not in ids and not token.get("special"):
            raise ValueError(
                f"The added token {token['content']!r} would be found inside words, "
                "which BERT's pieces are not. Use a tokenizer without added tokens."
            )
        ids = {**ids, token["content"]: token["id"]}
    pieces = sorted(ids, key=ids.get)
    for place, piece in enumerate(pieces):
        if ids[piece] != place:
            raise ValueError(
                f"Ids must run from 0 without gaps or doubles. Received "
                f"{piece!r} with id {ids[piece]} at place {place}."
            )
    return pieces

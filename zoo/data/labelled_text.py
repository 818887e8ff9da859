"""Texts with labels, read from CSV, TSV and JSONL files."""

import difflib
import gzip
import json
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data.labelled_files import listed, read_rows
from zoo.data.parallel_text import MAX_MALFORMED_SHARE, DataWarning
from zoo.files import written_whole

_COLUMNS = ("text", "label")
_PAIR = "text_pair"
# C0 and C1 controls, Unicode's line separators, halves of surrogate pairs.
_NO_LABEL = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WAYS_TO_NAME = (
    "Name the columns of text and label, or of text, second text and label: "
    "--columns review,stars on the command line, "
    'columns=("review", "stars") in Python.'
)


@dataclass(frozen=True)
class LabelledText:
    """Texts, or pairs of texts, each with its label as the file has it.

    What a label means (one of several, a set of them, a number) is `LabelSet`'s.

    Attributes:
        texts: the texts.
        labels: of each a string, or a list of strings where the file has one.
        pairs: second texts, if the examples are pairs of texts.
        lines: the line of the file that each example begins on, for messages.
        origin: the file's name, for messages.
    """

    texts: list[str] = field(default_factory=list)
    labels: list[str | list[str]] = field(default_factory=list)
    pairs: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list, compare=False)
    origin: str = field(default="", compare=False)

    def __post_init__(self):
        count = len(self.texts)
        if (
            len(self.labels) != count
            or len(self.pairs) not in (0, count)
            or len(self.lines) not in (0, count)
        ):
            raise ValueError(
                "Each text needs a label, and if there are second texts or line "
                f"numbers, one of them. Received: {count} texts, {len(self.labels)} "
                f"labels, {len(self.pairs)} second texts, {len(self.lines)} numbers."
            )

    @property
    def sources(self) -> list[str]:
        """The texts, by the name that every kind of data has for its inputs."""
        return self.texts

    def __len__(self) -> int:
        return len(self.texts)

    def chosen(self, indices: Iterable[int]) -> "LabelledText":
        indices = list(indices)
        columns = [
            [column[index] for index in indices] if column else []
            for column in (self.texts, self.labels, self.pairs, self.lines)
        ]
        return LabelledText(*columns, origin=self.origin)

    def places(self, indices: Sequence[int], most: int = 5) -> str:
        """Says where examples stand, such as "lines 3, 8 and 2 more of train.csv"."""
        numbers = self.lines or range(1, len(self) + 1)
        what = "line" if self.lines else "example"
        shown = ", ".join(str(numbers[index]) for index in indices[:most])
        more = f" and {len(indices) - most} more" if len(indices) > most else ""
        of = f" of {self.origin}" if self.origin else ""
        return f"{what}{'s' if len(indices) > 1 else ''} {shown}{more}{of}"


def read_labelled_text(
    path, columns: str | Sequence[str] | None = None
) -> LabelledText:
    """Reads a CSV, TSV or JSONL file of labelled texts.

    The name says which it is: `.csv`, `.tsv`, `.jsonl` or `.json-lines`, each also
    gzipped with `.gz` behind it. UTF-8. CSV and TSV begin with a header; a TSV file
    whose quotation marks do not pair up is read as one that does not quote.

    Rows that cannot be used, and those with an empty text, are left out, counted and
    reported with their lines in a `DataWarning`. Texts are kept as they are; white
    space around labels is dropped, and numbers become their shortest string. A label
    may be empty: among sets of labels that is the empty one.

    Args:
        path: the file.
        columns: names of the columns of text and label, or of text, second text and
            label, as "review,stars" or a sequence. Else "text" and "label", with
            "text_pair" if there is such a column.

    Returns:
        The examples, in file order.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another format or encoding, a missing column, no example, a label
            with a line break, or more than a tenth of the rows malformed.
    """
    path = Path(path)
    names, rows = read_rows(path)
    wanted = _choose_columns(path, names, columns)
    data = LabelledText(origin=path.name)
    malformed, empty = [], []
    for line, row in rows:
        cells = _pick(row, wanted)
        if isinstance(cells, str):
            malformed.append((line, cells))
        elif not all(text.strip() for text in cells[:-1]):
            empty.append(line)
        else:
            _check_label(path, line, cells[-1])
            data.texts.append(cells[0])
            data.pairs.extend(cells[1:-1])
            data.labels.append(cells[-1])
            data.lines.append(line)
    _report_malformed(path, malformed, len(rows))
    _report_empty(path, empty, len(rows))
    return data


def write_labelled_text(data: LabelledText, path) -> None:
    """Writes examples as gzipped JSONL; equal examples give equal bytes.

    Raises:
        ValueError: the file's name does not end in `.jsonl.gz`.
    """
    if not str(path).endswith(".jsonl.gz"):
        raise ValueError(f"Labelled texts are written to .jsonl.gz. Received: {path}.")
    keys = ("text", _PAIR, "label") if data.pairs else _COLUMNS
    columns = (data.texts, data.pairs, data.labels)
    rows = zip(*(column for column in columns if column), strict=True)
    lines = [
        json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=False) + "\n"
        for row in rows
    ]
    content = "".join(lines).encode("utf-8", "replace")
    with written_whole(path) as beside:
        beside.write_bytes(gzip.compress(content, mtime=0))


def is_one_line(label: str) -> bool:
    """Whether a label holds neither line breaks nor other control characters."""
    return not _NO_LABEL.search(label)


def _choose_columns(path, names, columns) -> tuple[str, ...]:
    """The columns of text, perhaps second text, and label."""
    if columns is None:
        wanted = (_COLUMNS[0], _PAIR, _COLUMNS[1]) if _PAIR in names else _COLUMNS
    else:
        items = columns.split(",") if isinstance(columns, str) else columns
        wanted = tuple(str(item).strip() for item in items)
        if len(wanted) not in (2, 3) or len(set(wanted)) < len(wanted):
            raise ValueError(
                f"columns must be two or three different names. {_WAYS_TO_NAME} "
                f"Received: columns={columns!r}."
            )
    if missing := [name for name in wanted if name not in names]:
        near = "".join(_hint(name, names) for name in missing)
        only = "; a CSV file is separated by commas" if len(names) == 1 else ""
        raise ValueError(
            f"{path} has no column {' and no column '.join(map(repr, missing))}.{near} "
            f"Its columns are: {listed(names)}{only}. {_WAYS_TO_NAME}"
        )
    for name in wanted:
        if names.count(name) > 1:
            raise ValueError(f"{path} has {names.count(name)} columns named {name!r}.")
    return wanted


def _hint(name, names) -> str:
    lower = {item.lower(): item for item in reversed(names)}
    near = difflib.get_close_matches(name.lower(), list(lower), 1)
    return f" Did you mean {lower[near[0]]!r}?" if near else ""


def _pick(row, wanted):
    """Text, perhaps second text, and label of a row; a string says what is wrong."""
    if isinstance(row, str):
        return row
    for name in wanted:
        if name not in row:
            return f"no {name!r}"
    *texts, label = (row[name] for name in wanted)
    for name, text in zip(wanted, texts, strict=False):
        if not isinstance(text, str):
            return f"{name!r} is {_kind(text)} instead of a string"
    items = label if isinstance(label, list) else [label]
    for item in items:
        if not isinstance(item, str | int | float):
            return f"{wanted[-1]!r} is or holds {_kind(item)}"
    strings = [_as_string(item) for item in items]
    # Half of a surrogate pair, which JSON can spell, has no bytes in UTF-8.
    texts = [_SURROGATE.sub("\ufffd", text) for text in texts]
    return [*texts, strings if isinstance(label, list) else strings[0]]


def _as_string(item) -> str:
    if isinstance(item, str):
        return item.strip()
    if isinstance(item, float) and item.is_integer() and abs(item) < 2**53:
        item = int(item)
    return str(item).lower() if isinstance(item, bool) else repr(item)


def _kind(value) -> str:
    if value is None:
        return "null"
    return {list: "a list", dict: "an object", str: "a string"}.get(
        type(value), "a number"
    )


def _check_label(path, line, label):
    for name in [label] if isinstance(label, str) else label:
        if not is_one_line(name):
            raise ValueError(
                f"{path}, line {line}: a label must be one line without control "
                f"characters. Received: {name!r}."
            )


def _report_malformed(path, malformed, total):
    if not malformed:
        return
    shown = "; ".join(f"line {line}: {reason}" for line, reason in malformed[:5])
    more = f"; and {len(malformed) - 5} more" if len(malformed) > 5 else ""
    message = f"{path}: {len(malformed)} of {total} rows malformed ({shown}{more})."
    if len(malformed) > MAX_MALFORMED_SHARE * total:
        raise ValueError(
            message + " Every row needs a field for each column; in CSV a text with "
            "commas or line breaks stands in quotation marks."
        )
    warnings.warn(message + " They were left out.", DataWarning, stacklevel=3)


def _report_empty(path, empty, total):
    if not empty:
        return
    shown = ", ".join(map(str, empty[:5])) + (", …" if len(empty) > 5 else "")
    message = f"{path}: {len(empty)} of {total} rows have an empty text (line {shown})."
    if len(empty) == total:
        raise ValueError(message + " There is no example left.")
    warnings.warn(message + " They were left out.", DataWarning, stacklevel=3)

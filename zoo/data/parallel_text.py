"""Parallel text: pairs of source and target sentences, read from files."""

import gzip
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.files import unzipped, written_whole

# A file with a larger share of malformed lines is taken to be of another format.
MAX_MALFORMED_SHARE = 0.1
_NO_ORIGIN = "-"
_BREAKS = re.compile(r"[\t\r\n]+")
_ORIGIN = re.compile(r"[\w.:-]{1,64}", re.ASCII)


class DataWarning(UserWarning):
    """Some lines of a data file could not be used."""


@dataclass(frozen=True)
class ParallelText:
    """Sentence pairs.

    Attributes:
        sources: source sentences.
        references: accepted translations of each; the first is the one to learn.
        origins: where each pair comes from, "" when the file does not say.
    """

    sources: list[str] = field(default_factory=list)
    references: list[list[str]] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)

    def __post_init__(self):
        if self.sources and not self.origins:
            object.__setattr__(self, "origins", [""] * len(self.sources))
        counts = {len(self.sources), len(self.references), len(self.origins)}
        if len(counts) > 1:
            raise ValueError(
                "Each source needs one list of references and one origin. Received: "
                f"{len(self.sources)} sources, {len(self.references)} lists, "
                f"{len(self.origins)} origins."
            )

    @property
    def targets(self) -> list[str]:
        return [accepted[0] for accepted in self.references]

    def __len__(self) -> int:
        return len(self.sources)

    def repeated(self, times: dict[str, int]) -> "ParallelText":
        """Repeats the pairs of some origins, to give small good sources more weight.

        Raises:
            ValueError: an origin that no pair has.
        """
        known = sorted(set(self.origins) - {""})
        if unknown := sorted(set(times) - set(known)):
            raise ValueError(
                f"No pair comes from {', '.join(unknown)}. The data has: "
                f"{', '.join(known) or 'no origins, as it has no column for them'}."
            )
        if wrong := [origin for origin, count in times.items() if count < 1]:
            raise ValueError(
                f"{wrong[0]} can be repeated once or more. "
                f"Received: {times[wrong[0]]} times."
            )
        result = ParallelText()
        for source, accepted, origin in zip(
            self.sources, self.references, self.origins, strict=True
        ):
            for _ in range(times.get(origin, 1)):
                result.sources.append(source)
                result.references.append(accepted)
                result.origins.append(origin)
        return result


def read_parallel_text(
    path, target_path=None, columns: Sequence[int] | None = None
) -> ParallelText:
    """Reads parallel text from one tab-separated file or from two plain ones.

    One file: UTF-8, a pair a line, gzipped if its name ends in `.gz`. Two columns are
    source and target. Three or more are origin, source, target and further references
    if the first column holds short labels without spaces that repeat; any other file
    of three or more columns needs `columns`.

    Two files: line n of `path` and line n of `target_path` are a pair.

    Lines that cannot be used (an empty side, a wrong number of columns, bytes that are
    not UTF-8) are left out, counted, and reported with their numbers in a
    `DataWarning`.

    Args:
        path: the file, or the source side.
        target_path: the target side, if it is a file of its own.
        columns: which columns hold source and target, counted from 1; or origin,
            source and target, where further columns are further references.

    Returns:
        The pairs, in file order.

    Raises:
        FileNotFoundError: no such file.
        ValueError: an empty file, another encoding, columns that cannot be told
            apart, sides of different length, or more than a tenth of the lines
            malformed.
    """
    lines = _read_lines(path)
    if target_path is not None:
        rows = _pair_sides(path, lines, target_path, _read_lines(target_path))
        origin, source, target, width = None, 0, 1, None
    else:
        rows = [None if line is None else line.split("\t") for line in lines]
        origin, source, target = _choose_columns(path, rows, columns)
        # Unless columns were named, a third column in a file of two is a mistake.
        width = 2 if columns is None and origin is None else None
    text, malformed = ParallelText(), []
    for number, row in enumerate(rows, 1):
        if reason := _reason_to_skip(row, source, target, width):
            malformed.append((number, reason))
            continue
        references = [row[target]]
        if origin is not None:
            more = enumerate(row[target + 1 :], target + 1)
            references += [text for n, text in more if n not in (origin, source)]
        text.sources.append(row[source].strip())
        text.references.append([r.strip() for r in references if r.strip()])
        label = "" if origin is None else row[origin]
        text.origins.append("" if label == _NO_ORIGIN else label)
    _report(path, malformed, len(rows))
    return text


def write_parallel_text(text: ParallelText, path) -> None:
    """Writes pairs, gzipped, to be read back with `columns=(1, 2, 3)`.

    Tabs and line breaks inside a sentence become spaces.
    """
    rows = zip(text.origins, text.sources, text.references, strict=True)
    lines = [
        "\t".join(_BREAKS.sub(" ", cell) for cell in (origin or _NO_ORIGIN, source, *r))
        for origin, source, r in rows
    ]
    content = "\n".join(lines).encode("utf-8")
    with written_whole(path) as beside:
        beside.write_bytes(gzip.compress(content, mtime=0))


def _read_lines(path) -> list[str | None]:
    """The lines of a UTF-8 file; `None` stands for one that is not UTF-8."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No such data file: {path}.")
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = unzipped(content, path)
    content = content.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    if not content.strip():
        raise ValueError(f"{path} is empty: it must hold at least one sentence pair.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(
            f"{path} is UTF-16, and data files must be UTF-8. Convert it with: "
            f"iconv -f UTF-16 -t UTF-8 {path.name} > converted.tsv"
        )
    return [_decode(line.removesuffix(b"\r")) for line in content.split(b"\n")]


def _decode(line: bytes) -> str | None:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _pair_sides(path, sources, target_path, targets):
    if len(sources) != len(targets):
        raise ValueError(
            f"Line n of one file must translate line n of the other, but {path} has "
            f"{len(sources)} lines and {target_path} has {len(targets)}."
        )
    return [
        None if source is None or target is None else [source, target]
        for source, target in zip(sources, targets, strict=True)
    ]


def _choose_columns(path, rows, columns):
    """The indices of the origin (or None), source and target columns."""
    if columns is not None:
        if len(columns) not in (2, 3) or min(columns) < 1:
            raise ValueError(
                "columns must be numbers counted from 1: source and target, or origin, "
                f"source and target. Received: columns={tuple(columns)}."
            )
        origin = columns[0] - 1 if len(columns) == 3 else None
        return origin, columns[-2] - 1, columns[-1] - 1
    wide = [row for row in rows if row is not None and len(row) >= 3]
    if 2 * len(wide) <= len(rows):
        return None, 0, 1
    labels = {row[0] for row in wide}
    # Labels repeat: a first column of sentences hardly ever does.
    repeat = len(wide) > 1 and len(labels) <= max(1, len(wide) // 10)
    if repeat and all(_ORIGIN.fullmatch(label) for label in labels):
        return 0, 1, 2
    raise ValueError(
        f"{path} has {max(map(len, wide))} columns, and the first is not a column of "
        "origin labels. Say which columns hold source and target, counted from 1: "
        "--columns 1,2 on the command line, columns=(1, 2) in Python."
    )


def _reason_to_skip(row, source, target, width) -> str | None:
    if row is None:
        return "not UTF-8"
    needed = max(source, target) + 1
    if len(row) < needed or (width and len(row) > width):
        return f"{len(row)} columns instead of {needed}"
    if any("\r" in text for text in row):
        return "a carriage return inside the line"
    if not row[source].strip():
        return "no source text"
    return None if row[target].strip() else "no target text"


def _report(path, malformed, total):
    if not malformed:
        return
    shown = "; ".join(f"line {number}: {reason}" for number, reason in malformed[:5])
    more = f"; and {len(malformed) - 5} more" if len(malformed) > 5 else ""
    message = f"{path}: {len(malformed)} of {total} lines malformed ({shown}{more})."
    if len(malformed) > MAX_MALFORMED_SHARE * total:
        raise ValueError(
            message + " A data file is UTF-8 text with a source and a target sentence "
            "on each line, separated by one tab."
        )
    warnings.warn(message + " They were left out.", DataWarning, stacklevel=3)

"""Rows with named cells, read from CSV, TSV and JSONL files."""

import csv
import io
import json
import re
from pathlib import Path

from zoo.files import unzipped

# Characters of one field; Python's own limit is an eightieth of it.
_MAX_FIELD = 10 * 2**20
_FORMATS = {".csv": ",", ".tsv": "\t", ".jsonl": None, ".json-lines": None}


def read_rows(path: Path) -> tuple[list[str], list[tuple[int, dict | str]]]:
    """The rows of a file whose name says what it is, none of them judged.

    Args:
        path: ends in `.csv`, `.tsv`, `.jsonl` or `.json-lines`, or one of them and
            `.gz`.

    Returns:
        The names of its columns, and of each row the line it begins on and its cells
        by name, or a string that says what is wrong with it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another format or encoding, or nothing that could be a row.
    """
    delimiter = _FORMATS[_suffix(path)]
    content = _read(path)
    if delimiter is None:
        return _json_rows(path, content)
    return _table_rows(path, content, delimiter)


def listed(names: list[str]) -> str:
    """Names of columns for a message, not too many and none too long."""
    shown = [name if len(name) <= 40 else f"{name[:39]}…" for name in names[:20]]
    return ", ".join(shown) + (", …" if len(names) > 20 else "")


def _suffix(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    if suffix not in _FORMATS:
        raise ValueError(
            f"The name of a file of labelled texts ends in {', '.join(_FORMATS)}, or "
            f"one of them and .gz. Received: {path}. A spreadsheet can be saved as "
            '"CSV UTF-8".'
        )
    return suffix


def _read(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"No such data file: {path}.")
    content = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        content = unzipped(content, path)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{path} is UTF-16. {_conversion(path, 'UTF-16')}")
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise ValueError(
            f"{path} has a zero byte on line {line}: it is damaged, or UTF-16. "
            + _conversion(path, "UTF-16LE")
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path} is not UTF-8: byte 0x{content[error.start]:02X} on line {line}. "
            + _conversion(path, _guess_encoding(content))
        ) from error
    if not text.strip():
        raise ValueError(f"{path} is empty: it must hold labelled texts.")
    return text


def _conversion(path: Path, encoding: str) -> str:
    unpack = f"gzip -dc {path.name} | " if path.name.lower().endswith(".gz") else ""
    name = "" if unpack else f" {path.name}"
    return (
        "Data files must be UTF-8. Convert it, here from what it looks like, with: "
        f"{unpack}iconv -f {encoding} -t UTF-8{name} > converted{_suffix(path)}"
    )


def _guess_encoding(content: bytes) -> str:
    """Chinese has its bytes beyond ASCII in pairs, Western languages one by one."""
    runs = re.findall(rb"[\x80-\xff]+", content)
    try:
        content.decode("gb18030")
    except UnicodeDecodeError:
        return "WINDOWS-1252"
    return "GB18030" if sum(map(len, runs)) >= 2 * len(runs) else "WINDOWS-1252"


def _table_rows(path, content, delimiter):
    """The header, and of each row its line and cells by name, or what is wrong."""
    limit = csv.field_size_limit(max(_MAX_FIELD, csv.field_size_limit()))
    try:
        rows = list(_parse(path, content, delimiter))
    finally:
        csv.field_size_limit(limit)
    (line, header), *rows = rows
    if isinstance(header, str):
        raise ValueError(f"{path}, line {line}: {header}.")
    names = [name.strip() for name in header]
    if not rows:
        raise ValueError(f"{path} has a header ({listed(names)}) and no examples.")
    found = []
    for line, row in rows:
        if not isinstance(row, str):
            if row == header:
                row = "the header once more"
            elif len(row) != len(names):
                row = f"{len(row)} fields instead of {len(names)}"
            else:
                row = dict(zip(names, row, strict=True))
        found.append((line, row))
    return names, found


def _parse(path, content, delimiter):
    """Gives the first line and the fields, or what is wrong, of each row."""
    options = {"delimiter": delimiter, "strict": True}
    if delimiter == "\t" and not _quotes_pair_up(content, options):
        options["quoting"] = csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(content, newline=""), **options)
    while True:
        first = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > first:
                # Whole rows have been taken for the inside of a text.
                raise ValueError(
                    f"{path}: the quotation mark that opens on line {first} is not "
                    f"closed as it should be by line {reader.line_num} ({error}). "
                    "Inside a quoted text a quotation mark is written twice."
                ) from error
            row = str(error)
        if any(row) and (len(row) > 1 or row[0].strip()):
            yield first, row


def _quotes_pair_up(content, options) -> bool:
    try:
        for _ in csv.reader(io.StringIO(content, newline=""), **options):
            pass
    except csv.Error:
        return False
    return True


def _json_rows(path, content):
    """All keys, and of each line its number and object, or what is wrong."""
    if content.lstrip().startswith("["):
        raise ValueError(
            f"{path} is one JSON list, where JSONL has an object on each line. "
            f"Convert it with: jq -c '.[]' {path.name} > converted.jsonl"
        )
    rows = [
        (number, _json_object(line))
        for number, line in enumerate(content.split("\n"), 1)
        if line.strip()
    ]
    objects = [row for _, row in rows if isinstance(row, dict)]
    if not objects:
        raise ValueError(f"{path} has no JSON object on any line.")
    return list(dict.fromkeys(key for row in objects for key in row)), rows


def _json_object(line: str):
    try:
        found = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return "not JSON"
    return found if isinstance(found, dict) else "not a JSON object"


def _refuse_constant(name):
    raise ValueError(f"{name} is no JSON")

"""Every shipped preset as an export: what it answers through TensorFlow's C API.

    python benchmarks/exports.py --out FOLDER [--site SITE-PACKAGES …]
        [--preset NAME …] [--table FILE.md]

Each preset is exported into FOLDER, where it may be deleted afterwards; the export is
audited. Then, in a clean process that loads it as TF Serving does (see
`zoo/export/c_api.py`), its recorded answers and warm-up records are replayed, and its
signatures are compared with what the preset predicts in Python: on texts in several
scripts, one of them empty and one too long, or on JPEG files, one of them damaged.
That is done with TensorFlow and TF Text of this interpreter, and of each SITE-PACKAGES.

Strings, integers and booleans must be equal, floats to 1e-4, relative to those above 1.
It fails if anything differs, or if a signature has no warm-up record.
"""

import argparse
import sys
import time
from pathlib import Path

from served_predictions import predictions_of

import zoo
from zoo.export.check_export import (
    ExportCheckFailed,
    ask_export,
    check_export,
    compare_answers,
)
from zoo.presets import find_test_split, preset_folder, preset_names

IMAGES = 3


def images_of(trained, preset: str) -> list[bytes]:
    """JPEG files of a detector's test split, one that is cut off, and one of text."""
    split = find_test_split(preset_folder(preset))
    if trained.task.name != "detection" or split is None:
        return []
    images = trained.task.read_back(split).sources[:IMAGES]
    files = [image.read_bytes() for image in images]
    return [*files, files[0][: len(files[0]) // 2], b"This is no image."]


def checked(preset: str, folder: Path, sites) -> dict:
    """A row of the table.

    Raises:
        ExportCheckFailed: something differs; the message says where.
    """
    start = time.perf_counter()
    trained = zoo.load(preset)
    version = trained.export(folder / preset)
    predictions = predictions_of(trained, images_of(trained, preset))
    size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
    row = {"preset": preset, "size": f"{size / 2**20:.1f} MiB"}
    for site in sites:
        report = check_export(version, site)
        found = ask_export(
            version, [(one.signature, one.inputs) for one in predictions], site=site
        )
        reports = list(report.values()) + [
            compare_answers(one.signature, one.expected, one.found(answer))
            for one, answer in zip(predictions, found["answers"], strict=True)
        ]
        largest = max(one["largest_difference"] for one in reports)
        records = {name: one["warm_up_records"] for name, one in report.items()}
        if not all(records.values()):
            raise ExportCheckFailed(f"Signatures without a warm-up record: {records}.")
        row |= {
            "signatures": len(report),
            "warm-up records": sum(records.values()),
            "values": sum(one["values"] for one in reports),
            f"difference on {found['tensorflow']}": f"{largest:.1e}",
        }
    return row | {"seconds": f"{time.perf_counter() - start:.0f}"}


def table_of(rows: list[dict]) -> str:
    """Rows as Markdown; of a failed one, no numbers."""
    names = max(rows, key=len)
    lines = [names, ["---"] * len(names)]
    lines += [[row.get(name, "failed") for name in names] for row in rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--site", type=Path, action="append", default=[])
    parser.add_argument("--preset", action="append", default=[])
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    rows, failures = [], []
    for preset in options.preset or preset_names():
        try:
            rows.append(checked(preset, options.out, [None, *options.site]))
        except (ExportCheckFailed, OSError, ValueError) as error:
            rows.append({"preset": preset})
            failures.append(f"{preset}: {error}")
        print(rows[-1], file=sys.stderr, flush=True)
    print(table_of(rows))
    if options.table:
        options.table.write_text(table_of(rows), encoding="utf-8")
    print("\n".join(failures), file=sys.stderr)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())

"""BLEU of trained translators by source length (Bahdanau et al., 2015, figure 2)."""
# Departures from the figure: source lengths are counted in pieces of the first preset's
# vocabulary, not in words; sentences are scored in bins, not smoothed along the axis;
# and every bin has an interval.

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.metrics.translation import bleu_tokenizer, score_by_length
from zoo.presets import preset_folder
from zoo.pretrained import load
from zoo.studies.checks import check_lengths
from zoo.studies.measurements import Measurements, Tell
from zoo.studies.report import Column, Line, Panel, Table, draw, write_tables

TEST_FILE = "test.tsv.gz"
_RESAMPLES = 1_000


@dataclass(frozen=True)
class SourceLengthOptions:
    """Which translators, on what.

    Attributes:
        presets: names or folders.
        data: a test file; the presets' own if `None`, which must then be the same.
        edges: longest source of each bin but the last, in pieces. A bin of fewer than
            50 sentences is joined to the one before it.

    Raises:
        ValueError: a preset named twice, or edges that do not rise.
    """

    presets: tuple[str, ...]
    data: str | None = None
    edges: tuple[int, ...] = (5, 6, 7, 8, 9, 10, 12, 15, 20, 30)

    def __post_init__(self):
        if not self.presets or len(set(self.presets)) < len(self.presets):
            raise ValueError(
                "Each preset is named once, and at least one. Received: "
                f"{', '.join(self.presets) or 'none'}."
            )
        check_lengths(self.edges, least=1)


def measure_source_length(folder, options, tell: Tell) -> Measurements:
    """Scores the presets that were not yet scored in a folder.

    A preset may be added to a folder later; one whose weights changed is scored anew.

    Args:
        folder: new, empty, or of a run on the same test data with the same edges.
        options: what to score.
        tell: told which preset it is at.

    Raises:
        ValueError: no such preset, presets with different test splits, or a folder
            that holds something else.
    """
    folders = [preset_folder(name) for name in options.presets]
    test = _test_file(options, folders)
    kept = Measurements(
        folder,
        "bottleneck, translation",
        {
            "data": hashlib.sha256(test.read_bytes()).hexdigest(),
            "edges": options.edges,
            "pieces_of": _vocabulary_hash(folders[0]),
        },
    )
    lengths = None
    for number, name in enumerate(options.presets):
        weights = _hash(folders[number] / "weights.safetensors")
        if kept.find(preset=name, weights=weights):
            continue
        tell(f"loading {name}", number, len(options.presets))
        trained = load(name)
        text = (
            trained.task.read_back(test)
            if options.data is None
            else trained.task.read(test)
        )
        if lengths is None:
            first = trained.task if number == 0 else load(options.presets[0]).task
            lengths = first.source_lengths(text.sources)
        tell(f"translating with {name}", number, len(options.presets))
        translations = [found.text for found in trained.predict(text.sources)]
        kept.add(
            preset=name,
            weights=weights,
            bins=binned_scores(translations, text.references, lengths, options.edges),
        )
    tell("done", len(options.presets), len(options.presets))
    return kept


def binned_scores(translations, references, lengths, edges) -> list[dict]:
    """BLEU in bins of source length, each with a 95 % bootstrap interval.

    Args:
        translations: what a model gave.
        references: accepted translations of each sentence.
        lengths: of each source.
        edges: longest source of each bin but the last.

    Returns:
        One dictionary a bin: what `score_by_length` gives, `mean_length`, `bleu_low`
        and `bleu_high`.
    """
    tokenizer = bleu_tokenizer([accepted[0] for accepted in references])
    lengths = np.asarray(lengths)
    rows = []
    for row in score_by_length(translations, references, lengths, tokenizer, edges):
        low, _, high = row["length"].rstrip("+").partition("-")
        # Empty sources are in the first bin.
        lowest = int(low) if rows else 0
        inside = (
            lengths >= lowest
            if not high
            else (lengths >= lowest) & (lengths <= int(high))
        )
        members = np.flatnonzero(inside)
        rows.append(
            row
            | {"mean_length": float(lengths[members].mean())}
            | _interval(
                [translations[n] for n in members],
                [references[n] for n in members],
                tokenizer,
            )
        )
    return rows


def _interval(translations, references, tokenizer) -> dict:
    """By resampling sentences; sacreBLEU's own, whose seed is fixed."""
    from sacrebleu.metrics import BLEU

    most = max(map(len, references))
    streams = [
        [accepted[k] if k < len(accepted) else None for accepted in references]
        for k in range(most)
    ]
    score = BLEU(tokenize=tokenizer).corpus_score(
        translations, streams, n_bootstrap=_RESAMPLES
    )
    mean, half = score._mean, score._ci
    return {"bleu_low": float(max(mean - half, 0.0)), "bleu_high": float(mean + half)}


def report_source_length(folder, options, kept: Measurements) -> list[Table]:
    """Writes bottleneck.md, its CSV and pictures; returns the tables."""
    weights = {
        name: _hash(preset_folder(name) / "weights.safetensors")
        for name in options.presets
    }
    found = {
        name: kept.find(preset=name, weights=weights[name])[-1]["bins"]
        for name in options.presets
    }
    table = _table(found, kept.machines)
    write_tables(Path(folder) / "bottleneck.md", [table])
    for suffix in (".png", ".svg"):
        draw(Path(folder) / f"bottleneck{suffix}", [_panel(found)], _CAPTION)
    return [table]


_CAPTION = "below each bin: its sentences; bars: 95 % bootstrap intervals"


def _table(found, machines):
    rows = [{"preset": name} | row for name, bins in found.items() for row in bins]
    columns = [
        Column("preset", "preset"),
        Column("length", "source length (pieces)", _shown),
        Column("mean_length", "mean length", ".1f", detail=True),
        Column("sentences", "sentences", "d"),
        Column("bleu", "BLEU", ".1f"),
        Column("bleu_low", "from", ".1f"),
        Column("bleu_high", "to", ".1f"),
        Column("chrf", "chrF", ".1f"),
    ]
    notes = [
        "BLEU of each bin by itself, of the search that the preset uses by default. "
        f"From and to: 95 % intervals of {_RESAMPLES:,} resamplings of a bin's "
        "sentences; they say nothing of how another training would differ. Lengths are "
        f"in pieces of {next(iter(found))}.",
        *(f"Machine: {machine}." for machine in machines),
    ]
    return Table("BLEU by source length", columns, rows, notes)


def _shown(length: str) -> str:
    low, _, high = length.partition("-")
    return low if low == high else length.replace("-", "–")


def _panel(found):
    first = next(iter(found.values()))
    ticks = {
        row["mean_length"]: f"{_shown(row['length'])}\n{row['sentences']}"
        for row in first
    }
    middle = (len(found) - 1) / 2
    lines = [
        Line(
            name,
            # Side by side, so that intervals do not hide one another.
            [row["mean_length"] + 0.12 * (style - middle) for row in bins],
            [row["bleu"] for row in bins],
            *([row[key] for row in bins] for key in ("bleu_low", "bleu_high")),
            style,
        )
        for style, (name, bins) in enumerate(found.items())
    ]
    highest = max(row["bleu_high"] for bins in found.values() for row in bins)
    return Panel(
        "BLEU by source length",
        "source length (pieces)",
        "BLEU",
        lines,
        x_ticks=ticks,
        y_range=(0.0, max(1.0, 1.08 * highest)),
    )


def _test_file(options, folders) -> Path:
    if options.data is not None:
        if not Path(options.data).is_file():
            raise FileNotFoundError(f"There is no test data {options.data}.")
        return Path(options.data)
    files = [folder / TEST_FILE for folder in folders]
    for name, file in zip(options.presets, files, strict=True):
        if not file.is_file():
            raise ValueError(f"{name} has no test split of its own: give --data.")
        if file.read_bytes() != files[0].read_bytes():
            raise ValueError(
                f"{options.presets[0]} and {name} have different test splits, so their "
                "scores would not compare. Give --data."
            )
    return files[0]


def _vocabulary_hash(folder) -> str:
    """Of all its files: lengths in pieces depend on them."""
    files = sorted((folder / "vocabulary").iterdir())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _hash(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

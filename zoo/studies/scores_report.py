"""Table and picture of the study of scores."""

import statistics
from pathlib import Path

from zoo.studies.measurements import Measurements
from zoo.studies.report import Column, Line, Panel, Table, draw, write_tables
from zoo.studies.scores import BASELINE, WINDOWS, name_of, read_options


def report_scores(folder, measurements: Measurements) -> list[Table]:
    """Writes scores.md, scores.csv and scores.png beside the measurements."""
    folder, options = Path(folder), read_options(folder)
    rows = [_summary(measurements, *cell) for cell in options.cells]
    tables = [_table(rows, options, measurements)]
    write_tables(folder / "scores.md", tables)
    draw(folder / "scores.png", _panels(rows, options))
    return tables


def _summary(measurements, attention, window) -> dict:
    """One row: the mean over seeds, and the lowest and highest BLEU."""
    cell = {"attention": attention, "window": window}
    found = measurements.find(kind="quality", **cell)
    row = cell | {key: found[0][key] for key in ("signature", "backend", "weights")}
    for key in ("valid_perplexity", "bleu", "chrf", "entropy"):
        values = [one[key] for one in found if one[key] is not None]
        row[key] = statistics.mean(values) if values else None
        if key in ("valid_perplexity", "bleu"):
            row |= {f"{key}_low": min(values), f"{key}_high": max(values)}
    for one in measurements.find(kind="time", **cell):
        row |= {key: one[key] for key in ("time", "time_low", "time_high")}
    return row


def _table(rows, options, measurements):
    base = BASELINE if BASELINE in options.cells else options.cells[0]
    columns = [
        Column("attention", "attention"),
        Column("window", "window"),
        Column("valid_perplexity", "valid. perplexity", ".2f"),
        Column("valid_perplexity_low", "lowest", ".2f", detail=True),
        Column("valid_perplexity_high", "highest", ".2f", detail=True),
        Column("bleu", "BLEU", ".2f"),
        Column("bleu_low", "lowest", ".2f", detail=True),
        Column("bleu_high", "highest", ".2f", detail=True),
        Column("chrf", "chrF", ".2f"),
        Column("entropy", "entropy, nats", ".2f"),
        Column("time", f"time a step, {name_of(base)} = 1", ".2f"),
        Column("time_low", "lower quartile", ".2f", detail=True),
        Column("time_high", "upper quartile", ".2f", detail=True),
        Column("weights", "weights", ",d"),
    ]
    backends = ", ".join(sorted({row["backend"] for row in rows}))
    notes = [
        f"Each model: `translation_rnn`, size {options.size}, {options.steps:,} steps "
        f"of {options.batch_tokens:,} target positions, pairs of at most "
        f"{options.longest} pieces a side, local windows of D = "
        f"{options.window_width}; mean, lowest and highest of {len(options.seeds)} "
        f"seed{'s'[: len(options.seeds) > 1]}; trained on {backends}.",
        f"BLEU with beam 4: `{rows[0]['signature']}`.",
        "Entropy: of the attention along the test references, mean over target pieces.",
        "Time: a training step of all models in turn in one process, median of the "
        f"ratios. {'; '.join(measurements.machines)}.",
    ]
    return Table("Scores and windows", columns, rows, notes)


def _panels(rows, options):
    windows = [w for w in WINDOWS if any(row["window"] == w for row in rows)]
    ticks = dict(enumerate(windows))
    panels = []
    for key, title, label in (
        ("bleu", "Translation", "BLEU on test"),
        ("entropy", "Sharpness", "entropy of the attention, nats"),
    ):
        lines = []
        for style, attention in enumerate(options.attentions):
            found = {r["window"]: r for r in rows if r["attention"] == attention}
            mine = [found.get(window, {}) for window in windows]
            ys, lows, highs = (
                [row.get(name) for row in mine]
                for name in (key, f"{key}_low", f"{key}_high")
            )
            if any(y is not None for y in ys):
                intervals = {"lows": lows, "highs": highs} if key == "bleu" else {}
                # Side by side, so that intervals do not hide one another.
                beside = 0.04 * (style - (len(options.attentions) - 1) / 2)
                xs = [tick + beside for tick in ticks]
                lines.append(Line(attention, xs, ys, style=style, **intervals))
        panels.append(Panel(title, "window", label, lines, x_ticks=ticks))
    return panels

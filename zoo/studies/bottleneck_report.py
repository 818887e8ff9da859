"""Tables and pictures of `zoo study bottleneck`, from its measurements."""

from pathlib import Path

from zoo.studies.bottleneck import ReversalOptions
from zoo.studies.measurements import Measurements
from zoo.studies.report import Column, Line, Panel, Table, draw, write_tables

_TITLES = {
    "none": "no attention (fixed-length vector)",
    "bahdanau": "Bahdanau (additive)",
    "general": "Luong (general)",
}


def report_reversal(folder, options: ReversalOptions, kept: Measurements):
    """Writes bottleneck.md, its CSV and pictures; returns the tables."""
    table = _table(kept.rows, options, kept.machines)
    write_tables(Path(folder) / "bottleneck.md", [table])
    for suffix in (".png", ".svg"):
        draw(
            Path(folder) / f"bottleneck{suffix}",
            _panels(kept.rows, options),
            f"reversal of random sequences over {options.alphabet} tokens, greedy "
            "decoding; bars: 95 % bootstrap intervals over held-out sequences",
        )
    return [table]


def _title(attention: str) -> str:
    return _TITLES.get(attention, attention)


def _table(rows, options, machines):
    columns = [
        Column("attention", "attention", _title),
        Column("length", "length", "d"),
        Column("accuracy", "tokens right", ".1%"),
        Column("accuracy_low", "from", ".1%", detail=True),
        Column("accuracy_high", "to", ".1%", detail=True),
        Column("whole", "sequences right", ".1%"),
        Column("whole_low", "from", ".1%", detail=True),
        Column("whole_high", "to", ".1%", detail=True),
        Column("sequences", "held-out sequences", "d", detail=True),
        Column("steps", "training steps", "d"),
        Column("batch", "sequences a step", "d", detail=True),
        Column("seconds", "training, s", ".1f"),
        Column("decoding_seconds", "decoding, s", ".1f", detail=True),
        Column("loss", "last loss", ".3f", detail=True),
        Column("parameters", "parameters", ",d"),
    ]
    notes = [
        f"Chance: {1 / options.alphabet:.1%} of tokens. Tokens and sequences are of "
        "greedy decoding, in which the model reads its own output; a sequence is right "
        "if every token is, the end included. From and to: 95 % bootstrap intervals "
        "over the held-out sequences of one training (seed "
        f"{options.seed}); other seeds may differ by more.",
        "Every model has the same sizes, data and steps. It begins each length with "
        "the weights from the length before, trains on sequences that grow from that "
        "length to this one and for the last third of the steps are of this one, and "
        "is judged on sequences of this one. Training seconds include compiling at the "
        "first length.",
        f"{options.units} units, embeddings of {options.embedding_size}, about "
        f"{options.batch_tokens} source tokens a step. The learning rate is "
        f"{options.learning_rate:g} · ({options.lengths[0]} / length)^(1/4), and falls "
        "to 0 in the last third of the steps.",
        *(f"Machine: {machine}." for machine in machines),
    ]
    rows = [
        row
        for attention in options.attentions
        for row in rows
        if row["attention"] == attention
    ]
    return Table("Reversing sequences after a small budget", columns, rows, notes)


def _panels(rows, options):
    ticks = {length: str(length) for length in options.lengths}
    return [
        Panel(
            title,
            "sequence length (tokens)",
            label,
            [
                *([_chance(options)] if key == "accuracy" else []),
                *(
                    _line(rows, attention, key, style)
                    for style, attention in enumerate(options.attentions)
                ),
            ],
            x_ticks=ticks,
            log_x=True,
            y_range=(-0.03, 1.03),
            format_y=lambda y: f"{y:.0%}",
        )
        for key, title, label in (
            ("accuracy", "Tokens", "tokens right"),
            ("whole", "Whole sequences", "sequences right to the last token"),
        )
    ]


def _chance(options):
    ends = [options.lengths[0], options.lengths[-1]]
    return Line("chance", ends, [1 / options.alphabet] * 2)


def _line(rows, attention, key, style):
    rows = [row for row in rows if row["attention"] == attention]
    rows.sort(key=lambda row: row["length"])
    return Line(
        _title(attention),
        *([row[name] for row in rows] for name in ("length", key)),
        *([row[f"{key}_{end}"] for row in rows] for end in ("low", "high")),
        style,
    )

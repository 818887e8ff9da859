"""Tables and pictures of `zoo study cost`, from its measurements."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from zoo.studies.cost import DIRECTIONS, FEWEST_ROUNDS, LAYERS, CostOptions
from zoo.studies.measurements import Measurements
from zoo.studies.report import Column, Line, Panel, Table, draw, write_tables

# Slopes are fitted to these last doublings of the length.
LAST_OCTAVES = 3
_PICTURES = {"cost": "forward+backward", "cost-forward": "forward"}


def report_cost(folder, options: CostOptions, kept: Measurements) -> list[Table]:
    """Writes cost.md, the tables as CSV, and the pictures; returns the tables."""
    rows = cost_rows(kept, options)
    tables = [
        _slope_table(slope_rows(rows, options), options),
        _cost_table(rows, options, kept.machines),
    ]
    write_tables(Path(folder) / "cost.md", tables)
    for name, direction in _PICTURES.items():
        panels = _panels([row for row in rows if row["direction"] == direction])
        for suffix in (".png", ".svg"):
            draw(Path(folder) / f"{name}{suffix}", panels, _caption(options, direction))
    return tables


def cost_rows(kept: Measurements, options: CostOptions) -> list[dict]:
    """A row for each layer, direction and length."""
    rows = []
    for direction in DIRECTIONS:
        for layer in options.layers:
            for length in options.lengths:
                group = {"length": length, "direction": direction}
                (memory,) = kept.find(what="memory", layer=layer, **group)
                (time,) = kept.find(what="time", **group)
                rows.append(
                    {"layer": layer, **group}
                    | _times(time, layer)
                    | {
                        "megabytes": memory.get("megabytes"),
                        "parameters": memory.get("parameters"),
                        "sequential": LAYERS[layer].sequential_operations(length),
                        "path": LAYERS[layer].path_length(length, options),
                        "skipped": memory.get("skipped"),
                    }
                )
    return rows


def _times(group, layer) -> dict:
    if layer not in group["seconds"]:
        return {}
    seconds = np.array(group["seconds"][layer])
    found = dict(zip(("low", "seconds", "high"), _quartiles(seconds), strict=True))
    found |= {"rounds": len(seconds), "calls": group["calls"][layer]}
    if "full" in group["seconds"]:
        ratios = _quartiles(seconds / np.array(group["seconds"]["full"]))
        names = ("ratio_low", "ratio", "ratio_high")
        found |= dict(zip(names, ratios, strict=True))
    return found


def _quartiles(values) -> list[float]:
    return [float(value) for value in np.percentile(values, [25, 50, 75])]


def slope_rows(rows: list[dict], options: CostOptions) -> list[dict]:
    """Growth of time and memory over the last octaves, beside table 1."""
    lengths = [
        length
        for length in options.lengths
        if length * 2**LAST_OCTAVES >= options.lengths[-1]
    ]
    found = []
    for layer in options.layers:
        for direction in DIRECTIONS:
            chosen = [
                row
                for row in rows
                if (row["layer"], row["direction"]) == (layer, direction)
                and row["length"] in lengths
            ]
            stated = asdict(LAYERS[layer])
            del stated["path_length"]
            found.append(
                stated
                | {"layer": layer, "direction": direction}
                | {"time_slope": _slope(chosen, "seconds")}
                | {"memory_slope": _slope(chosen, "megabytes")}
            )
    return found


def _slope(rows, key) -> float | None:
    """Least squares on logarithms: 1 is linear in the length, 2 quadratic."""
    points = [(row["length"], row[key]) for row in rows if row.get(key)]
    if len(points) < 2:
        return None
    xs, ys = np.log(np.array(points, dtype="float64")).T
    return float(np.polyfit(xs, ys, 1)[0])


def _title(layer: str) -> str:
    return LAYERS[layer].title


def _slope_table(rows, options):
    lengths = options.lengths
    columns = [
        Column("layer", "layer", _title),
        Column("direction", "direction"),
        Column("complexity", "operations of a layer"),
        Column("power", "power of n", "d", detail=True),
        Column("time_slope", "measured: time", ".2f"),
        Column("memory_slope", "measured: memory", ".2f"),
        Column("sequential", "sequential operations", detail=True),
        Column("path", "longest path", detail=True),
    ]
    notes = [
        "Measured: the slope of the logarithm of time (of peak memory) on that of the "
        f"length n, least squares over the last {LAST_OCTAVES} octaves up to "
        f"{lengths[-1]}: 1 is linear, 2 quadratic. Operations and sequential "
        "operations as in table 1 of Vaswani et al. (2017); d size, k kernel, w how "
        "far a window reaches to either side.",
        "Longest path: steps between the first and the last position, through a stack "
        "of as many such layers as that takes. For convolution the paper also gives "
        "⌈log_k n⌉, of a stack of dilated kernels; the kernel measured here is "
        "contiguous.",
        "A layer's products with its weights cost n·d² whatever it attends to, so the "
        "n² of full attention shows in time only where n is well above d.",
    ]
    return Table("How cost grows with length", columns, rows, notes)


def _cost_table(rows, options, machines):
    columns = [
        Column("layer", "layer", _title),
        Column("direction", "direction"),
        Column("length", "length n", "d"),
        Column("seconds", "median time", _seconds),
        Column("low", "1st quartile", _seconds),
        Column("high", "3rd quartile", _seconds),
        Column("ratio", "time / full attention", ".2f"),
        Column("ratio_low", "1st quartile", ".2f"),
        Column("ratio_high", "3rd quartile", ".2f"),
        Column("rounds", "rounds", "d"),
        Column("calls", "calls a round", "d"),
        Column("megabytes", "peak memory", _memory),
        Column("parameters", "parameters", ",d"),
        Column("sequential", "sequential operations", ",d"),
        Column("path", "longest path", ",d"),
        Column("skipped", "skipped"),
    ]
    notes = [
        f"Batch 1, size {options.size}, {options.heads} heads, windows of "
        f"{options.window} to either side, float32, compiled by tf.function, threads "
        "as TensorFlow sets them. forward+backward is the gradient of the inputs and "
        "of all weights.",
        "Times are of interleaved rounds in one run, ratios are taken within a round. "
        f"At most {options.rounds} rounds, and fewer, but at least {FEWEST_ROUNDS}, "
        f"where those of a length and direction pass {options.seconds:g} s. A short "
        "call is repeated within a round and its time averaged.",
        "Peak memory: how far one call lifts the highest resident size of a fresh "
        "process above its level before, weights and inputs not counted, outputs and "
        f"gradients counted. Calls expected to pass {options.max_memory:g} GB are "
        "skipped.",
        *(f"Machine: {machine}." for machine in machines),
    ]
    return Table("Time and memory", columns, rows, notes)


def _panels(rows):
    lengths = sorted({row["length"] for row in rows})
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    panels = []
    for key, title, label, shown in (
        ("seconds", "Time of a call", "median time", _seconds),
        ("megabytes", "Peak memory of a call", "peak memory", _memory),
    ):
        lines = [
            _line([row for row in rows if row["layer"] == layer], key, style)
            for style, layer in enumerate(layers)
        ]
        panels.append(
            Panel(
                title,
                "sequence length (positions)",
                label,
                [*_references(lines, lengths), *lines],
                x_ticks={length: str(length) for length in lengths},
                log_x=True,
                log_y=True,
                format_y=shown,
            )
        )
    return panels


def _line(rows, key, style):
    spread = key == "seconds"
    return Line(
        LAYERS[rows[0]["layer"]].title,
        [row["length"] for row in rows],
        # A logarithmic axis has no place for 0.
        [row.get(key) or None for row in rows],
        [row.get("low") for row in rows] if spread else None,
        [row.get("high") for row in rows] if spread else None,
        style,
    )


def _references(lines, lengths):
    """Slopes 1 and 2 over the last octaves, below and above what was measured."""
    ends = [y for line in lines for y in line.ys[-1:] if y]
    if not ends or len(lengths) < 2:
        return []
    xs = [length for length in lengths if length * 2**LAST_OCTAVES >= lengths[-1]]
    return [
        Line(None, xs, [end * (x / xs[-1]) ** power for x in xs], note=note)
        for power, end, note in (
            (1, min(ends) / 2, "∝ n"),
            (2, max(ends) * 2, "∝ n²"),
        )
    ]


def _caption(options, direction):
    return (
        f"{direction}, batch 1, size {options.size}, {options.heads} heads, windows of "
        f"{options.window} to either side; bars: quartiles of the rounds"
    )


def _seconds(value: float) -> str:
    for factor, unit in ((1, "s"), (1e-3, "ms")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def _memory(megabytes: float) -> str:
    if megabytes >= 1000:
        return f"{megabytes / 1000:.3g} GB"
    return f"{megabytes:.3g} MB"

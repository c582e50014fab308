"""The costs over the number of passages, on logarithmic axes, each with its exponent.

`python -m tests.benchmarks.plot SCALE.json … OUT.svg` draws what `tests.benchmarks.scale` measured, a line an encoder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.figures import Record, costs_by_size, exponent

PANELS = (
    ("build seconds", "indexing without the encoder, s"),
    ("ask search_p50", "search p50, ms"),
    ("ask answer_p50", "whole answer p50, ms"),
    ("ask peak_memory_mb", "memory answering, MB"),
)


Lines = Mapping[str, Sequence[tuple[float, float]]]
"""Points (passages, cost) by the name of their line."""


def plot(records: list[Record], path: Path) -> None:
    """Write the plot of the systems; the file's name says whether as SVG or PNG."""
    draw({title: costs_by_size(records, name) for name, title in PANELS}, path)


def plot_scale(measured: Sequence[Path], path: Path) -> None:
    """Write the plot of searches from the files that `tests.benchmarks.scale` wrote."""
    runs = [json.loads(file.read_text()) for file in measured]

    def lines(part: str, key: str | None = None) -> Lines:
        return {
            run["encoder"]: [(s["passages"], s[part][key] if key else s[part]) for s in run["sizes"]] for run in runs
        }

    panels = {f"search {key}, ms": lines("fused_ms", key) for key in ("p50", "p95")}
    draw({**panels, "memory, MB": lines("peak_mb"), "disk, MB": lines("disk_mb")}, path)


def draw(panels: Mapping[str, Lines], path: Path) -> None:
    """Write a plot with a panel for each title."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"  # the same figures give the same file
    matplotlib.rcParams["svg.fonttype"] = "none"  # text as text: a tenth of the size
    from matplotlib import pyplot

    figure, parts = pyplot.subplots(1, len(panels), figsize=(14, 3.6), layout="constrained")
    for (title, lines), axes in zip(panels.items(), parts, strict=True):
        for name, points in lines.items():
            if points:
                grows = f": n^{exponent(points):.2f}" if len(points) > 1 else ""
                axes.plot(*zip(*points, strict=True), marker="o", label=name + grows)
        axes.set(xscale="log", yscale="log", xlabel="passages", title=title)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


if __name__ == "__main__":
    *measured, out = map(Path, sys.argv[1:])
    plot_scale(measured, out)

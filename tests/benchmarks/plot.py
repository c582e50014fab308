"""The costs over the number of passages, a line a system, on logarithmic axes, each with its exponent."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.figures import Record, costs_by_size, exponent

PANELS = (
    ("build seconds", "indexing without the encoder, s"),
    ("ask search_p50", "search p50, ms"),
    ("ask answer_p50", "whole answer p50, ms"),
    ("ask peak_memory_mb", "memory answering, MB"),
)


def plot(records: list[Record], path: Path) -> None:
    """Write the plot; the file's name says whether as SVG or PNG."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"  # the same figures give the same file
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(PANELS), figsize=(14, 3.6), layout="constrained")
    for (name, title), axes in zip(PANELS, panels, strict=True):
        for system, points in costs_by_size(records, name).items():
            if points:
                grows = f": n^{exponent(points):.2f}" if len(points) > 1 else ""
                axes.plot(*zip(*points, strict=True), marker="o", label=system + grows)
        axes.set(xscale="log", yscale="log", xlabel="passages", title=title)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)

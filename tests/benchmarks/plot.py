"""The costs over the number of passages, a line a system, on logarithmic axes."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.figures import Record, medians

PANELS = (
    ("build seconds", "indexing, s"),
    ("ask search_p50", "search p50, ms"),
    ("ask answer_p50", "whole answer p50, ms"),
)


def plot(records: list[Record], path: Path) -> None:
    """Write the plot; the file's name says whether as SVG or PNG."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"  # the same figures give the same file
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(PANELS), figsize=(10, 3.2), layout="constrained")
    sizes = sorted({(_passages(records, r["size"]), r["size"]) for r in records})
    found = {size: medians([r for r in records if r["size"] == size]) for _, size in sizes}
    for (name, title), axes in zip(PANELS, panels, strict=True):
        for system in dict.fromkeys(r["system"] for r in records):
            points = [(n, found[size][system][name]) for n, size in sizes if name in found[size].get(system, {})]
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", label=system)
        axes.set(xscale="log", yscale="log", xlabel="passages", title=title)
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _passages(records: list[Record], size: str) -> int:
    return int(max(r["figures"]["passages"] for r in records if r["size"] == size and r["phase"] == "build"))

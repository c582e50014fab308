"""The report's plots as SVG that can stand in a page of HTML. Knows numbers only, nothing of questions or answers."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, SOFT, ACCENT, PALE = "#1f2326", "#8a9097", "#1d5c88", "#c9dbe8"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # words stay words: they can be searched, read aloud and set in the page's own font
    "svg.hashsalt": "report",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def reliability_bins(
    confidences: Sequence[float], right: Sequence[bool], *, bins: int = 10
) -> list[tuple[float, float, int]]:
    """Mean confidence, share right and count of each equal-width bin that is not empty; the bins of `metrics.ece`."""
    sure, hits = np.asarray(confidences, dtype=float), np.asarray(right, dtype=float)
    place = np.clip((sure * bins).astype(int), 0, bins - 1)
    return [
        (float(sure[place == b].mean()), float(hits[place == b].mean()), int((place == b).sum()))
        for b in np.unique(place)
    ]


def risk_coverage(confidences: Sequence[float], right: Sequence[bool]) -> list[tuple[float, float, float]]:
    """Confidence, coverage and risk at each threshold, from the highest confidence down.

    Coverage is the share of all questions at or above that confidence, risk the share of wrong ones among them
    (El-Yaniv and Wiener 2010, "On the Foundations of Noise-free Selective Classification").
    """
    sure, hits = np.asarray(confidences, dtype=float), np.asarray(right, dtype=float)
    points = []
    for value in np.unique(sure)[::-1]:
        above = sure >= value
        points.append((float(value), float(above.mean()), float(1 - hits[above].mean())))
    return points


def reliability(confidences: Sequence[float], right: Sequence[bool]) -> str:
    """How often the best span is right at each confidence, with the number of questions below."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        means, shares, counts = (list(column) for column in zip(*reliability_bins(confidences, right), strict=True))
        upper.plot([0, 1], [0, 1], color=SOFT, linestyle="--", linewidth=1, label="as sure as right")
        upper.plot(means, shares, color=ACCENT, marker="o", linewidth=1.5, label="measured")
        upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share right")
        upper.legend(frameon=False, loc="upper left")
        places = [min(int(mean * 10), 9) / 10 + 0.05 for mean in means]
        lower.bar_label(lower.bar(places, counts, width=0.09, color=PALE), fontsize=8)
        lower.set(xlabel="confidence", ylabel="questions")
        lower.margins(y=0.3)
        return _svg(figure, "reliability", f"Reliability diagram of {sum(counts)} questions")


def risk_curve(confidences: Sequence[float], right: Sequence[bool], *, threshold: float) -> str:
    """What share is wrong among the surest questions, against how many those are; the threshold in use is marked."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5, 4.6), layout="constrained")
        axes = figure.subplots()
        points = risk_coverage(confidences, right)
        axes.plot([c for _, c, _ in points], [r for _, _, r in points], color=ACCENT, drawstyle="steps-post")
        taken = [(c, r) for value, c, r in points if value >= threshold]
        if taken:
            axes.plot(*taken[-1], color=ACCENT, marker="o", linestyle="none", label=f"threshold {threshold:.2f}")
            axes.legend(frameon=False, loc="upper left")
        axes.set(xlim=(0, 1.01), ylim=(0, None), xlabel="coverage: share of questions answered")
        axes.set_ylabel("risk: share of those that is wrong")
        return _svg(figure, "risk", "Risk-coverage curve")


def k_curve(points: Sequence[tuple[int, float, float, float, float]]) -> str:
    """F1 and milliseconds against the number of passages read.

    Args:
        points: k, F1, the ends of its 95 % interval, and milliseconds a question.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5, 4.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        ks, scores, lows, highs, times = (list(column) for column in zip(*points, strict=True))
        ends = [np.subtract(scores, lows), np.subtract(highs, scores)]
        upper.errorbar(ks, scores, yerr=ends, color=ACCENT, marker="o", capsize=3, elinewidth=1)
        lower.plot(ks, times, color=ACCENT, marker="o")
        upper.set(ylabel="F1 without abstention")
        lower.set(xlabel="k: passages read at most", ylabel="milliseconds (median)", xticks=ks, ylim=(0, None))
        _label(upper, ks, scores, "{:.3f}")
        _label(lower, ks, times, "{:.0f}")
        return _svg(figure, "curve", "F1 and milliseconds against the number of passages read")


def standalone(svg: str) -> str:
    """A plot as a file of its own, on white."""
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return svg.replace("<svg", f'<svg {spaces} style="background:#fff"', 1) + "\n"


def _label(axes: Axes, xs: Sequence[float], ys: Sequence[float], form: str) -> None:
    for x, y in zip(xs, ys, strict=True):
        axes.annotate(form.format(y), (x, y), xytext=(4, 5), textcoords="offset points", fontsize=8)
    axes.margins(x=0.08, y=0.25)


def _svg(figure: Figure, name: str, label: str) -> str:
    """The figure as an SVG element whose ids begin with `name`, so that several can stand in one page."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata=_NO_METADATA, transparent=True)
    svg = out.getvalue()
    svg = re.sub(r' xmlns(?::xlink)?="[^"]*"', "", svg[svg.index("<svg") :])  # HTML knows them without
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{name}-", svg)
    return svg.replace("<svg", f'<svg id="{name}" role="img" aria-label="{html.escape(label)}"', 1)

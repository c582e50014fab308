"""From single measurements to the table: medians of runs, ratios, lines of Markdown. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from qa.metrics import f1

ROWS = (
    ("build passages", "passages", 0),
    ("build seconds", "indexing the corpus, s", 1),
    ("build passages_per_second", "indexing, passages a second", 0),
    ("build cpu_seconds", "indexing, processor time, s", 1),
    ("changed seconds", "sync, 1 % of the files changed, s", 2),
    ("unchanged seconds", "sync, nothing changed, s", 3),
    ("ask start_seconds", "start to first answer, s", 1),
    ("ask search_p50", "search p50, ms", 1),
    ("ask search_p95", "search p95, ms", 1),
    ("ask answer_p50", "whole answer p50, ms", 0),
    ("ask answer_p95", "whole answer p95, ms", 0),
    ("ask answer_cpu_p50", "whole answer, processor time p50, ms", 0),
    ("build peak_memory_mb", "peak memory indexing, MB", 0),
    ("ask peak_memory_mb", "peak memory answering, MB", 0),
    ("build disk_mb", "disk, MB", 1),
    ("ask recall@5", "recall@5", 3),
    ("ask f1_best", "F1, best answer", 3),
    ("ask f1_given", "F1, with abstaining", 3),
)
NO_COST = {"build passages", "build passages_per_second", "ask recall@5", "ask f1_best", "ask f1_given"}
"""Without a ratio: systems cut the same corpus into different numbers of passages, and of quality differences count."""

Record = dict[str, Any]


def percentiles(seconds: Sequence[float], name: str) -> dict[str, float]:
    """The 50th and 95th percentiles in milliseconds, as `name_p50` and `name_p95`."""
    return {f"{name}_p{p}": float(np.percentile(np.asarray(seconds) * 1000, p)) for p in (50, 95)}


def quality(questions: Sequence[dict], searched: Sequence[Sequence], answered: Sequence[Sequence[str]]) -> Record:
    """Recall and F1 of what a system found.

    `recall@5`: an answerable question counts if one of the passages is from its file and holds a right answer.
    `f1_best`: of the best answer to answerable questions, nothing held back. `f1_given`: of what is given, over all
    questions; where the documents do not say, giving nothing is right.
    """
    rows = list(zip(questions, searched, answered, strict=True))
    answerable = [row for row in rows if row[0]["answers"]]

    def held(question: dict, passages: Sequence) -> bool:
        return any(file == question["file"] and any(a in text for a in question["answers"]) for file, text in passages)

    return {
        "questions": len(rows),
        "recall@5": float(np.mean([held(q, passages) for q, passages, _ in answerable])),
        "f1_best": float(np.mean([f1(best, q["answers"]) for q, _, (best, _) in answerable])),
        "f1_given": float(np.mean([f1(given, q["answers"]) for q, _, (_, given) in rows])),
    }


def medians(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """By system, the median over its runs of every figure, named "phase figure"; records are of one size."""
    values: dict[str, dict[str, list[float]]] = {}
    for record in records:
        for name, value in record["figures"].items():
            values.setdefault(record["system"], {}).setdefault(f"{record['phase']} {name}", []).append(value)
    return {system: {name: statistics.median(v) for name, v in found.items()} for system, found in values.items()}


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The e of cost = c · size^e that fits points (size, cost) best, by least squares on logarithms."""
    sizes, costs = np.log(np.asarray(points)).T
    return float(np.polyfit(sizes, costs, 1)[0])


def costs_by_size(records: Sequence[Record], name: str) -> dict[str, list[tuple[int, float]]]:
    """By system, the medians of the figure "phase name" at each number of passages, fewest first."""
    sizes = sorted({int(r["size"]) for r in records})
    found = {size: medians([r for r in records if int(r["size"]) == size]) for size in sizes}
    systems = dict.fromkeys(r["system"] for r in records)
    return {s: [(n, found[n][s][name]) for n in sizes if name in found[n].get(s, {})] for s in systems}


def growth(records: Sequence[Record]) -> str:
    """Markdown: by cost and system, the exponent with which it grows over the sizes."""
    if len({r["size"] for r in records}) < 2:
        return ""
    systems = list(dict.fromkeys(r["system"] for r in records))
    lines = ["| exponent | " + " | ".join(systems) + " |", "|---" * (len(systems) + 1) + "|"]
    for name, title, _ in ROWS:
        if name not in NO_COST:
            found = costs_by_size(records, name)
            cells = [f"{exponent(p):.2f}" if len(p := found.get(s, [])) > 1 else "–" for s in systems]
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def table(found: dict[str, dict[str, float]], systems: Sequence[str]) -> str:
    """Markdown: a row a figure, a column a system; a peer's cost is followed by how many times ours it is."""
    lines = ["| | " + " | ".join(systems) + " |", "|---" * (len(systems) + 1) + "|"]
    for name, title, digits in ROWS:
        ours = found.get("ours", {}).get(name)
        cells = []
        for system in systems:
            value = found.get(system, {}).get(name)
            compared = value is not None and ours and system != "ours" and name not in NO_COST
            shown = "–" if value is None else f"{value:,.{digits}f}"
            ratio = value / ours if compared else 0
            times = f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2g}"
            cells.append(f"{shown} ({times}×)" if compared else shown)
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)

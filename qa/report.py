"""The evaluation as one page of HTML that needs nothing else: figures, stages, plots, and every miss in its class.

Whatever stands in a document or a question is shown as text. Marks are made by offsets.
"""

from __future__ import annotations

import html
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from index import Block, Document, Index
from index.progress import visible
from qa import plots
from qa.bootstrap import RESAMPLES, intervals_of, mean_interval, stages
from qa.confidence import Confidence
from qa.metrics import f1
from qa.outcomes import RIGHT_F1, Outcome, holds
from qa.surroundings import sentence_of, shown_range

MISSES = {
    "not retrieved": "No passage with the answer is among those that were read.",
    "retrieved, not read": "A passage with the answer was read, but the best span stands elsewhere.",
    "wrong span": "The best span stands in a passage with the answer, but its words are others.",
    "wrongly abstained": "The best span is right, but the confidence is below the threshold.",
    "should have abstained": "The documents do not answer the question, yet an answer was given.",
}
GOLD_PLACES = 3
_STYLE = """
:root { color-scheme: light; --ink: #1f2326; --soft: #5a6168; --line: #dcd9d0; --accent: #1d5c88; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); }
h1, h2, h3 { line-height: 1.25; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
a { color: var(--accent); } .soft, small { color: var(--soft); } li, article { overflow-wrap: anywhere; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; font-weight: 400; }
thead th { border-bottom: 1px solid var(--line); color: var(--soft); } td { font-variant-numeric: tabular-nums; }
.range { position: relative; display: inline-block; width: 10rem; height: .5rem; background: #eceae4; }
.range i { position: absolute; height: 100%; background: var(--accent); }
figure { display: inline-block; width: 30rem; max-width: 100%; margin: 0 .5rem 1rem 0; vertical-align: top; }
figure svg { width: 100%; height: auto; } figcaption { color: var(--soft); }
.misses > li { margin-bottom: 1rem; } .misses p { margin: 0; } .question { font-weight: 600; }
article { margin: 1rem 0; padding: .6rem 1rem; border: 1px solid var(--line); border-radius: .4rem; }
article p { margin: 0; } :target { outline: 3px solid var(--accent); }
mark { background: #ffd75e; } mark.gold { background: #bfe5c4; }
"""


@dataclass(frozen=True)
class Place:
    """A paragraph to show, a range of its document's text, with the ranges in it that are marked."""

    path: str
    title: str
    start: int
    end: int
    text: str
    marks: tuple[tuple[int, int], ...]
    gold: bool


def miss(outcome: Outcome, k: int) -> str | None:
    """The class of a question that went wrong, one of `MISSES`, when `k` passages were read; None if it went right.

    It is named by the first stage that failed: a question whose answer was not found is no wrong abstention.
    """
    best, question = outcome.examination.best, outcome.question
    if not outcome.answerable:
        return "should have abstained" if outcome.text else None
    if outcome.right:
        return None if outcome.text else "wrongly abstained"
    gold = [hit.passage for hit in outcome.examination.hits[:k] if holds(hit, question)]
    if not gold:
        return "not retrieved"
    inside = best is not None and any(
        p.document.path == best.document.path and p.start < best.end and best.start < p.end for p in gold
    )
    return "wrong span" if inside else "retrieved, not read"


def report(
    name: str,
    outcomes: Sequence[Outcome],
    figures: dict[str, Any],
    index: Index,
    confidence: Confidence,
    *,
    k: int,
    curve: Sequence[tuple[int, Sequence[Outcome]]] = (),
) -> str:
    """The page.

    Args:
        name: what was evaluated, for its title.
        outcomes: what became of each question, at least one.
        figures: what `figures_of` made of them.
        index: what they were asked of.
        confidence: what decided.
        k: how many passages were read.
        curve: the outcomes of the same questions with other numbers of passages read.
    """
    intervals = intervals_of(outcomes, null_margin=confidence.null_margin)
    versions = ", ".join(f"{package} {number}" for package, number in figures.get("versions", {}).items())
    body = [
        f"<h1>Evaluation of {_shown(name)}</h1>",
        f"<p>{figures['questions']:,} questions, {figures['passages']:,} passages, {k} of them read for a question; "
        f"no answer below a confidence of {confidence.threshold:.2f}. "
        f"The intervals hold 95 % of {RESAMPLES:,} resamples of them.<br><small>{_shown(versions)}</small></p>",
        "<h2>Figures</h2>",
        _table((group, part, value, intervals.get(group, {}).get(part)) for group, part, value in _flat(figures)),
    ]
    if any(o.answerable for o in outcomes):
        rows = [(stage, figure, found.figure, found) for stage, figure, found in stages(outcomes, index)]
        body += ["<h2>What each stage adds</h2>", _table(rows)]
    sure, right = [o.examination.answer.confidence for o in outcomes], [o.right for o in outcomes]
    drawn = [
        ("Can the confidence be believed?", plots.reliability(sure, right)),
        ("What is wrong among the surest?", plots.risk_curve(sure, right, threshold=confidence.threshold)),
    ]
    points = [_point(number, found) for number, found in curve if any(o.answerable for o in found)]
    drawn += [("What does reading more passages bring?", plots.k_curve(points))] if points else []
    body += ["<h2>Plots</h2>", *(f"<figure><figcaption>{title}</figcaption>{plot}</figure>" for title, plot in drawn)]
    body += _misses(outcomes, index, k)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Evaluation of {_shown(name)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head>\n<body>{chr(10).join(body)}</body></html>\n"
    )


def _flat(figures: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    for group, values in figures.items():
        if isinstance(values, dict) and group != "versions":
            for part, value in values.items():
                yield group, part, value


def _table(rows: Any) -> str:
    lines = []
    for group, part, value, found in rows:
        shown = f"{value:.3f}" if abs(value) < 2 else f"{value:,.1f}"
        range_, bar = "", ""
        if found is not None:
            range_ = f"{found.low:.3f} – {found.high:.3f}"
            left, width = 99 * found.low, 99 * (found.high - found.low) + 1  # wide enough to be seen
            bar = f'<span class="range"><i style="left:{left:.1f}%;width:{width:.1f}%"></i></span>'
        cells = f'<th scope="row">{_shown(group)}</th><td>{_shown(part)}</td><td>{shown}</td>'
        lines.append(f"<tr>{cells}<td>{range_}</td><td>{bar}</td></tr>")
    head = "".join(f'<th scope="col">{column}</th>' for column in ("", "figure", "value", "95 % interval", "0 to 1"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _point(k: int, outcomes: Sequence[Outcome]) -> tuple[int, float, float, float, float]:
    """k, F1 of the best spans with its interval, given or not, and milliseconds."""
    best = [(o.examination.best.text if o.examination.best else "", o.question.answers) for o in outcomes]
    found = mean_interval([f1(text, answers) for text, answers in best if answers])
    return k, found.figure, found.low, found.high, 1000 * statistics.median(o.seconds for o in outcomes)


def _misses(outcomes: Sequence[Outcome], index: Index, k: int) -> Iterator[str]:
    classed = [(miss(o, k), o) for o in outcomes]
    shown: dict[Place, int] = {}
    counts = {name: sum(found == name for found, _ in classed) for name in MISSES}
    yield (
        f"<h2>Misses</h2><p>{sum(counts.values()):,} of {len(outcomes):,} questions, each where it first went wrong. "
        f"A span is right if it shares {RIGHT_F1:.0%} of its words (F1) with a right answer.</p><ul>"
    )
    yield "".join(f'<li><a href="#{_slug(name)}">{name}</a>: {count:,}</li>' for name, count in counts.items())
    yield "</ul>"
    for name, why in MISSES.items():
        yield f'<h3 id="{_slug(name)}">{name.capitalize()} ({counts[name]:,})</h3><p class="soft">{why}</p>'
        lines = [_miss(o, index, shown) for found, o in classed if found == name]
        yield f'<ol class="misses">{"".join(lines)}</ol>' if lines else "<p>None.</p>"
    yield '<h2>Passages</h2><p>Marked are <mark>the best span</mark> and <mark class="gold">right answers</mark>.</p>'
    for place, number in shown.items():
        yield (
            f'<article id="passage-{number}"><p><small>[{number}] {_shown(place.title)} · {_shown(place.path)}, '
            f'characters {place.start}–{place.end}</small></p><p dir="auto">{marked(place)}</p></article>'
        )


def _miss(outcome: Outcome, index: Index, shown: dict[Place, int]) -> str:
    question, answer, best = outcome.question, outcome.examination.answer, outcome.examination.best
    understood = f'<p class="soft">understood as: {_shown(answer.understood_as)}</p>' if answer.understood_as else ""
    gold = " · ".join(f"<q>{_shown(a)}</q>" for a in question.answers) or "none: the documents do not say"
    given = f"<q>{_shown(outcome.text)}</q>" if outcome.text else "no answer"
    if not outcome.text and best is not None:
        given += f", the best span being <q>{_shown(best.text)}</q>"
    rank = f", first found at rank {outcome.rank}" if outcome.rank else ""
    places = [_best_place(outcome), *_gold_places(outcome, index)]
    numbered = [(place, shown.setdefault(place, len(shown) + 1)) for place in places if place is not None]
    links = [
        f'<a href="#passage-{number}">{"right" if place.gold else "best span"} [{number}] {_shown(place.title)}</a>'
        for place, number in numbered
    ]
    return (
        f'<li><p class="question" dir="auto">{_shown(question.question)}</p>{understood}<p>Right: {gold}{rank}</p>'
        f"<p>Given: {given} (confidence {answer.confidence:.2f})</p><p>Passages: {'; '.join(links) or 'none'}</p></li>"
    )


def _best_place(outcome: Outcome) -> Place | None:
    best = outcome.examination.best
    return None if best is None else _place(best.document, best.block, [(best.start, best.end)], gold=False)


def _gold_places(outcome: Outcome, index: Index) -> list[Place]:
    """The first paragraphs that hold a right answer, of the question's document, or of those found if it names none."""
    question, hits = outcome.question, outcome.examination.hits
    answers = sorted(filter(None, question.answers), key=len, reverse=True)
    if not answers:
        return []
    held = {h.passage.document.path: h.passage.document for h in hits if holds(h, question)}
    documents = held.values() if question.document is None else [index.document(question.document)]
    places = []
    for document, block in ((d, b) for d in documents for b in d.blocks if b.kind == "paragraph"):
        found = re.finditer("|".join(map(re.escape, answers)), document.text[block.start : block.end])
        marks = [(block.start + m.start(), block.start + m.end()) for m in found]
        places += [_place(document, block, marks, gold=True)] if marks else []
    return places[:GOLD_PLACES]


def _place(document: Document, block: Block, marks: Sequence[tuple[int, int]], *, gold: bool) -> Place:
    start, end = shown_range(block, sentence_of(document, block, *marks[0]))
    inside = tuple((a, b) for a, b in marks if start <= a and b <= end)
    return Place(document.path, document.title, start, end, document.text[start:end], inside, gold)


def marked(place: Place) -> str:
    """The paragraph as HTML, what is marked in it found by its offsets."""
    parts, done = [], 0
    for start, end in ((a - place.start, b - place.start) for a, b in place.marks):
        mark = '<mark class="gold">' if place.gold else "<mark>"
        parts.append(f"{_shown(place.text[done:start])}{mark}{_shown(place.text[start:end])}</mark>")
        done = end
    return "".join(parts) + _shown(place.text[done:])


def _shown(text: str) -> str:
    return html.escape(visible(text))


def _slug(name: str) -> str:
    return re.sub(r"\W+", "-", name)

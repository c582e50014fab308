"""Answers and their sources to HTML.

Knows `qa`'s results, nothing of Gradio or where they come from. A button that asks something of the server names the
event in `data-event`, and what it is about in `data-turn` (which answer) and `data-place` (which of its citations).
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from app.marks import marked, plain, shown, window
from qa import Alternative, Answer, Citation, copy_text
from qa.answer import NO_ANSWER

REACH_SENTENCE, REACH_PASSAGE = 600, 2_000
"""How many characters are shown to either side of the cited words, at most."""

STALE = "Changed since it was indexed."
_LEVELS = ((0.9, "very likely right"), (0.7, "probably right"), (0.4, "uncertain"), (0.0, "doubtful"))


def confidence(probability: float) -> str:
    """The confidence in words and as a percentage, with what it means for those who point at it or reach it by key."""
    words = next(words for level, words in _LEVELS if probability >= level or level == 0.0)
    if probability >= 0.95:
        share = "at least 19 in 20"
    elif probability < 0.05:
        share = "fewer than 1 in 20"
    else:
        share = f"about {max(1, round(probability * 10))} in 10"
    meaning = f"{share} answers at this level were right".capitalize()
    label = f"{words}, {probability:.0%}"
    return (
        f'<span class="confidence" tabindex="0" role="note" aria-label="Confidence: {label}. {meaning}." '
        f'data-tip="{meaning}." style="--share:{min(max(probability, 0.0), 1.0):.2f}">{label}</span>'
    )


def places(answer: Answer) -> tuple[Citation, ...]:
    """All citations of an answer in the order of `data-place`: its own, those of alternatives, related passages."""
    return (*answer.citations, *(c for other in answer.alternatives for c in other.citations), *answer.related)


def conversation(answers: Sequence[Answer], *, pending: str | None = None, problem: str | None = None) -> str:
    """The turns so far; then the question that is being looked up, or what is wrong with the one just put."""
    parts = [_turn(answer, number) for number, answer in enumerate(answers)]
    if pending is not None:
        parts.append(
            f'<article class="turn">{_question(pending)}'
            '<p class="searching">Searching the documents<span aria-hidden="true">…</span></p></article>'
        )
    if problem is not None:
        parts.append(f'<div class="turn problem" role="alert"><p>{shown(problem)}</p></div>')
    return "".join(parts)


def welcome(documents: int, corpus: str, examples: Sequence[str]) -> str:
    """What stands where the conversation will be: what this is, and questions to begin with."""
    buttons = "".join(
        f'<li><button type="button" data-event="example_select" data-example="{number}">{shown(text)}</button></li>'
        for number, text in enumerate(examples)
    )
    title = '<p class="try" id="try">Try one of these</p>' if examples else ""
    count = f"{documents:,} document{'' if documents == 1 else 's'}"
    return (
        f'<section class="welcome"><h2>What would you like to know?</h2>'
        f"<p>You get the exact words of the {count} in <bdi>{shown(corpus)}</bdi>, with the place where they stand, "
        f'or are told that the documents do not say.</p>{title}<ul aria-labelledby="try">{buttons}</ul></section>'
    )


def sources(answer: Answer | None, turn: int) -> str:
    """The sources pane of one answer: a card for each place."""
    if answer is None:
        return '<p class="nothing">The sources of an answer are shown here.</p>'
    groups: list[tuple[str, tuple[Citation, ...]]] = [
        ("Sources" if len(answer.citations) > 1 else "Source", answer.citations),
        ("Sources of other possible answers", tuple(c for other in answer.alternatives for c in other.citations)),
        ("Related, not an answer", answer.related),
    ]
    parts, place = [], 0
    for title, citations in groups:
        if citations:
            parts.append(f"<h2>{title}</h2>")
        for citation in citations:
            parts.append(_card(citation, turn, place, cites=title != groups[2][0]))
            place += 1
    return "".join(parts) or '<p class="nothing">There is nothing in the documents that comes close.</p>'


def _turn(answer: Answer, turn: int) -> str:
    understood = ""
    if answer.understood_as:
        understood = (
            f'<p class="understood">understood as: <bdi>{shown(answer.understood_as)}</bdi> '
            f'<button type="button" data-event="undo" data-turn="{turn}">Ask it as I typed it</button></p>'
        )
    partial = f'<p class="partial" role="note">Incomplete: {shown(answer.partial)}.</p>' if answer.partial else ""
    body = _no_answer(answer, turn) if answer.text is None else _found(answer, turn)
    return f'<article class="turn" data-turn="{turn}">{_question(answer.question)}{understood}{partial}{body}</article>'


def _question(text: str) -> str:
    return f'<h2 class="question"><span class="away">You asked: </span><bdi>{shown(text)}</bdi></h2>'


def _found(answer: Answer, turn: int) -> str:
    place = len(answer.citations)
    others = []
    for other in answer.alternatives:
        others.append(f"<li>{_sentence(other, turn, place)} {confidence(other.confidence)}</li>")
        place += len(other.citations)
    folded = ""
    if others:
        title = "1 other possible answer" if len(others) == 1 else f"{len(others)} other possible answers"
        folded = f"<details><summary>{title}</summary><ul>{''.join(others)}</ul></details>"
    count = f"{answer.sources} source{'' if answer.sources == 1 else 's'}"
    stale = changed(turn) if any(c.stale for c in answer.citations) else ""
    return (
        f'<div class="answer">{_sentence(answer, turn, 0)}{stale}<p class="meta">{confidence(answer.confidence)}'
        f'<button type="button" data-event="select" data-turn="{turn}">{count}</button>{_actions(answer, turn)}</p>'
        f"{folded}</div>"
    )


def _actions(answer: Answer, turn: int) -> str:
    # A text to paste keeps its lines, and control characters are named already.
    text = escape(copy_text(answer).encode("utf-8", "replace").decode(), quote=True).replace("\n", "&#10;")
    thumbs = "".join(
        f'<button type="button" class="thumb {kind}" data-event="like" data-turn="{turn}" data-right="{right}" '
        f'aria-label="{label}" title="{label}"></button>'
        for kind, right, label in (("up", 1, "This is right"), ("down", 0, "This is wrong"))
    )
    return f'<button type="button" data-event="copy" data-text="{text}">Copy</button><span>{thumbs}</span>'


def _sentence(answer: Answer | Alternative, turn: int, place: int) -> str:
    numbers = "".join(_number(c, turn, place + i) for i, c in enumerate(answer.citations))
    if not answer.citations:
        return f'<p class="words"><strong>{shown(answer.text or "")}</strong></p>'
    first = answer.citations[0]
    length, a, b = len(first.sentence), first.start - first.sentence_start, first.end - first.sentence_start
    low, high = window(length, a, b, REACH_SENTENCE)
    words = marked(first.sentence[low:high], first.sentence_start + low, first, tag="strong")
    before, after = "… " if low else "", " …" if high < length else ""
    return f'<p class="words" dir="auto">{before}{words}{after}<span class="numbers">{numbers}</span></p>'


def _number(citation: Citation, turn: int, place: int) -> str:
    where = ", ".join(part for part in (plain(citation.title), plain(citation.place)) if part)
    return (
        f'<button type="button" class="number" data-event="expand" data-turn="{turn}" data-place="{place}" '
        f'aria-label="Source {citation.number}: {where}" title="{where}">{citation.number}</button>'
    )


def _no_answer(answer: Answer, turn: int) -> str:
    related = "".join(
        f"<li>{_number(c, turn, place)} <bdi>{shown(c.title)}</bdi>, <bdi>{shown(c.place)}</bdi></li>"
        for place, c in enumerate(answer.related)
    )
    closest = f'<p class="label">Related, not an answer</p><ul class="related">{related}</ul>' if related else ""
    return (
        f'<div class="answer none"><p class="words">{NO_ANSWER}</p>{closest}'
        f'<p class="meta">{_actions(answer, turn)}</p></div>'
    )


def _card(citation: Citation, turn: int, place: int, *, cites: bool) -> str:
    passage = citation.passage
    low, high = window(len(passage.text), citation.start - passage.start, citation.end - passage.start, REACH_PASSAGE)
    piece = passage.text[low:high]
    text = marked(piece, passage.start + low, citation) if cites and not citation.stale else shown(piece)
    before, after = "… " if low else "", " …" if high < len(passage.text) else ""
    stale = f'<p class="stale">{STALE}</p>' if citation.stale else ""
    if citation.copy_of is not None:
        stale += f'<p class="note">Nearly the same text as [{citation.copy_of}]: the two count as one source.</p>'
    return (
        f'<article class="card"><h3>{_number(citation, turn, place)} <bdi>{shown(citation.title)}</bdi></h3>'
        f'{where(citation, citation.date)}{stale}<p class="passage" dir="auto">{before}{text}{after}</p></article>'
    )


def changed(turn: int, more: str = "") -> str:
    """That a cited document changed since it was indexed, and a way to ask again when that is made up for."""
    return (
        f'<p class="stale" tabindex="-1">{STALE} {more} <button type="button" data-event="retry" data-turn="{turn}">'
        "Look for changes and ask again</button></p>"
    )


def where(citation: Citation, date: str | None) -> str:
    """Date, file and place of a citation, one line."""
    parts = (date, citation.document, citation.place)
    shown_parts = "".join(f"<span><bdi>{shown(part)}</bdi></span>" for part in parts if part)
    return f'<p class="where">{shown_parts}</p>'

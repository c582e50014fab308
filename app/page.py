"""One document to HTML: all its text in its blocks, the cited words marked where they stand."""

from __future__ import annotations

from collections.abc import Iterator

from app.marks import marked, plain, shown, window
from app.render import changed, places, where
from qa import Answer, Citation, Document

REACH = 300_000
"""How many characters are shown to either side of the cited words, at most: browsers grow slow beyond."""


def document_view(document: Document, answer: Answer, turn: int, place: int) -> str:
    """The whole document with the cited words and their sentence marked; unmarked if it is no longer what was cited."""
    every = places(answer)
    citation, length = every[place], len(document.text)
    good = not is_stale(citation, document)
    low, high = window(length, *((citation.start, citation.end) if good else (0, 0)), REACH)
    note = "" if good else changed(turn, "The words are not marked, for they may stand elsewhere.")
    if high - low < length:
        note += f'<p class="note">Characters {low:,} to {high:,} of {length:,} are shown.</p>'
    near = " near" if answer.text is None else ""
    return _page(
        document.title,
        f"{turn}-{place}",
        where(citation, document.date),
        _step("‹", "Previous source", turn, place - 1, len(every))
        + f'<span class="of">{place + 1} of {len(every)}</span>'
        + _step("›", "Next source", turn, place + 1, len(every)),
        f'{note}<div class="text{near}" tabindex="0" role="group" aria-label="Text of the document" dir="auto">'
        f"{''.join(_blocks(document, citation if good else None, low, high))}</div>",
    )


def missing_document(citation: Citation, turn: int) -> str:
    """What is shown instead of a document that is no longer in the index."""
    note = changed(turn, "This document is no longer in the index.")
    return _page(citation.title, "", where(citation, citation.date), "", note)


def is_stale(citation: Citation, document: Document) -> bool:
    """True if the citation's offsets need not hold in this document."""
    return (
        citation.stale
        or document.sha256 != citation.sha256
        or document.text[citation.start : citation.end] != citation.text
    )


def _page(title: str, key: str, where: str, steps: str, body: str) -> str:
    return (
        f'<section class="page" data-place="{key}" aria-label="Document {plain(title)}"><header><div class="title">'
        f'<h2><bdi>{shown(title)}</bdi></h2>{where}</div><nav aria-label="Sources of this answer">{steps}'
        '<button type="button" class="close" data-event="collapse" aria-label="Close the document" title="Close (Esc)">'
        f"✕</button></nav></header>{body}</section>"
    )


def _step(sign: str, label: str, turn: int, place: int, count: int) -> str:
    off = "" if 0 <= place < count else " disabled"
    return (
        f'<button type="button" class="step" data-event="expand" data-turn="{turn}" data-place="{place}" '
        f'aria-label="{label}"{off}>{sign}</button>'
    )


def _blocks(document: Document, citation: Citation | None, low: int, high: int) -> Iterator[str]:
    """The text of [low, high) in its blocks; what lies between blocks stays, so that no character is lost."""

    def piece(a: int, b: int) -> str:
        text = document.text[a:b]
        return shown(text) if citation is None else marked(text, a, citation, first_id="cited")

    at, page = low, None
    for block in document.blocks:
        start, end = max(block.start, at), min(block.end, high)
        if start >= end:
            continue
        if start > at:
            yield _between(piece(at, start), document.text[at:start])
        if block.page is not None and block.page != page:
            page = block.page
            yield f'<span class="sheet" data-page="Page {page}"></span>'
        role = ' role="heading" aria-level="3"' if block.kind == "heading" else ""
        yield f'<span class="{block.kind}"{role}>{piece(start, end)}</span>'
        at = end
    if at < high:
        yield _between(piece(at, high), document.text[at:high])


def _between(piece: str, text: str) -> str:
    return f'<span class="{"blank" if text.isspace() else "between"}">{piece}</span>'

"""The documents as a list for people, and which of them a question is put to. Pure; knows nothing of Gradio."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from app.marks import plain, shown
from qa import BadQuery, Entry

MOST_SHOWN = 100
"""How many documents are listed at a time, and how many files with a reason: beyond, only their number is."""

MOST_CHOICES = 5_000
"""How many folders and documents are offered to choose from; any other can be written."""

OWN = "added: "
"""What begins the choice of a file that the person added."""

EVERY_OWN = "added files"
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")

Only = frozenset[str] | None
"""The paths of the only documents to search; None for all."""


def choices(entries: Sequence[Entry], own: Sequence[str]) -> list[str]:
    """What a question can be limited to, as far as it is offered: added files, folders (ending in /), documents."""
    folders = {f"{folder}/" for entry in entries for folder in _folders(entry.path)}
    added = [EVERY_OWN, *(OWN + name for name in own)] if own else []
    return [*added, *[*sorted(folders), *(entry.path for entry in entries)][:MOST_CHOICES]]


def chosen(
    entries: Sequence[Entry], own: Sequence[Entry], places: Sequence[str], since: str, until: str
) -> tuple[Only, Only]:
    """The documents of the corpus, and those of the added files, that a question is put to.

    Args:
        entries: the documents of the corpus.
        own: the files that the person added.
        places: of `choices`, or any folder or document; all documents if empty.
        since: a date, a month or a year, `2031-03-04`, `2031-03` or `2031`, or nothing.
        until: the same, itself included. With either, documents without a date are left out.

    Raises:
        BadQuery: if a date is none, or no document is left.
    """
    since, until = _date(since), _date(until)
    if not (places or since or until):
        return None, None
    folders = {place for place in places if place.endswith("/")}
    corpus = frozenset(
        e.path
        for e in entries
        if (not places or e.path in places or any(f"{f}/" in folders for f in _folders(e.path)))
        and _is_between(e.date, since, until)
    )
    added = frozenset(
        e.path
        for e in own
        if (not places or EVERY_OWN in places or OWN + e.path in places) and _is_between(e.date, since, until)
    )
    if not corpus and not added:
        raise BadQuery("no document fits what “Search only in” and the dates allow: choose others or clear them")
    return corpus, added


def listing(
    entries: Sequence[Entry],
    unreadable: Mapping[str, str],
    synced: datetime | None,
    own: Sequence[str] = (),
    *,
    first: int = 0,
    status: str = "",
    refused: Mapping[str, str] | None = None,
) -> str:
    """The list: how many documents, when they were last looked at, each of them, what could not be read and why.

    Args:
        entries: the documents of the corpus.
        unreadable: path and reason of the files of the corpus that could not be read.
        synced: when the folder was last looked at.
        own: the files that the person added; each can be removed.
        first: the number of the first document that is listed; `MOST_SHOWN` are.
        status: what is just being done, or was.
        refused: name and reason of the files just sent that were not taken.
    """
    return "".join(
        [
            f'<p class="status" role="status">{shown(status)}</p>',
            _reasons("Not added", refused or {}, role=' role="alert"'),
            _own(own),
            f'<p class="count">{_count(len(entries), "document")}',
            f", {_count(sum(e.passages for e in entries), 'passage')}",
            f"; last looked at {synced:%Y-%m-%d %H:%M} UTC" if synced is not None else "",
            "</p>",
            _reasons("Could not be read", unreadable),
            _steps(first, len(entries)),
            '<ul class="documents" aria-label="Documents">',
            *_rows(entries[first : first + MOST_SHOWN]),
            "</ul>",
        ]
    )


def _rows(entries: Sequence[Entry]) -> Iterator[str]:
    for e in entries:
        parts = (e.date, e.path, _count(e.passages, "passage"))
        where = "".join(f"<span><bdi>{shown(part)}</bdi></span>" for part in parts if part)
        yield f'<li><bdi>{shown(e.title)}</bdi><p class="where">{where}</p></li>'


def _steps(first: int, count: int) -> str:
    if count <= MOST_SHOWN:
        return ""
    steps = ""
    for label, to in (("Previous", max(0, first - MOST_SHOWN)), ("Next", first + MOST_SHOWN)):
        off = " disabled" if to >= count or to == first else ""
        steps += f'<button type="button" data-event="apply" data-first="{to}"{off}>{label} {MOST_SHOWN}</button>'
    return f'<p class="steps">{first + 1:,} to {min(first + MOST_SHOWN, count):,} {steps}</p>'


def _own(names: Sequence[str]) -> str:
    if not names:
        return ""
    rows = "".join(
        f'<li><bdi>{shown(name)}</bdi> <button type="button" data-event="delete" data-file="{number}" '
        f'aria-label="Remove {plain(name)}">Remove</button></li>'
        for number, name in enumerate(names)
    )
    return f'<p class="label">Added by you, seen by nobody else, removed when you leave</p><ul class="own">{rows}</ul>'


def _reasons(title: str, reasons: Mapping[str, str], role: str = "") -> str:
    if not reasons:
        return ""
    rows = [f"<li><bdi>{shown(path)}</bdi>: {shown(reason)}</li>" for path, reason in reasons.items()]
    more = f"<li>and {len(rows) - MOST_SHOWN:,} more</li>" if len(rows) > MOST_SHOWN else ""
    return f'<div class="reasons"{role}><p>{title} ({len(rows):,})</p><ul>{"".join(rows[:MOST_SHOWN])}{more}</ul></div>'


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _folders(path: str) -> list[str]:
    return [p.as_posix() for p in PurePosixPath(path).parents if p.name]


def _date(text: str) -> str:
    text = (text or "").strip()
    if text and not _DATE.fullmatch(text):
        raise BadQuery(f"the date “{text[:40]}” cannot be read: write it as 2031-03-04, 2031-03 or 2031")
    return text


def _is_between(date: str | None, since: str, until: str) -> bool:
    if not (since or until):
        return True
    return date is not None and date[: len(since)] >= since and (not until or date[: len(until)] <= until)

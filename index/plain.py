"""Plain text: its characters, and where its title, headings, paragraphs and asides are.

The canonical text is the decoded file with line ends as newlines. Whether a line is a paragraph or a part of one is
decided once for each document.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from index.blocks import Block, Content, Kind, is_aside, one_line
from index.dates import date_of_line
from index.errors import UnreadableDocument
from index.sentences import WIDEST_LINE

_BOMS = (  # UTF-32's first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NARROWEST_LINE = 40
_LONGEST_TITLE = 150
_LONGEST_HEADING_LINE = 80
_LONGEST_QUESTION = 60
_DATED_LINES = 6
_LIST_ITEM = re.compile(r"(?:[-*+•‣◦–—]|\(?(?:\d{1,3}|[a-z])[.)])\s")
_NO_HEADING = re.compile(r"[\"'“”‘’«»„]|by [A-Z]", re.IGNORECASE)
_CLOSING = ('"', "'", "”", "’", "»", ")", "]")


def bom_encoding(data: bytes) -> tuple[str, int] | None:
    """The encoding that a byte order mark names, and how many bytes the mark takes; None without one."""
    return next(((name, len(mark)) for mark, name in _BOMS if data.startswith(mark)), None)


def decode(data: bytes) -> str:
    """The text of a file, by its byte order mark or as UTF-8 or Windows-1252, with `\\n` line ends and no mark.

    Raises:
        UnreadableDocument: it is no text.
    """
    marked = bom_encoding(data)
    if marked is None and b"\0" in data:
        raise UnreadableDocument("it is binary, or UTF-16 without a byte order mark: save it as UTF-8 text")
    text = None
    for encoding, skip in [marked] if marked else [("utf-8", 0), ("cp1252", 0)]:
        try:
            text = data[skip:].decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    if text is None and marked:
        raise UnreadableDocument(f"it is damaged: marked as {marked[0].upper()} and is not; save it as UTF-8 text")
    if text is None:
        raise UnreadableDocument("its characters are neither UTF-8 nor Windows-1252: save it as UTF-8 text")
    if "\0" in text:
        raise UnreadableDocument("it is binary (NUL characters): save it as UTF-8 text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True)
class _Line:
    """A line that is not blank: its range without the blanks around it, and whether a blank line stands above."""

    start: int
    end: int
    after_blank: bool


def read_plain(text: str) -> Content:
    """Title, date and blocks of a news article or other plain text; no title if the first line is no headline."""
    lines = _lines(text)
    groups = _wrapped_groups(text, lines) if _is_wrapped(text, lines) else [(x.start, x.end) for x in lines]
    parts = [text[start:end] for start, end in groups]
    asides = list(map(is_aside, parts))
    headings = [not aside and _is_heading(part) for part, aside in zip(parts, asides, strict=True)]
    below = _lengths_below(parts, asides, headings)
    title = date = None
    blocks: list[Block] = []
    body_begun = False
    for number, (start, end) in enumerate(groups):
        kind: Kind = "paragraph"
        dated = date_of_line(parts[number]) if date is None and number < _DATED_LINES else None
        if dated or asides[number]:
            date, kind = date or dated, "aside"
        elif not body_begun:
            body_begun = True
            if _is_title(parts[number]):
                title, kind = one_line(parts[number]), "heading"
        elif headings[number] and below[number] > end - start:
            kind = "heading"
        blocks.append(Block(start, end, kind))
    return Content(text, tuple(blocks), title, date)


def _lines(text: str) -> list[_Line]:
    found = []
    at = 0
    after_blank = True
    for raw in text.split("\n"):
        stripped = raw.strip()
        if stripped:
            start = at + len(raw) - len(raw.lstrip())
            found.append(_Line(start, start + len(stripped), after_blank))
        after_blank = not stripped
        at += len(raw) + 1
    return found


def _is_wrapped(text: str, lines: list[_Line]) -> bool:
    """Whether newlines only keep the lines short: the next line's first word would mostly have been one too many."""
    if not lines:
        return False
    lengths = sorted(x.end - x.start for x in lines)
    width = lengths[int(0.95 * (len(lengths) - 1))] if len(lengths) > 20 else lengths[-1]
    if not _NARROWEST_LINE <= width <= WIDEST_LINE:
        return False
    broken = [(a, b) for a, b in zip(lines, lines[1:], strict=False) if not (b.after_blank or _is_apart(text, b))]
    full = sum(_is_full(text, a, b, width * 0.9) for a, b in broken)
    lower = sum(text[b.start].islower() for _, b in broken)
    return bool(broken) and full >= 0.6 * len(broken) and lower >= len(broken) / 3


def _is_apart(text: str, line: _Line) -> bool:
    part = text[line.start : line.end]
    return _LIST_ITEM.match(part) is not None or is_aside(part)


def _is_full(text: str, line: _Line, following: _Line, width: float) -> bool:
    word = text[following.start : min(following.end, following.start + WIDEST_LINE)].split(maxsplit=1)[0]
    return line.end - line.start + 1 + len(word) > width


def _wrapped_groups(text: str, lines: list[_Line]) -> list[tuple[int, int]]:
    """The paragraphs of hard-wrapped text: apart by blank lines, or as list items, headings, asides and date lines."""
    groups: list[tuple[int, int]] = []
    alone = True
    for number, line in enumerate(lines):
        part = text[line.start : line.end]
        single = is_aside(part) or (number < _DATED_LINES and date_of_line(part) is not None)
        if alone or single or line.after_blank or _LIST_ITEM.match(part):
            groups.append((line.start, line.end))
            following = lines[number + 1] if number + 1 < len(lines) else None
            glued = following is not None and not following.after_blank and not text[following.start].islower()
            alone = single or (
                glued and following is not None and _is_heading(part) and not _is_full(text, line, following, 60)
            )
        else:
            groups[-1] = (groups[-1][0], line.end)
            alone = False
    return groups


def _lengths_below(parts: list[str], asides: list[bool], headings: list[bool]) -> list[int]:
    """For each part the length of the next that is no aside, or 0 where none follows or it looks like a heading too."""
    below = [0] * len(parts)
    length = 0
    for number in range(len(parts) - 1, -1, -1):
        below[number] = length
        if not asides[number]:
            length = 0 if headings[number] else len(parts[number])
    return below


def _is_title(part: str) -> bool:
    return (
        len(part) <= _LONGEST_TITLE
        and not part.endswith((".", ",", ";", ":"))
        and not part.rstrip("".join(_CLOSING)).endswith((".", ","))
        and _LIST_ITEM.match(part) is None
    )


def _is_heading(part: str) -> bool:
    """Whether a line looks like one: short, no closing punctuation, no list item, quotation or byline."""
    if len(part) > _LONGEST_HEADING_LINE or "\n" in part or _LIST_ITEM.match(part) or _NO_HEADING.match(part):
        return False
    letter = next(filter(str.isalnum, part), "")
    bare = part.rstrip("".join(_CLOSING))
    if not letter or letter.islower() or bare.endswith((".", ",", ";", ":", "!", "…")):
        return False
    return not bare.endswith("?") or len(part) <= _LONGEST_QUESTION

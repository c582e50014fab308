"""What all formats share: blocks, the canonical text built from extracted pieces, and which lines are no passages.

Knows nothing of files or formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["paragraph", "heading", "aside"]

LONGEST_HEADING = 200
_LONGEST_ASIDE = 300
_ASIDE = re.compile(
    r"(?:read (?:more|also|next|on)|see (?:also|more)|also read|more on this(?: story| topic)?|advertisement"
    r"|related (?:articles?|stories|news|coverage|links?|posts?)|further reading|recommended reading"
    r"|you (?:may|might) also like)\s*(?:[:|–—-]|$)"
    r"|(?:related|watch(?: now| live| also| more)?|listen(?: now| also)?|recommended|don['’]t miss)\s*[:|]",
    re.IGNORECASE,
)
_DROPPED = re.compile(r"[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Block:
    """A character range [start, end) of a document's text and what it is.

    A heading belongs to the paragraphs that follow it; an aside ("Read more: …", a date line) is part of the text but
    of no passage. `page` counts from 1 and is None where the format has no pages.
    """

    start: int
    end: int
    kind: Kind
    page: int | None = None


@dataclass(frozen=True)
class Piece:
    """One block's text on its way into the canonical text."""

    text: str
    kind: Kind = "paragraph"
    page: int | None = None


@dataclass(frozen=True)
class Content:
    """What a format gives: the canonical text, its blocks, and title and date where the format says them."""

    text: str
    blocks: tuple[Block, ...]
    title: str | None = None
    date: str | None = None


def has_words(text: str) -> bool:
    """Whether there is a letter or digit of any script in `text`."""
    return any(map(str.isalnum, text))


def one_line(text: str) -> str:
    """`text` with every run of blanks as one space and none around it."""
    return " ".join(text.split())


def is_aside(text: str) -> bool:
    """Whether a block only links elsewhere ("Read more: …", "Related: …") or holds no words at all."""
    return not has_words(text) or (len(text) <= _LONGEST_ASIDE and _ASIDE.match(text) is not None)


def kind_of(text: str, marked: Kind) -> Kind:
    """`marked`, what the format calls the block, unless its words say otherwise.

    A wordless or linking block is an aside. What is marked as a heading and longer than LONGEST_HEADING is a paragraph
    that somebody wanted large: it must stay findable.
    """
    if marked == "aside" or is_aside(text):
        return "aside"
    return "paragraph" if len(text) > LONGEST_HEADING else marked


def join(pieces: Iterable[Piece]) -> tuple[str, tuple[Block, ...]]:
    """The canonical text of extracted pieces, a blank line between them, and its blocks; blank pieces are left out."""
    texts: list[str] = []
    blocks: list[Block] = []
    start = 0
    for piece in pieces:
        text = _DROPPED.sub("", piece.text).strip()
        if not text:
            continue
        blocks.append(Block(start, start + len(text), kind_of(text, piece.kind), piece.page))
        texts.append(text)
        start += len(text) + 2
    return "\n\n".join(texts), tuple(blocks)

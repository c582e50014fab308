"""Documents to passages: ranges of the text, never copies or cleaned versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from index.blocks import one_line
from index.documents import Document
from index.sentences import sentences

SHORTEST = 80
LONGEST = 1000

Range = tuple[int, int]


@dataclass(frozen=True)
class Passage:
    """A paragraph of a document as a character range [start, end) of its text, and the heading it stands under."""

    ordinal: int
    start: int
    end: int
    heading: str


def split(document: Document, *, shortest: int = SHORTEST, longest: int = LONGEST) -> list[Passage]:
    """The passages of `document`, in order.

    Paragraphs of fewer than `shortest` characters are joined with the one that follows under the same heading, or with
    the one that precedes where none follows, unless that would make them longer than `longest`. Longer paragraphs are
    cut at sentence ends; there neighbours share about a sentence. A document of headings alone gets passages over
    these, so that it can be found.

    Args:
        document: any document, with blocks in order.
        shortest: characters below which a paragraph does not stand alone.
        longest: characters that no passage exceeds, at least 1.
    """
    text = document.text
    passages: list[Passage] = []
    for heading, paragraphs in _sections(document):
        for start, end in _joined(text, paragraphs, shortest, longest):
            for a, b in _cut(text, start, end, longest):
                passages.append(Passage(len(passages), a, b, heading))
    return passages


def _sections(document: Document) -> Iterator[tuple[str, list[Range]]]:
    """The headings, each with paragraphs between which stand only blanks."""
    headings = [b for b in document.blocks if b.kind == "heading"]
    if headings and not any(b.kind == "paragraph" for b in document.blocks):
        yield "", [(headings[0].start, headings[-1].end)]
        return
    heading = ""
    paragraphs: list[Range] = []
    for block in document.blocks:
        if block.kind == "paragraph":
            paragraphs.append((block.start, block.end))
            continue
        yield heading, paragraphs
        paragraphs = []
        if block.kind == "heading":
            heading = "" if block == document.title_heading else one_line(document.text[block.start : block.end])
    yield heading, paragraphs


def _joined(text: str, paragraphs: list[Range], shortest: int, longest: int) -> list[Range]:
    """The paragraphs, short ones widened over their neighbour."""
    joined: list[Range] = []
    for start, end in paragraphs:
        if joined and joined[-1][1] - joined[-1][0] < shortest and _may_join(text, joined[-1], (start, end), longest):
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    if (
        len(joined) > 1
        and joined[-1][1] - joined[-1][0] < shortest
        and _may_join(text, joined[-2], joined[-1], longest)
    ):
        joined[-2:] = [(joined[-2][0], joined[-1][1])]
    return joined


def _may_join(text: str, before: Range, after: Range, longest: int) -> bool:
    if text[before[1] : after[0]].strip():
        return False
    # What is to be cut anyway may grow; what fits as it is must not be made to need a cut.
    return after[1] - before[0] <= longest or max(before[1] - before[0], after[1] - after[0]) > longest


def _cut(text: str, start: int, end: int, longest: int) -> Iterator[Range]:
    """[start, end), in overlapping parts of whole sentences if it is longer than `longest`."""
    if end - start <= longest:
        yield start, end
        return
    units = [u for a, b in sentences(text[start:end]) for u in _fitting(text, start + a, start + b, longest)]
    first = 0
    while first < len(units):
        last = first
        while last + 1 < len(units) and units[last + 1][1] - units[first][0] <= longest:
            last += 1
        yield units[first][0], units[last][1]
        following = last + 1
        # The last sentence is repeated at the start of the next part, where that part still gets a new one with it.
        fits = last > first and following < len(units) and units[following][1] - units[last][0] <= longest
        first = last if fits else following


def _fitting(text: str, start: int, end: int, longest: int) -> Iterator[Range]:
    """A sentence; one longer than `longest` in pieces of a quarter of that, cut at blanks where there are any."""
    if end - start <= longest:
        yield start, end
        return
    size = max(1, longest // 4)
    while start < end:
        stop = min(start + size, end)
        if stop < end and not text[stop].isspace():
            cut = stop
            while cut > start and not text[cut - 1].isspace():
                cut -= 1
            stop = cut if cut > start else stop
        piece = text[start:stop]
        yield start, start + len(piece.rstrip())
        start = stop
        while start < end and text[start].isspace():
            start += 1

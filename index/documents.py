"""Files to documents: canonical text, title, date, hash, and the blocks that the text is made of.

Knows the file formats, nothing of passages, embeddings or where a document is kept. The canonical text of a `.txt` or
`.md` file is the decoded file with line ends as `\\n`, so that its offsets are those of RFC 5147; that of other formats
is the text extracted from them, one block a paragraph, and it is the same each time the same file is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["paragraph", "heading", "aside"]


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
class Anchor:
    """Where in a document something stands, as a person would look it up; None where the format has no such thing.

    `line` counts lines of a text file from 1, `page` pages from 1, `paragraph` the document's paragraphs from 1;
    `heading` is the text of the nearest heading above.
    """

    line: int | None
    page: int | None
    heading: str | None
    paragraph: int | None


@dataclass(frozen=True)
class Document:
    """One file of the corpus. `path` is relative to the corpus folder, with forward slashes; `date` is ISO 8601."""

    path: str
    sha256: str
    title: str
    date: str | None
    text: str
    blocks: tuple[Block, ...]

"""Files to documents: canonical text, title, date, hash, and the blocks that the text is made of.

Knows nothing of passages, embeddings or where a document is kept. The canonical text of a `.txt` or `.md` file is the
decoded file with line ends as `\\n`, so that its offsets are those of RFC 5147; that of other formats is the text
extracted from them, one block a paragraph, and it is the same each time the same file is read.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath

from index.blocks import Block, Content, Kind, has_words, one_line
from index.bounded import read_bounded
from index.dates import date_in
from index.errors import UnreadableDocument
from index.files import SUFFIXES, TEXT_SUFFIXES, is_inside
from index.plain import decode, read_plain

__all__ = [
    "MAX_BYTES", "Anchor", "Block", "Document", "Kind", "UnreadableDocument", "content_of", "file_sha256", "parse",
    "read_document",
]  # fmt: skip

MAX_BYTES = 50_000_000

_DATE_IN_NAME = re.compile(r"\d{4}-\d{2}-\d{2}")


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

    @cached_property
    def title_heading(self) -> Block | None:
        """The first heading, if it is the title: then it is no heading of the paragraphs below it."""
        first = next((b for b in self.blocks if b.kind == "heading"), None)
        return first if first and one_line(self.text[first.start : first.end]) == self.title else None

    def block_at(self, offset: int) -> Block | None:
        """The block that holds the character at `offset`, or the nearest before it; None where there is none."""
        number = bisect_right(self.blocks, offset, key=lambda b: b.start) - 1
        return self.blocks[number] if number >= 0 else None

    def anchor(self, offset: int) -> Anchor:
        """Where the character at `offset` stands. The title at the top is no `heading`; asides have no `paragraph`."""
        block = self.block_at(offset)
        paragraph = None
        if block is not None and block.kind == "paragraph":
            paragraph = bisect_right(self._paragraph_starts, offset)
        number = bisect_right(self._headings, offset, key=lambda b: b.end) - 1
        heading = self._headings[number] if number >= 0 else None
        is_text = PurePosixPath(self.path).suffix.lower() in TEXT_SUFFIXES
        return Anchor(
            line=self.text.count("\n", 0, offset) + 1 if is_text else None,
            page=block.page if block is not None else None,
            heading=one_line(self.text[heading.start : heading.end]) if heading is not None else None,
            paragraph=paragraph,
        )

    @cached_property
    def _paragraph_starts(self) -> list[int]:
        return [b.start for b in self.blocks if b.kind == "paragraph"]

    @cached_property
    def _headings(self) -> list[Block]:
        return [b for b in self.blocks if b.kind == "heading" and b != self.title_heading]


def read_document(path: Path, root: Path) -> Document:
    """The document at `path`, inside the corpus folder `root`; its hash and its text are of the same bytes.

    Raises:
        UnreadableDocument: whatever is wrong with it, in words for people.
    """
    relative = _relative(path, root)
    return parse(_read_bytes(path), relative, content=_content)


def file_sha256(path: Path, root: Path) -> str:
    """The hash of the file at `path`, as `read_document` would find it, without reading what is in it.

    Raises:
        UnreadableDocument: as `read_document` does where the file itself is at fault.
    """
    _relative(path, root)
    return sha256(_read_bytes(path)).hexdigest()


def parse(data: bytes, path: str, *, content: Callable[[bytes, str], Content] | None = None) -> Document:
    """The document that the bytes `data` of the file named `path` (relative, forward slashes) are.

    `content` reads the bytes of a file with the given suffix; by default this process does, without bounds.

    Raises:
        UnreadableDocument: it can't be read, or there are no words in it.
    """
    name = PurePosixPath(path)
    suffix = name.suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableDocument(f"its suffix is none of {', '.join(sorted(SUFFIXES))}")
    if not data.strip():
        raise UnreadableDocument("it is empty")
    found = (content or content_of)(data, suffix)
    if not has_words(found.text):
        extracted = suffix not in TEXT_SUFFIXES
        raise UnreadableDocument("there is no text in it: a scan?" if extracted else "there are no words in it")
    return Document(
        path=path,
        sha256=sha256(data).hexdigest(),
        title=found.title or _readable(name.stem),
        date=date_in(name.stem) or found.date,
        text=found.text,
        blocks=found.blocks,
    )


def _relative(path: Path, root: Path) -> str:
    try:
        relative = path.relative_to(root).as_posix()
        relative.encode("utf-8")
        inside = is_inside(os.path.realpath(path), os.path.realpath(root))
    except UnicodeEncodeError as error:
        raise UnreadableDocument("its name is not valid UTF-8: rename it") from error
    except ValueError as error:
        raise UnreadableDocument(f"it is not in the folder {root}") from error
    if not inside:
        raise UnreadableDocument(f"it leads outside the folder {root}: copy it into the folder")
    return relative


def _read_bytes(path: Path) -> bytes:
    """The bytes of a regular file. Opened without blocking: a named pipe would wait for a writer for ever."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as file:
            status = os.fstat(opened)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableDocument("it is not a regular file")
            data = file.read(MAX_BYTES + 1) if status.st_size <= MAX_BYTES else b""
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableDocument("it is gone: it was moved or removed meanwhile") from error
    except PermissionError as error:
        raise UnreadableDocument("no permission to read it: allow it with chmod +r") from error
    except IsADirectoryError as error:
        raise UnreadableDocument("it is not a regular file") from error
    except OSError as error:
        irregular = error.errno == errno.ENXIO  # a socket
        reason = "it is not a regular file" if irregular else f"it could not be read: {error.strerror}"
        raise UnreadableDocument(reason) from error
    if len(data) > MAX_BYTES or status.st_size > MAX_BYTES:
        raise UnreadableDocument(f"it is over {MAX_BYTES // 1_000_000} MB: split it")
    return data


def _content(data: bytes, suffix: str) -> Content:
    """What is in a file; plain text is read here, in a time that grows with its length, all else within bounds."""
    return content_of(data, suffix) if suffix in (".txt", ".text") else read_bounded(data, suffix)


def content_of(data: bytes, suffix: str) -> Content:
    """What is in the bytes of a file with that suffix.

    Raises:
        UnreadableDocument: it can't be read.
    """
    # Each format's parser is loaded with the first file of that format: together they would double the time to start.
    if suffix in (".html", ".htm"):
        from index.web import read_web

        return read_web(data)
    if suffix == ".pdf":
        from index.pdf import read_pdf

        return read_pdf(data)
    if suffix == ".docx":
        from index.word import read_word

        return read_word(data)
    text = decode(data)
    if suffix in (".md", ".markdown"):
        from index.markdown import read_markdown

        return read_markdown(text)
    return read_plain(text)


def _readable(stem: str) -> str:
    """A file name as a title: without its date, blanks for its dashes, underscores and dots."""
    words = one_line(re.sub(r"[-_.\s]+", " ", _DATE_IN_NAME.sub(" ", stem)))
    return words[:1].upper() + words[1:] if has_words(words) else stem

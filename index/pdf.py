"""PDF: the text of each page as PDFium gives it, its lines made paragraphs again.

A scan has no text; nothing here recognises characters in images.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator

import pypdfium2 as pdfium

from index.blocks import Content, Piece, join, one_line
from index.dates import iso_date
from index.errors import UnreadableDocument

MAX_PAGES = 5_000

_PDFIUM = threading.Lock()  # PDFium is not thread-safe, not even between documents
_ENCRYPTED = frozenset([4, 5])  # FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY
_HYPHEN = re.compile("[\ufffe\x02\xad](?:\r?\n)?")  # how PDFium marks a word that goes on in the next line
_PAGE_NUMBER = re.compile(r"(?:page\s*)?[-–—|\s]*\d{1,4}(?:\s*(?:of|/)\s*\d{1,4})?[-–—|\s]*", re.IGNORECASE)
_END = re.compile(r"[.!?:…][\"'”’)\]]*$")
_LIST_ITEM = re.compile(r"(?:[-*•‣◦▪–—]|\(?\d{1,3}[.)])\s")
_FILE_TITLE = re.compile(r"\.(?:docx?|odt|rtf|indd|pdf|qxd|tex|txt|html?|pptx?|xlsx?)$", re.IGNORECASE)
_CREATED = re.compile(r"(?:D:)?(\d{4})(\d{2})(\d{2})")
_SECTION = re.compile(r"\d{1,2}(?:\.\d{1,2}){0,3}\.?\s+\S")
_LONGEST_HEADING = 60
_RUNNING = 3  # pages


def read_pdf(data: bytes) -> Content:
    """The paragraphs of a PDF with their pages, and the title and date of its metadata where they make sense.

    Raises:
        UnreadableDocument: it is encrypted, damaged, or has more than MAX_PAGES pages.
    """
    with _PDFIUM:
        try:
            pages, metadata = _extracted(data)
        except pdfium.PdfiumError as error:
            if error.err_code in _ENCRYPTED:
                raise UnreadableDocument("it is encrypted: save a copy without a password") from error
            raise UnreadableDocument("it is damaged or incomplete: no PDF reader could open it whole") from error
    lines = list(map(_lines, pages))
    running = _running_lines(lines)
    pieces = [piece for number, page in enumerate(lines, start=1) for piece in _pieces(page, number, running)]
    text, blocks = join(pieces)
    title = one_line(metadata.get("Title", "").replace("\0", ""))
    if title.lower().startswith(("untitled", "microsoft word -")) or _FILE_TITLE.search(title):
        title = ""
    if not title and blocks and blocks[0].kind == "heading":
        title = one_line(text[blocks[0].start : blocks[0].end])
    created = _CREATED.match(metadata.get("CreationDate", ""))
    return Content(text, blocks, title or None, iso_date(*map(int, created.groups())) if created else None)


def _extracted(data: bytes) -> tuple[list[str], dict[str, str]]:
    document = pdfium.PdfDocument(data)
    try:
        if len(document) > MAX_PAGES:
            raise UnreadableDocument(f"it has {len(document):,} pages, over {MAX_PAGES:,}: split it")
        return [_page_text(document, number) for number in range(len(document))], document.get_metadata_dict()
    finally:
        document.close()


def _page_text(document: pdfium.PdfDocument, number: int) -> str:
    page = document[number]
    try:
        text_page = page.get_textpage()
        try:
            return str(text_page.get_text_range())
        finally:
            text_page.close()
    finally:
        page.close()


def _lines(page: str) -> list[str]:
    """The lines of a page that are not blank; a word that goes on in the next line is drawn up to the first."""
    return [line for line in map(one_line, _HYPHEN.sub("", page).split("\n")) if line]


def _running_lines(pages: list[list[str]]) -> set[str]:
    """The lines that stand at the head or foot of so many pages that they are no part of the text."""
    counts = Counter(line for lines in pages for line in {*lines[:1], *lines[-1:]})
    return {line for line, count in counts.items() if count >= _RUNNING}


def _pieces(lines: list[str], number: int, running: set[str]) -> Iterator[Piece]:
    """The paragraphs and headings of one page; page numbers and running heads are asides."""
    width = max(map(len, lines), default=0)
    paragraph: list[str] = []
    for at, line in enumerate(lines):
        following = lines[at + 1] if at + 1 < len(lines) else ""
        is_first = number == 1 and at == 0
        at_edge = at == 0 or not following
        if at_edge and (_PAGE_NUMBER.fullmatch(line) or (line in running and not is_first)):
            yield Piece(" ".join(paragraph), "paragraph", number)
            yield Piece(line, "aside", number)
            paragraph = []
        elif not paragraph and _is_heading(line, following, width, is_first=is_first):
            yield Piece(line, "heading", number)
        else:
            paragraph.append(line)
            below = lines[at + 2] if at + 2 < len(lines) else ""
            if _ends_paragraph(line, following, below, width):
                yield Piece(" ".join(paragraph), "paragraph", number)
                paragraph = []
    yield Piece(" ".join(paragraph), "paragraph", number)


def _ends_paragraph(line: str, following: str, below: str, width: int) -> bool:
    """Whether the next line begins a list item or a section, or follows a sentence whose line had room for more."""
    if not following or _LIST_ITEM.match(following):
        return True
    has_ended = _END.search(line) is not None
    if has_ended and _SECTION.match(following) and _is_heading(following, below, width):
        return True
    has_room = len(line) + 1 + len(following.split(maxsplit=1)[0]) < 0.85 * width
    return has_room and (has_ended or _is_heading(following, below, width))


def _is_heading(line: str, following: str, width: int, *, is_first: bool = False) -> bool:
    """Whether a line is clearly a heading: short, capitalised, without closing punctuation, above a longer line.

    The first line of the first page may stand above a shorter one: a title above a heading, or above its author.
    """
    letter = next(filter(str.isalnum, line), "")
    return (
        0 < len(line) <= min(_LONGEST_HEADING, 0.7 * width)
        and bool(following)
        and (is_first or len(following) > len(line))
        and bool(letter)
        and not letter.islower()
        and not following[0].islower()
        and not line.endswith((".", ",", ";", ":", "!", "-"))
        # "2. The fire" is a list item where a short line follows, and a section where a paragraph does.
        and (_LIST_ITEM.match(line) is None or (line[0].isdigit() and len(following) > 0.7 * width))
    )

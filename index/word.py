"""Word's .docx: paragraphs and tables of the body, in order.

Headers, footers, notes, comments and text boxes are not read; pages exist only when Word lays the text out.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import docx
from docx.exceptions import PythonDocxError
from docx.opc.exceptions import OpcError
from docx.oxml.exceptions import XmlchemyError
from docx.oxml.ns import qn
from docx.table import Table

from index.blocks import Content, Kind, Piece, join, one_line
from index.errors import UnreadableDocument

MAX_UNPACKED = 200_000_000
MAX_XML = 100_000_000
MAX_SPANNED = 1_000_000
"""Columns that all cells together span: python-docx makes a list entry for each."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of old .doc files, and of encrypted .docx files
_TEMPLATE_DATE = datetime(2013, 12, 23).date()  # what python-docx's own template says for every document made with it
_WRAPPERS = [qn(f"w:{name}") for name in ("ins", "moveTo", "sdt", "sdtContent", "smartTag", "fldSimple")]

# python-docx walks whatever XML the file holds as if Word had written it, so a damaged one surfaces as nearly any of
# Python's lookup and conversion errors; zipfile adds its own, and lxml's XMLSyntaxError is a SyntaxError.
_DAMAGE = (
    OpcError, PythonDocxError, XmlchemyError, SyntaxError, zipfile.BadZipFile, zlib.error, struct.error, EOFError,
    OSError, LookupError, ValueError, TypeError, AttributeError, AssertionError, RuntimeError, ArithmeticError,
)  # fmt: skip


def read_word(data: bytes) -> Content:
    """Paragraphs, headings (by their style) and table rows (cells apart by " | "); title and date of the properties.

    Raises:
        UnreadableDocument: it is encrypted, damaged, no .docx, or over one of the limits above.
    """
    if data.startswith(_OLE):
        raise UnreadableDocument("it is encrypted or an old .doc file: save it as .docx without a password")
    try:
        _refuse_bomb(data)
        document = docx.Document(io.BytesIO(data))
        _unwrap(document.element.body)
        if sum(int(span.get(qn("w:val"))) for span in document.element.body.iter(qn("w:gridSpan"))) > MAX_SPANNED:
            raise UnreadableDocument(f"its tables span over {MAX_SPANNED:,} columns: simplify them")
        styled = list(_pieces(document))
        title, date = _properties(document)
    except _DAMAGE as error:
        raise UnreadableDocument("it is damaged or no Word document: open it in Word and save it again") from error
    text, blocks = join(piece for piece, _ in styled)
    named = next((one_line(piece.text) for piece, is_title in styled if is_title and piece.text.strip()), "")
    first = next((one_line(text[b.start : b.end]) for b in blocks if b.kind == "heading"), "")
    return Content(text, blocks, title or named or first or None, date)


def _refuse_bomb(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        entries = package.infolist()
    if any(entry.flag_bits & 1 for entry in entries):
        raise UnreadableDocument("it is encrypted: save a copy without a password")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise UnreadableDocument(f"it unpacks to over {MAX_UNPACKED // 1_000_000} MB: remove its images or split it")
    if sum(entry.file_size for entry in entries if entry.filename.endswith((".xml", ".rels"))) > MAX_XML:
        raise UnreadableDocument(f"its text unpacks to over {MAX_XML // 1_000_000} MB: split it")


def _unwrap(body: Any) -> None:
    """Put what was inserted while changes were tracked, and what content controls hold, where python-docx looks."""
    for wrapper in list(body.iter(*_WRAPPERS)):
        for child in list(wrapper):
            wrapper.addprevious(child)
        wrapper.getparent().remove(wrapper)


def _properties(document: Any) -> tuple[str, str | None]:
    properties = document.core_properties
    created = properties.created
    date = created.date() if created else None
    return one_line(properties.title or ""), date.isoformat() if date and date != _TEMPLATE_DATE else None


def _pieces(document: Any) -> Iterator[tuple[Piece, bool]]:
    """The pieces of the body, and of each whether its style is the document's title."""
    names: dict[str | None, str] = {}  # looking a style up is slow, and few differ
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            yield from ((Piece(_row_text(row)), False) for row in item.rows)
            continue
        style_id = item._p.style
        if style_id not in names:
            names[style_id] = (item.style.name if item.style is not None else None) or ""
        name = names[style_id]
        kind: Kind = "heading" if name.startswith(("Heading", "Title")) else "paragraph"
        yield Piece(one_line(item.text), kind), name == "Title"


def _row_text(row: Any) -> str:
    cells: list[Any] = []
    for cell in row.cells:
        if not cells or cells[-1]._tc is not cell._tc:  # a merged cell comes once for each column it spans
            cells.append(cell)
    return " | ".join(filter(None, map(_cell_text, cells)))


def _cell_text(cell: Any) -> str:
    parts = (
        " ".join(map(_row_text, item.rows)) if isinstance(item, Table) else item.text
        for item in cell.iter_inner_content()
    )
    return one_line(" ".join(parts))

"""Small files of the binary formats, made in code, and what the tests of all formats ask of a document."""

from __future__ import annotations

import io
import zipfile

import docx
import pytest

from index.documents import Document, UnreadableDocument, parse

BODY = "The mill on the river Tarn was built in 1874 by Ada Lindqvist, and it burned down in the fire of 1901."
PARAGRAPHS = [
    "The mill on the Tarn was built in 1874 by Ada Lindqvist.",
    "It burned down in 1901 and was never rebuilt.",
]

LINES = [
    "The mills of Ardal",
    "Introduction",
    "The first mill on the river Tarn was built in 1874 by the engineer Ada Lind-",
    "qvist, who came from the north and stayed in the valley for over thirty",
    "years. She died there.",
    "The second mill was larger and it burned down in the great fire of the year",
    "1901, on a Monday.",
    "1",
]
WORD_START = b'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'


def pdf(pages: list[list[str]], *, title: str = "", created: str = "", encrypted: bool = False) -> bytes:
    """A PDF of one text line for each string, 14 points apart, in Helvetica."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        escaped = (line.replace("(", "\\(").replace(")", "\\)") for line in lines)
        shown = " T* ".join(f"({line}) Tj" for line in escaped)
        stream = f"BT /F1 11 Tf 14 TL 60 760 Td {shown} ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        resources = f"/Resources << /Font << /F1 3 0 R >> >> /Contents {len(objects)} 0 R"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {resources} >>")
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    objects.append(f"<< /Title ({title}) /CreationDate ({created}) >>")
    trailer = f"/Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R"
    if encrypted:
        lock = "00" * 32
        trailer += f" /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{lock}> /U <{lock}> >> /ID [<{lock}> <{lock}>]"
    out = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< {trailer} >>\nstartxref\n{len(out)}\n"
    return out + end.encode("latin-1") + b"%%EOF\n"


def word() -> bytes:
    """A .docx with a title, two headings, paragraphs and a table with a merged row."""
    document = docx.Document()
    document.add_paragraph("The mills of Ardal", style="Title")
    document.add_heading("The first mill", 1)
    document.add_paragraph(PARAGRAPHS[0])
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ["Year", "Event", "", ""], strict=True):
        cell.text = text
    table.cell(1, 0).merge(table.cell(1, 1)).text = "1901: the fire"
    document.add_heading("The fire", 1)
    document.add_paragraph(PARAGRAPHS[1])
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def with_entry(package: bytes, name: str, content: bytes) -> bytes:
    """A zip file with one entry's bytes replaced or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            if entry != name:
                new.writestr(entry, old.read(entry))
        new.writestr(name, content)
    return out.getvalue()


def blocks(document: Document, kind: str | None = None) -> list[str]:
    """The texts of a document's blocks, or of those of one kind."""
    return [document.text[b.start : b.end] for b in document.blocks if kind in (None, b.kind)]


def refusal(data: bytes, path: str = "a.txt") -> str:
    """Why these bytes cannot be read."""
    with pytest.raises(UnreadableDocument) as caught:
        parse(data, path)
    return caught.value.reason

from __future__ import annotations

import textwrap

import formats
from formats import BODY, blocks, refusal

from index.documents import Anchor, parse


def test_the_lines_of_a_pdf_become_paragraphs_with_their_page():
    document = parse(formats.pdf([formats.LINES, ["Nobody (ever) rebuilt it."]], created="D:20240312101010Z"), "a.pdf")
    assert (document.title, document.date) == ("The mills of Ardal", "2024-03-12")
    assert [(b.kind, b.page) for b in document.blocks] == [
        *[("heading", 1), ("heading", 1), ("paragraph", 1), ("paragraph", 1), ("aside", 1), ("paragraph", 2)]
    ]
    first, second, third = blocks(document, "paragraph")
    assert "engineer Ada Lindqvist, who" in first and first.endswith("thirty years. She died there.")
    assert second.startswith("The second mill") and second.endswith("1901, on a Monday.")
    assert document.anchor(document.text.index("rebuilt")) == Anchor(None, 2, "Introduction", 3)
    assert third == "Nobody (ever) rebuilt it."


def test_running_heads_of_a_pdf_are_asides_and_numbered_sections_headings():
    lines = textwrap.wrap(BODY, 75)
    page = ["Tarn Valley Review", *lines, "1.2. The fire", *lines, "2. wheels", "3"]
    document = parse(formats.pdf([page, page, page]), "a.pdf")
    assert blocks(document, "heading") == ["Tarn Valley Review"] + ["1.2. The fire"] * 3
    assert blocks(document, "aside") == ["3"] + ["Tarn Valley Review", "3"] * 2
    assert blocks(document, "paragraph") == [BODY, BODY, "2. wheels"] * 3


def test_a_pdf_is_titled_by_its_metadata_unless_that_is_a_file_name():
    assert parse(formats.pdf([formats.LINES], title="Mills", created="D:20241399"), "a.pdf").title == "Mills"
    assert parse(formats.pdf([formats.LINES], title="report_v2.docx"), "a.pdf").title == "The mills of Ardal"
    assert parse(formats.pdf([[BODY]], created="D:20241399"), "the-mill.pdf").title == "The mill"
    assert parse(formats.pdf([[BODY]], created="D:20241399"), "a.pdf").date is None


def test_a_pdf_of_too_many_pages_is_refused():
    assert "5,001 pages" in refusal(formats.pdf([[]] * 5_001), "a.pdf")

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from formats import BODY, blocks

from index.documents import parse, read_document

SEED = next(Path(__file__).parent.parent.joinpath("seeds").glob("000_*.txt"))


def test_the_seed_article_is_read_as_its_reader_would():
    document = read_document(SEED, SEED.parent)
    assert document.path == SEED.name
    assert document.sha256 == hashlib.sha256(SEED.read_bytes()).hexdigest()
    assert document.text == SEED.read_text(encoding="utf-8")
    assert document.title == "Lukashenko: Offering Kazakhstan as 'gift' to NATO, US won't happen"
    assert document.date is None
    assert blocks(document, "heading") == [document.title, "Kazakhstan appeals to CSTO for help", "What happened?"]
    assert blocks(document, "aside") == ["Read more: Iran: Kazakhstan should not allow foreign agents to interfere"]
    assert len(blocks(document, "paragraph")) == 21


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encoding_and_line_ends_do_not_change_the_text(encoding, end):
    text = f"Café “Zoë” reopens\n{BODY}\n"
    document = parse(text.replace("\n", end).encode(encoding), "a.txt")
    assert document.text == text
    assert document.title == "Café “Zoë” reopens"


def test_byte_order_marks_of_either_end_are_known():
    for mark, encoding in [(b"\xfe\xff", "utf-16-be"), (b"\0\0\xfe\xff", "utf-32-be"), (b"\xff\xfe\0\0", "utf-32-le")]:
        assert parse(mark + "Größe".encode(encoding), "a.txt").text == "Größe"


def test_a_first_paragraph_is_no_title():
    document = parse(f"{BODY}\n{BODY}".encode(), "2024-03-12_the-mill.fire.txt")
    assert (document.title, document.date) == ("The mill fire", "2024-03-12")
    assert blocks(document, "paragraph") == [BODY, BODY]


def test_hard_wrapped_lines_are_one_paragraph():
    text = (
        "The mill on the Tarn\n\n"
        "The mill was built in 1874 by Ada Lindqvist, who came from the north\n"
        "and stayed in the valley for thirty years. She never saw it burn. Her\n"
        "daughter did.\n"
        "Read more: The fires of the valley\n\n"
        "The fire\n"
        "It burned down in the great fire of 1901, of which nobody knows the\n"
        "cause to this day.\n"
        "- a stone wall was left, on which one can still read the name of the\n"
        "  engineer\n"
        "- a wheel\n"
    )
    document = parse(text.encode(), "a.txt")
    assert document.title == "The mill on the Tarn"
    assert blocks(document, "heading") == ["The mill on the Tarn", "The fire"]
    assert blocks(document, "aside") == ["Read more: The fires of the valley"]
    assert [p.split()[-1] for p in blocks(document, "paragraph")] == ["did.", "day.", "engineer", "wheel"]


@pytest.mark.parametrize(
    "line",
    [
        "By Ada Lindqvist",
        '"It is over"',
        "- wheels",
        "It burned.",
        "and so on",
        "1. First",
        "For example:",
        "word " * 20,
    ],
)
def test_short_lines_that_are_no_headings(line):
    document = parse(f"Title\n{BODY}\n{line}\n{BODY}".encode(), "a.txt")
    assert blocks(document, "heading") == ["Title"]


def test_a_short_line_is_a_heading_only_above_a_longer_paragraph():
    document = parse(f"Title\n{BODY}\nApples\nPears\nSee also: Quinces\n{BODY}\nThe end".encode(), "a.txt")
    assert blocks(document, "heading") == ["Title", "Pears"]


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("March 12, 2024", "2024-03-12"),
        ("12 March 2024", "2024-03-12"),
        ("Published: 2024-03-12", "2024-03-12"),
        ("Published on Sept. 3rd, 2021 at 4:05 p.m. EST", "2021-09-03"),
        ("Thursday, 6 January 2022, 10:30 GMT", "2022-01-06"),
        ("2024-03-12T10:30:00Z", "2024-03-12"),
        ("30 February 2024", None),
        ("March 12, 2024 was a cold day", None),
        ("March 2024", None),
    ],
)
def test_a_line_that_is_wholly_a_date_dates_the_document(line, date):
    document = parse(f"Title\n{line}\n{BODY}".encode(), "a.txt")
    assert document.date == date
    assert blocks(document, "aside") == ([line] if date else [])


def test_a_date_further_down_is_part_of_the_text():
    assert parse(f"Title\n{(BODY + chr(10)) * 6}March 12, 2024".encode(), "2024-13-01.txt").date is None

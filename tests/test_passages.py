from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.documents import Document, UnreadableDocument, parse, read_document
from index.passages import split

SEED = next(Path(__file__).parent.parent.joinpath("seeds").glob("000_*.txt"))
SENTENCE = "The old mill on the river Tarn was built by Ada Lindqvist in the year 1874. "  # 76 characters


def read(text: str, name: str = "a.txt") -> Document:
    return parse(text.encode(), name)


def texts(document, **sizes):
    return [document.text[p.start : p.end] for p in split(document, **sizes)]


def test_the_seed_article_gives_a_passage_a_paragraph_under_its_headings():
    document = read_document(SEED, SEED.parent)
    passages = split(document)
    assert [p.ordinal for p in passages] == list(range(21))
    headings = [p.heading for p in passages]
    assert headings == [""] * 8 + ["Kazakhstan appeals to CSTO for help"] * 7 + ["What happened?"] * 6
    shown = [document.text[p.start : p.end] for p in passages]
    assert shown[8].startswith("Kazakhstan's President Kassym-Jomart Tokayev said")
    assert shown[-1].endswith("destabilization of the country.")
    assert not any("Read more" in text or "What happened?" in text for text in shown)


def test_short_paragraphs_are_joined_by_widening_the_range():
    body = SENTENCE * 2
    document = read(f"A headline\n{body}\nShort one.\nShort two.\n{body}\nShort last.")
    assert texts(document) == [body.strip(), f"Short one.\nShort two.\n{body.strip()} \nShort last."]


def test_nothing_is_joined_across_a_heading_or_an_aside():
    source = f"# T\n\n## One\n\nShort.\n\n## Two\n\n{SENTENCE * 2}\n\nSee also: x\n\nAlso short."
    document = read(source, "a.md")
    assert [(document.text[p.start : p.end], p.heading) for p in split(document)] == [
        ("Short.", "One"),
        ((SENTENCE * 2).strip(), "Two"),
        ("Also short.", "Two"),
    ]


def test_a_short_paragraph_stays_alone_where_joining_would_force_a_cut():
    body = (SENTENCE * 4)[:290]
    document = read(f"# T\n\nShort one.\n\n{body}", "a.md")
    assert texts(document, longest=295) == ["Short one.", body]


def test_long_paragraphs_are_cut_at_sentence_ends_and_share_a_sentence():
    numbered = [f"This is sentence number {n} of a paragraph that goes on and on." for n in range(40)]
    document = read("# T\n\n" + " ".join(numbered), "a.md")
    cut = texts(document, longest=300)
    assert len(cut) > 8
    for before, after in zip(cut, cut[1:], strict=False):
        assert len(before) <= 300
        assert before.endswith("and on.") and after.startswith("This is")
        assert after.startswith(before[before.rindex("This is") :])
    assert cut[-1].endswith(numbered[-1])


@pytest.mark.parametrize("word", ["word ", "x", "漢", "\u00a0y"])
def test_a_sentence_longer_than_a_passage_is_cut_at_blanks_or_hard(word):
    document = read("# T\n\n" + (word * 5000).strip(), "a.md")
    cut = texts(document, longest=200)
    assert all(0 < len(text) <= 200 for text in cut)
    if word == "word ":
        assert {w for text in cut for w in text.split()} == {"word"}


def test_headings_alone_are_findable():
    assert texts(read("Nothing but a headline")) == ["Nothing but a headline"]
    assert texts(read("# One\n\n## Two\n", "a.md")) == ["One\n\n## Two"]
    assert texts(read("Read more: elsewhere")) == []


def test_ten_million_characters_on_one_line_are_split_in_time():
    document = read("word " * 2_000_000)
    began = time.perf_counter()
    passages = split(document)
    assert len(passages) > 10_000
    assert time.perf_counter() - began < 10


PARTS = st.sampled_from(
    [
        "\n",
        "\n\n",
        "# ",
        "- ",
        "> ",
        "```\n",
        "|",
        "A short line",
        SENTENCE,
        "Read more: x\n",
        "what he said\n",
        "x" * 90,
    ]
    + [
        "word " * 30,
        "March 12, 2024\n",
        "---\n",
        "\u2028",
        "\u00a0",
        "\x0c",
        "1. ",
        "    ",
        "=====\n",
        "Why?\n",
        "<b>",
        "é😀",
    ]
)
TEXTS = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.lists(PARTS).map("".join))


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.sampled_from(["a.txt", "a.md", "a.html"]), st.integers(1, 120), st.integers(0, 90))
def test_any_text_gives_ordered_slices_that_miss_no_word_of_a_paragraph(source, name, longest, shortest):
    try:
        document = parse(source.encode(), name)
    except UnreadableDocument:
        return
    text = document.text
    at = 0
    for block in document.blocks:
        assert at <= block.start < block.end <= len(text)
        assert text[block.start : block.end] == text[block.start : block.end].strip()
        at = block.end
    passages = split(document, shortest=shortest, longest=longest)
    assert [p.ordinal for p in passages] == list(range(len(passages)))
    assert [p.start for p in passages] == sorted(p.start for p in passages)
    covered = set()
    for passage in passages:
        assert 0 <= passage.start < passage.end <= len(text)
        assert passage.end - passage.start <= longest
        assert text[passage.start : passage.end] == text[passage.start : passage.end].strip()
        covered.update(range(passage.start, passage.end))
    for block in document.blocks:
        anchor = document.anchor(block.start)
        assert (anchor.paragraph is not None) == (block.kind == "paragraph")
        if block.kind == "paragraph":
            assert all(n in covered for n in range(block.start, block.end) if not text[n].isspace())

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Block, Document
from qa.surroundings import block_of, reading_range, sentence_before, sentence_of, shown_range

PARTS = ["Dam closed", "One. Two follows. He left.", "Three stands here.", "Read more: other", "Four ends it."]


def document(parts: list[str] = PARTS) -> Document:
    blocks, at = [], 0
    for i, part in enumerate(parts):
        kind = "heading" if i == 0 else "aside" if part.startswith("Read") else "paragraph"
        blocks.append(Block(at, at + len(part), kind))
        at += len(part) + 1
    return Document("d.txt", "0" * 64, parts[0], None, "\n".join(parts), tuple(blocks))


def words(d: Document, place: tuple[int, int]) -> str:
    return d.text[slice(*place)]


def test_reading_grows_by_whole_blocks_below_and_above_in_turn() -> None:
    d = document()
    three = d.blocks[2]
    assert words(d, reading_range(d, three.start, three.end, 0)) == "Three stands here."
    assert words(d, reading_range(d, three.start, three.end, 36)) == "Three stands here.\nRead more: other"
    assert words(d, reading_range(d, three.start, three.end, 64)).startswith("One. Two")
    assert words(d, reading_range(d, three.start, three.end, 999)) == d.text


@given(
    st.lists(st.text(alphabet="ab. ", min_size=1, max_size=9), min_size=1, max_size=8), st.integers(0, 60), st.data()
)
def test_reading_always_holds_the_passage_and_keeps_the_size(parts: list[str], size: int, data: st.DataObject) -> None:
    d = document(parts)
    block = data.draw(st.sampled_from(d.blocks))
    start, end = reading_range(d, block.start, block.end, size)
    assert start <= block.start and block.end <= end
    assert end - start <= max(size, block.end - block.start)


def test_a_span_lies_in_one_block_or_in_none() -> None:
    d = document()
    assert block_of(d, 11, 14) == d.blocks[1]
    assert block_of(d, 8, 14) is None
    assert block_of(Document("d", "", "", None, "", ()), 0, 0) is None


@pytest.mark.parametrize(("span", "sentence"), [("Two", "Two follows."), ("left", "He left."), ("One", "One.")])
def test_the_sentence_of_a_span_is_a_range_of_the_document(span: str, sentence: str) -> None:
    d = document()
    start = d.text.index(span)
    assert words(d, sentence_of(d, d.blocks[1], start, start + len(span))) == sentence


def test_the_sentence_before_is_of_the_same_paragraph() -> None:
    d = document()
    start = d.text.index("He left.")
    assert words(d, sentence_before(d, d.blocks[1], (start, start + 8))) == "Two follows. He left."
    first = d.text.index("Three")
    assert words(d, sentence_before(d, d.blocks[2], (first, first + 18))) == "Three stands here."


def test_a_paragraph_is_shown_whole_unless_it_is_very_long() -> None:
    assert shown_range(Block(10, 90, "paragraph"), (20, 30)) == (10, 90)
    assert shown_range(Block(10, 9000, "paragraph"), (20, 30)) == (20, 30)

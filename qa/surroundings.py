"""What is read around a passage, and what sentence and paragraph a span stands in. Arithmetic on ranges alone."""

from __future__ import annotations

from bisect import bisect_right

from index import Block, Document, sentence_at, sentences

READ_CHARACTERS = 900
SHOWN_CHARACTERS = 1500


def reading_range(document: Document, start: int, end: int, size: int = READ_CHARACTERS) -> tuple[int, int]:
    """Widen [start, end) by whole neighbouring blocks, below and above in turn, to at most `size` characters."""
    blocks = document.blocks
    first = last = _block_at(document, start)
    while last + 1 < len(blocks) and blocks[last + 1].start < end:
        last += 1
    grown = True
    while grown:
        grown = False
        for step in (1, -1):
            edge = last + 1 if step > 0 else first - 1
            if not 0 <= edge < len(blocks):
                continue
            low, high = min(start, blocks[edge].start), max(end, blocks[edge].end)
            if high - low <= size:
                start, end, grown = low, high, True
                first, last = min(first, edge), max(last, edge)
    return start, end


def block_of(document: Document, start: int, end: int) -> Block | None:
    """The block that [start, end) lies in wholly, or None if it crosses blocks."""
    if not document.blocks:
        return None
    block = document.blocks[_block_at(document, start)]
    return block if block.start <= start and end <= block.end else None


def sentence_of(document: Document, block: Block, start: int, end: int) -> tuple[int, int]:
    """The sentence, or sentences, of `block` that [start, end) lies in, as a range of the document's text."""
    low, high = sentence_at(document.text[block.start : block.end], start - block.start, end - block.start)
    return low + block.start, high + block.start


def sentence_before(document: Document, block: Block, sentence: tuple[int, int]) -> tuple[int, int]:
    """`sentence` with the one before it in `block`, or alone if it is the first."""
    before = [end for _, end in sentences(document.text[block.start : sentence[0]])]
    if not before:
        return sentence
    place = block.start + before[-1] - 1
    return sentence_of(document, block, place, place + 1)[0], sentence[1]


def shown_range(block: Block, sentence: tuple[int, int]) -> tuple[int, int]:
    """The paragraph to show around a sentence: the whole block, or the sentence alone where the block is very long."""
    return (block.start, block.end) if block.end - block.start <= SHOWN_CHARACTERS else sentence


def _block_at(document: Document, place: int) -> int:
    return max(0, bisect_right(document.blocks, place, key=lambda b: b.start) - 1)

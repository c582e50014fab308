"""Which passages are read, on hits that are made by hand."""

from __future__ import annotations

from index import Block, Document, Hit
from index.store import IndexedPassage
from qa.candidates import Reading
from qa.choice import ToRead, about_as_good, maybe_better
from qa.reader import Span

LINE = "A line of sixty characters, which is a paragraph by itself. "


def document(path: str, lines: int = 1) -> Document:
    blocks = tuple(Block(i * len(LINE), (i + 1) * len(LINE) - 1, "paragraph") for i in range(lines))
    return Document(path, "0" * 64, "Title", None, LINE * lines, blocks)


def hit(score: float, of: Document, line: int = 0) -> Hit:
    block = of.blocks[line]
    return Hit(IndexedPassage(line, of, line, block.start, block.end, ""), score, None, None)


def hits(*scores: float) -> list[Hit]:
    return [hit(score, document(f"{place}.txt")) for place, score in enumerate(scores)]


def read(to_read: ToRead, margin: float) -> Reading:
    of, start, end = to_read
    return Reading(of, start, end, (Span(start, start + 6, margin, 0.0),))


def scores(chosen: list[ToRead]) -> list[float]:
    return [h.score for h, _, _ in chosen]


def test_what_fits_about_as_well_as_the_first_is_read_in_any_case() -> None:
    found = hits(0.9, 0.86, 0.84, 0.71, 0.69)
    assert scores(about_as_good(found)) == [0.9, 0.86]
    assert about_as_good([]) == [] and maybe_better([], ()) == []


def test_of_the_others_only_those_are_read_that_may_be_better_and_none_far_below() -> None:
    found = hits(0.9, 0.86, 0.84, 0.71, 0.69)
    first = about_as_good(found)
    unsure = [read(chosen, 0.0) for chosen in first]
    assert scores(maybe_better(found, unsure)) == [0.84, 0.71]
    # 7 + 10 · 0.9 is beaten by a margin of 6 at 0.84 neither: 14.4 < 16
    assert maybe_better(found, [read(first[0], 7.0)]) == []
    # 5 + 9 = 14 is reached at 0.84 (14.4), and not at 0.71 (13.1)
    assert scores(maybe_better(found, [read(first[0], 5.0)])) == [0.84]


def test_where_the_first_hold_no_span_at_all_the_others_are_read() -> None:
    found = hits(0.9, 0.8)
    empty = [Reading(h, start, end, ()) for h, start, end in about_as_good(found)]
    assert scores(maybe_better(found, empty)) == [0.8]


def test_a_passage_that_was_read_around_another_is_not_read_again() -> None:
    article, other = document("long.txt", 40), document("other.txt")
    found = [
        hit(0.9, article, 3),
        hit(0.89, article, 4),
        hit(0.88, other),
        hit(0.8, article, 5),
        hit(0.79, article, 39),
    ]
    first = about_as_good(found)
    assert [h.passage.document.path for h, _, _ in first] == ["long.txt", "other.txt"]
    (_, start, end) = first[0]
    assert start <= found[1].passage.start and found[1].passage.end <= end
    later = maybe_better(found, [read(chosen, 0.0) for chosen in first])
    assert [(h.passage.ordinal, start <= h.passage.start < end) for h, start, end in later] == [(39, True)]

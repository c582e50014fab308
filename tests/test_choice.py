"""Which passages are read, on hits that are made by hand."""

from __future__ import annotations

from index import Block, Document, Hit
from index.store import IndexedPassage
from qa.choice import ToRead, worth_reading

LINE = "A line of sixty characters, which is a paragraph by itself. "


def document(path: str, lines: int = 1) -> Document:
    blocks = tuple(Block(i * len(LINE), (i + 1) * len(LINE) - 1, "paragraph") for i in range(lines))
    return Document(path, "0" * 64, "Title", None, LINE * lines, blocks)


def hit(score: float, of: Document, line: int = 0) -> Hit:
    block = of.blocks[line]
    return Hit(IndexedPassage(line, of, line, block.start, block.end, ""), score, None, None)


def hits(*scores: float) -> list[Hit]:
    return [hit(score, document(f"{place}.txt")) for place, score in enumerate(scores)]


def scores(chosen: list[ToRead]) -> list[float]:
    return [h.score for h, _, _ in chosen]


def test_what_fits_far_worse_than_the_first_is_not_read() -> None:
    assert scores(worth_reading(hits(0.9, 0.86, 0.71, 0.69, 0.1))) == [0.9, 0.86, 0.71]
    assert worth_reading([]) == []


def test_where_some_scores_were_raised_the_others_are_read_as_if_theirs_were_too() -> None:
    found = hits(0.95, 0.79, 0.6, 0.5)  # the first was raised by 0.2
    assert scores(worth_reading(found)) == [0.95, 0.79]
    assert scores(worth_reading(found, 0.2)) == [0.95, 0.79, 0.6]


def test_a_passage_that_is_read_around_another_is_not_read_again() -> None:
    article, other = document("long.txt", 40), document("other.txt")
    found = [
        hit(0.9, article, 3),
        hit(0.89, article, 4),
        hit(0.88, other),
        hit(0.8, article, 5),
        hit(0.79, article, 39),
    ]
    chosen = worth_reading(found)
    assert [(h.passage.document.path, h.passage.ordinal) for h, _, _ in chosen] == [
        ("long.txt", 3),
        ("other.txt", 0),
        ("long.txt", 39),
    ]
    _, start, end = chosen[0]
    assert all(start <= h.passage.start and h.passage.end <= end for h in (found[0], found[1], found[3]))

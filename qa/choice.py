"""Which of the passages that were found are read: those that may hold the answer, each text once. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from index import Hit
from qa.surroundings import reading_range

READ_WITHIN = 0.2
"""Passages whose score is further below the best one's are not read: by the retriever's weight their spans would need a
margin two logits higher than the best one's, which they rarely have."""

ToRead = tuple[Hit, int, int]
"""A hit and the range of its document that is read for it."""


def worth_reading(hits: Sequence[Hit], raised: float = 0.0) -> list[ToRead]:
    """Of hits, best first, those that are read; not one whose passage lies in what is read for another one before.

    Where the scores of some are `raised`, the others are chosen as if theirs were too: it is for the reader to decide
    between them.
    """
    chosen: list[ToRead] = []
    for hit in hits:
        passage = hit.passage
        if hit.score + raised < hits[0].score - READ_WITHIN or any(
            passage.document.path == before.passage.document.path and start <= passage.start and passage.end <= end
            for before, start, end in chosen
        ):
            continue
        chosen.append((hit, *reading_range(passage.document, passage.start, passage.end)))
    return chosen

"""Which of the passages that were found are read: those that may hold the answer, each text once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from index import Hit
from qa.candidates import RETRIEVAL_WEIGHT, Reading, rank
from qa.surroundings import reading_range

READ_FIRST = 0.05
"""Passages whose score is at most so far below the best one's are read in any case."""
READ_WITHIN = 0.2
"""Those further below are not read: `RETRIEVAL_WEIGHT` asks two logits more of their spans, which they rarely have."""
HIGHEST_MARGIN = 6.0
"""Between the two, one is read only if a span of so many logits in it would be better than the best one found."""

ToRead = tuple[Hit, int, int]
"""A hit and the range of its document that is read for it."""


def about_as_good(hits: Sequence[Hit]) -> list[ToRead]:
    """Of hits, best first, those to be read first."""
    return _each_text_once((hit for hit in hits if hit.score >= hits[0].score - READ_FIRST), ())


def maybe_better(hits: Sequence[Hit], readings: Sequence[Reading]) -> list[ToRead]:
    """Of the same hits those to be read after `readings` of the first: in which a better answer may stand."""
    best = max((candidate.score for candidate in rank(readings)), default=float("-inf"))
    near = (hit for hit in hits if hits[0].score - READ_WITHIN <= hit.score < hits[0].score - READ_FIRST)
    return _each_text_once((h for h in near if HIGHEST_MARGIN + RETRIEVAL_WEIGHT * h.score >= best), readings)


def _each_text_once(hits: Iterable[Hit], readings: Sequence[Reading]) -> list[ToRead]:
    """Without the hits whose passage lies in what is read for another one before."""
    chosen: list[ToRead] = []
    seen = [(reading.hit.passage.document.path, reading.start, reading.end) for reading in readings]
    for hit in hits:
        passage = hit.passage
        path = passage.document.path
        if any(path == other and start <= passage.start and passage.end <= end for other, start, end in seen):
            continue
        start, end = reading_range(passage.document, passage.start, passage.end)
        chosen.append((hit, start, end))
        seen.append((path, start, end))
    return chosen

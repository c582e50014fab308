"""Spans of all passages that were read to candidates, best first, equal ones together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from index import Block, Document, Hit
from qa.metrics import normalise
from qa.reader import Span
from qa.shape import enumeration, near_copy
from qa.surroundings import block_of, sentence_of

RETRIEVAL_WEIGHT = 10.0
MEMBER_MARGIN = 3.0
_PRONOUNS = frozenset("i you he she it we they me him her us them this that these those himself herself itself".split())


@dataclass(frozen=True)
class Reading:
    """A hit, the range of its document that was read, and the spans found there (ranges of the document's text)."""

    hit: Hit
    start: int
    end: int
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Candidate:
    """A possible answer: a range [start, end) of a document, in one block of it."""

    document: Document
    block: Block
    start: int
    end: int
    margin: float
    hit: Hit

    @property
    def text(self) -> str:
        """What stands there."""
        return self.document.text[self.start : self.end]

    @property
    def score(self) -> float:
        """Reader's margin and retriever's score as one."""
        return self.margin + RETRIEVAL_WEIGHT * self.hit.score


def rank(readings: Sequence[Reading]) -> list[Candidate]:
    """All candidates, best first; the same range read twice keeps its better score.

    Spans that cross paragraphs, stand in a line that only links elsewhere, or are a mere pronoun, are no answers.
    """
    best: dict[tuple[str, int, int], Candidate] = {}
    for reading in readings:
        document = reading.hit.passage.document
        for span in reading.spans:
            block = block_of(document, span.start, span.end)
            if block is None or block.kind == "aside" or document.text[span.start : span.end].lower() in _PRONOUNS:
                continue
            candidate = Candidate(document, block, span.start, span.end, span.margin, reading.hit)
            key = (document.path, span.start, span.end)
            if key not in best or candidate.score > best[key].score:
                best[key] = candidate
    return sorted(best.values(), key=lambda c: (-c.score, c.document.path, c.start, c.end))


def joined(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates, the best one widened to the enumeration that it and others of its sentence stand in.

    A member is weighed by the reader at most `MEMBER_MARGIN` logits below the best.
    """
    if not candidates:
        return []
    best = candidates[0]
    low, high = sentence_of(best.document, best.block, best.start, best.end)
    beside = [
        (c.start, c.end)
        for c in candidates
        if c.document.path == best.document.path
        and low <= c.start
        and c.end <= high
        and c.margin >= best.margin - MEMBER_MARGIN
    ]
    start, end = enumeration(best.document.text, beside)
    return [replace(best, start=start, end=end), *candidates[1:]]


def originals(candidates: Sequence[Candidate]) -> list[int | None]:
    """For each candidate the place of an earlier one whose paragraph it is a near copy of, or None."""
    texts = [c.document.text[c.block.start : c.block.end] for c in candidates]
    found: list[int | None] = []
    for i, text in enumerate(texts):
        found.append(next((j for j in range(i) if found[j] is None and near_copy(texts[j], text)), None))
    return found


def group(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Candidates whose words are the same after `normalise` together, each group and the groups best first.

    Of one document only the best candidate of a group is kept, and one that overlaps a better one is dropped.
    """
    groups: dict[str, list[Candidate]] = {}
    taken: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        seen = taken.setdefault(candidate.document.path, [])
        if any(candidate.start < other.end and other.start < candidate.end for other in seen):
            continue
        seen.append(candidate)
        words = normalise(candidate.text)
        if not words:
            continue
        equal = groups.setdefault(words, [])
        if all(candidate.document.path != other.document.path for other in equal):
            equal.append(candidate)
    return list(groups.values())


def short_for(text: str, full: str) -> bool:
    """Whether `text` is the end of `full`, as "Holt" is of "Mayor Anna Holt"; numbers are short for nothing."""
    end, words = normalise(text).split(), normalise(full).split()
    return not any(map(str.isdigit, text)) and 0 < len(end) < len(words) and words[-len(end) :] == end

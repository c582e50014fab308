"""Several folders asked as one: each has an index of its own, and the answer with the best support is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from pathlib import Path

from index import Index
from qa.answer import Alternative, Answer
from qa.cite import numbered, renumbered
from qa.metrics import normalise
from qa.pipeline import ALTERNATIVES, PASSAGES, Pipeline


def beside(pipeline: Pipeline, index: Path) -> Pipeline:
    """A pipeline over the index in the folder `index` (made if there is none) with the loaded models of `pipeline`."""
    return Pipeline(Index(index, pipeline.index.embedder), pipeline.reader, pipeline.confidence)


def together(answers: Sequence[Answer]) -> Answer:
    """One answer of those, at least one, that several folders gave to the same question.

    Their confidences are probabilities from the same calibration, so they can be compared: the highest wins. An equal
    answer of another folder adds its citations, a different one becomes an alternative. Where none has an answer, the
    related passages are taken in turn.
    """
    partial = next((a.partial for a in answers if a.partial), None)
    found = sorted((a for a in answers if a.text is not None), key=lambda a: -a.confidence)
    if not found:
        mixed = chain.from_iterable(zip_longest(*(a.related for a in answers)))
        related = [c for c in mixed if c is not None][:PASSAGES]
        return replace(max(answers, key=lambda a: a.confidence), related=numbered(related, 1), partial=partial)
    best, *rest = found
    citations, others = best.citations, list(best.alternatives)
    for other in rest:
        if other.text is not None and normalise(other.text) == normalise(best.text or ""):
            citations += numbered(other.citations, len(citations) + 1)
        else:
            others.append(Alternative(other.text or "", other.sentence or "", other.confidence, other.citations))
        others += other.alternatives
    others = sorted(others, key=lambda a: -a.confidence)[:ALTERNATIVES]
    return replace(best, citations=citations, alternatives=renumbered(others, len(citations)), partial=partial)

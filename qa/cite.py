"""Candidates to citations: the exact ranges of span, sentence and paragraph, and whether the file is still the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from index import Document
from qa.answer import Alternative, Citation, Excerpt, hash_now
from qa.candidates import Candidate, originals
from qa.shape import asks_for_explanation, points_back
from qa.surroundings import sentence_before, sentence_of, shown_range

Range = tuple[int, int]


def cite(question: str, candidates: Sequence[Candidate], folder: Path, *, first: int) -> tuple[Citation, ...]:
    """The citations of equal candidates, numbered from `first` on; their documents lie in `folder`."""
    cited = []
    for place, (c, original) in enumerate(zip(candidates, originals(candidates), strict=True)):
        sentence = sentence_of(c.document, c.block, c.start, c.end)
        if asks_for_explanation(question) and points_back(c.document.text[slice(*sentence)]):
            sentence = sentence_before(c.document, c.block, sentence)
        shown = shown_range(c.block, sentence)
        citation = cite_range(c.document, (c.start, c.end), sentence, shown, folder, number=first + place)
        cited.append(replace(citation, copy_of=None if original is None else first + original))
    return tuple(cited)


def cite_range(
    document: Document, span: Range, sentence: Range, shown: Range, folder: Path, *, number: int
) -> Citation:
    """A citation of a range of the document's text; stale if the file in `folder` is no longer the one indexed."""
    return Citation(
        number=number,
        document=document.path,
        title=document.title,
        date=document.date,
        start=span[0],
        end=span[1],
        text=document.text[slice(*span)],
        sentence_start=sentence[0],
        sentence_end=sentence[1],
        sentence=document.text[slice(*sentence)],
        passage=Excerpt(*shown, document.text[slice(*shown)]),
        anchor=document.anchor(span[0]),
        sha256=document.sha256,
        folder=str(folder),
        stale=hash_now(folder, document.path) != document.sha256,
    )


def renumbered(alternatives: Sequence[Alternative], taken: int) -> tuple[Alternative, ...]:
    """The alternatives, their citations numbered on after the `taken` ones of the answer."""
    renewed = []
    for alternative in alternatives:
        renewed.append(replace(alternative, citations=numbered(alternative.citations, taken + 1)))
        taken += len(alternative.citations)
    return tuple(renewed)


def numbered(citations: Sequence[Citation], first: int) -> tuple[Citation, ...]:
    """The citations of one answer or alternative numbered from `first` on; copies go on naming their original."""
    new = {citation.number: number for number, citation in enumerate(citations, first)}
    return tuple(
        replace(c, number=number, copy_of=None if c.copy_of is None else new.get(c.copy_of))
        for number, c in enumerate(citations, first)
    )

"""Documents to passages: ranges of the text, never copies or cleaned versions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """A paragraph of a document as a character range [start, end) of its text, and the heading it stands under."""

    ordinal: int
    start: int
    end: int
    heading: str

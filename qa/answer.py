"""What `qa` returns: answers and the citations that prove them."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from index import Anchor, Document, UnreadableDocument, file_sha256, read_document
from index.progress import visible

NO_ANSWER = "The documents do not answer this."
STALE = "changed since it was indexed"


@dataclass(frozen=True)
class Excerpt:
    """A character range [start, end) of a document and the text that stands there."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Citation:
    """A place in a document, and proof of what stands there.

    Offsets count characters of the document's canonical text (see `index.documents`). `text` is what stands at
    [start, end), `sentence` the whole sentence around it, `passage` the paragraph it was found in. `copy_of` is the
    number of a citation whose paragraph this one nearly repeats: the two are one source. `stale` says that the file was
    changed or removed after it was indexed: then the offsets hold no longer.
    """

    number: int
    document: str
    title: str
    date: str | None
    start: int
    end: int
    text: str
    sentence_start: int
    sentence_end: int
    sentence: str
    passage: Excerpt
    anchor: Anchor
    sha256: str
    folder: str
    stale: bool = False
    copy_of: int | None = None

    @property
    def uri(self) -> str:
        """The cited range as an RFC 5147 URI relative to the corpus, `file.txt#char=120,164`.

        For formats other than plain text the characters are those of the extracted text.
        """
        return f"{quote(self.document)}#char={self.start},{self.end}"

    @property
    def place(self) -> str:
        """Page, heading and line, as far as the format has them, for people."""
        parts = []
        if self.anchor.page is not None:
            parts.append(f"page {self.anchor.page}")
        if self.anchor.heading:
            parts.append(f"“{self.anchor.heading}”")
        if self.anchor.line is not None:
            parts.append(f"line {self.anchor.line}")
        elif self.anchor.paragraph is not None:
            parts.append(f"paragraph {self.anchor.paragraph}")
        return ", ".join(parts)

    def verify(self) -> bool:
        """Read the file again: True if its hash is the indexed one and the quoted words stand at their offsets."""
        found = self.current()
        return (
            found is not None
            and found.sha256 == self.sha256
            and found.text[self.start : self.end] == self.text
            and found.text[self.sentence_start : self.sentence_end] == self.sentence
        )

    def current(self) -> Document | None:
        """The document as it is on disk now, or None if it is gone or unreadable."""
        try:
            return read_document(Path(self.folder) / self.document, Path(self.folder))
        except UnreadableDocument:
            return None

    def to_dict(self) -> dict[str, Any]:
        """All fields but the local folder, and `uri` and `place`."""
        fields = asdict(self)
        del fields["folder"]
        return {**fields, "uri": self.uri, "place": self.place}


@dataclass(frozen=True)
class Alternative:
    """Another answer to the same question, with its own citations."""

    text: str
    sentence: str
    confidence: float
    citations: tuple[Citation, ...]

    def to_dict(self) -> dict[str, Any]:
        """All fields, citations as their dictionaries."""
        return {
            "text": self.text,
            "sentence": self.sentence,
            "confidence": self.confidence,
            "citations": [c.to_dict() for c in self.citations],
        }


@dataclass(frozen=True)
class Answer:
    """The documents' answer to a question, or none.

    `text` is verbatim and None when the documents do not answer; then `related` holds the closest passages.
    `confidence` is the probability, 0 to 1, that the best span found is right, given or not. `understood_as` is the
    completed question where a follow-up was completed from the conversation. `partial` says why not all documents were
    searched, where that is so: then a better answer, or the only one, may stand in the others.
    """

    question: str
    text: str | None
    sentence: str | None
    confidence: float
    citations: tuple[Citation, ...]
    alternatives: tuple[Alternative, ...] = ()
    related: tuple[Citation, ...] = ()
    understood_as: str | None = None
    partial: str | None = None

    @property
    def sources(self) -> int:
        """How many documents are cited, near copies of one another counted once."""
        return len({c.document for c in self.citations if c.copy_of is None})

    def rechecked(self) -> Answer:
        """This answer, those of its citations marked as stale whose files are no longer what was indexed."""
        hash_once = cache(hash_now)

        def now(citations: Sequence[Citation]) -> tuple[Citation, ...]:
            return tuple(replace(c, stale=c.stale or hash_once(c.folder, c.document) != c.sha256) for c in citations)

        others = tuple(replace(other, citations=now(other.citations)) for other in self.alternatives)
        return replace(self, citations=now(self.citations), alternatives=others, related=now(self.related))

    def to_dict(self) -> dict[str, Any]:
        """The one JSON form, shared by the shell, the evaluation and the web API."""
        return {
            "question": self.question,
            "understood_as": self.understood_as,
            "text": self.text,
            "sentence": self.sentence,
            "confidence": self.confidence,
            "citations": [c.to_dict() for c in self.citations],
            "alternatives": [a.to_dict() for a in self.alternatives],
            "related": [c.to_dict() for c in self.related],
            "partial": self.partial,
        }

    def __str__(self) -> str:
        """The form for terminals without colours."""
        return self.render(bold=str)

    def _repr_html_(self) -> str:
        """The form for notebooks: escaped, the answer in bold in its sentence, numbered sources below."""
        if self.text is None:
            head = f"<p><em>{NO_ANSWER}</em></p>"
            label, shown = "Related, not an answer:", self.related
        else:
            head = f"<p>{_marked_sentence(self.citations[0])} <small>confidence {self.confidence:.0%}</small></p>"
            label, shown = "", self.citations
        sources = "".join(
            f"<li value={c.number}>{html.escape(c.title)}, <code>{html.escape(c.uri)}</code>"
            f"{f' <strong>{STALE}</strong>' if c.stale else ''}</li>"
            for c in shown
        )
        partial = f"<p><strong>Incomplete: {html.escape(self.partial)}.</strong></p>" if self.partial else ""
        return f"{partial}{head}{label}<ol>{sources}</ol>"

    def render(self, *, bold: Callable[[str], str]) -> str:
        """The answer in its sentence, numbered sources with file and place, and the confidence, as lines of text.

        Args:
            bold: a function that marks a text, `lambda text: f"\\x1b[1m{text}\\x1b[0m"` for a terminal.
        """
        return "\n".join(self._lines(bold))

    def _lines(self, bold: Callable[[str], str]) -> Iterator[str]:
        if self.understood_as:
            yield f"understood as: {visible(self.understood_as)}"
        if self.partial:
            yield f"Incomplete: {visible(self.partial)}."
        if self.text is None:
            yield NO_ANSWER
            if self.related:
                yield ""
                yield "Related, not an answer:"
            for citation in self.related:
                yield from _source_lines(citation)
                yield f"      {visible(citation.passage.text)}"
            return
        first = self.citations[0]
        a, b = first.start - first.sentence_start, first.end - first.sentence_start
        before, after = first.sentence[:a], first.sentence[b:]
        numbers = " ".join(f"[{c.number}]" for c in self.citations)
        yield f"{visible(before)}{bold(visible(first.text))}{visible(after)} {numbers}"
        yield ""
        for citation in self.citations:
            yield from _source_lines(citation)
        yield f"  confidence {self.confidence:.0%}"
        for other in self.alternatives:
            places = ", ".join(
                f"{visible(c.document)}, {visible(c.place)}{f', {STALE}' if c.stale else ''}" for c in other.citations
            )
            yield f"  or: {visible(other.text)} ({places}; confidence {other.confidence:.0%})"


def hash_now(folder: str | Path, document: str) -> str | None:
    """The sha256 of a document's file as it is now, or None if it is gone or unreadable."""
    try:
        return file_sha256(Path(folder) / document, Path(folder))
    except UnreadableDocument:
        return None


def _source_lines(citation: Citation) -> Iterator[str]:
    place = f", {visible(citation.place)}" if citation.place else ""
    date = f" ({visible(citation.date)})" if citation.date else ""
    copy = f", nearly the same text as [{citation.copy_of}]" if citation.copy_of is not None else ""
    yield f"  [{citation.number}] {visible(citation.title)}{date}{copy}"
    yield f"      {visible(citation.document)}{place} · characters {citation.start}-{citation.end}"
    if citation.stale:
        yield f"      {STALE}: run `python -m index` to bring the index up to date"


def _marked_sentence(citation: Citation) -> str:
    a, b = citation.start - citation.sentence_start, citation.end - citation.sentence_start
    before, text, after = (html.escape(part) for part in (citation.sentence[:a], citation.text, citation.sentence[b:]))
    return f"{before}<strong>{text}</strong>{after}"

"""Conversations to keep: as Markdown for people, as JSON that `python -m qa.verify` can check, as text to paste.

Knows answers, nothing of where they come from. The citations of the JSON form are W3C Web Annotations
(https://www.w3.org/TR/annotation-model/): the words by a TextQuoteSelector, their place by a TextPositionSelector.
Ours beside them: `sha256`, `title`, `date`, `place` and `sentence` of the target, `number`, `copy_of` and `stale`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from index.progress import visible
from qa.answer import NO_ANSWER, STALE, Answer, Citation

FORMAT = "extractive-qa conversation 1"
AROUND = 32
"""How many characters before and after the words a TextQuoteSelector gives, at most."""


def conversation_json(answers: Sequence[Answer]) -> dict[str, Any]:
    """The conversation as JSON: its turns in the form of `Answer.to_dict`, each citation a Web Annotation."""
    return {"format": FORMAT, "turns": [_turn(answer, number) for number, answer in enumerate(answers, 1)]}


def conversation_markdown(answers: Sequence[Answer]) -> str:
    """The conversation as CommonMark; what stands in documents and questions is escaped, so that it shows as it is."""
    lines = ["# Conversation", ""]
    for number, answer in enumerate(answers, 1):
        lines += [f"## {number}. {_escaped(answer.question)}", "", *_markdown(answer)]
    return "\n".join(lines)


def copy_text(answer: Answer) -> str:
    """The answer's sentence and its citations (title, file, place, date) as text to paste; its question if none."""
    if answer.text is None:
        return f"{visible(answer.question)}\n{NO_ANSWER}"
    lines = [f"“{visible(answer.sentence or answer.text)}”"]
    return "\n".join(lines + [f"[{c.number}] {', '.join(_source(c))}" for c in answer.citations])


def _turn(answer: Answer, number: int) -> dict[str, Any]:
    def annotations(citations: Sequence[Citation]) -> list[dict[str, Any]]:
        return [_annotation(citation, number) for citation in citations]

    return {
        **answer.to_dict(),
        "citations": annotations(answer.citations),
        "alternatives": [
            {**other.to_dict(), "citations": annotations(other.citations)} for other in answer.alternatives
        ],
        "related": annotations(answer.related),
    }


def _annotation(citation: Citation, turn: int) -> dict[str, Any]:
    passage = citation.passage
    before = passage.text[: max(0, citation.start - passage.start)]
    after = passage.text[max(0, citation.end - passage.start) :]
    name = f"{citation.sha256}/{citation.uri}/{turn}/{citation.number}"
    return {
        "@context": "http://www.w3.org/ns/anno.jsonld",
        "id": f"urn:uuid:{uuid5(NAMESPACE_URL, name)}",
        "type": "Annotation",
        "motivation": "highlighting",
        "number": citation.number,
        "copy_of": citation.copy_of,
        "stale": citation.stale,
        "target": {
            "source": quote(citation.document),
            "selector": [
                {
                    "type": "TextQuoteSelector",
                    "exact": citation.text,
                    "prefix": before[-AROUND:],
                    "suffix": after[:AROUND],
                },
                {"type": "TextPositionSelector", "start": citation.start, "end": citation.end},
            ],
            "sentence": {
                "exact": citation.sentence,
                "start": citation.sentence_start,
                "end": citation.sentence_end,
            },
            "sha256": citation.sha256,
            "title": citation.title,
            "date": citation.date,
            "place": citation.place,
        },
    }


def _markdown(answer: Answer) -> Iterator[str]:
    if answer.partial:
        yield from (f"Incomplete: {_escaped(answer.partial)}.", "")
    if answer.understood_as:
        yield from (f"Understood as: {_escaped(answer.understood_as)}", "")
    if answer.text is None:
        yield from (NO_ANSWER, "")
        if answer.related:
            yield from ("Related, not an answer:", "")
            yield from _sources(answer.related)
        return
    first = answer.citations[0]
    a, b = first.start - first.sentence_start, first.end - first.sentence_start
    before, after = (_escaped(part, strip=False) for part in (first.sentence[:a], first.sentence[b:]))
    numbers = "".join(f" \\[{c.number}\\]" for c in answer.citations)
    # In quotation marks, so that no word of it begins a line and is read as a list or a heading.
    yield from (f"“{before}**{_escaped(first.text)}**{after}”{numbers}", "", f"Confidence {answer.confidence:.0%}.", "")
    yield from _sources(answer.citations)
    for other in answer.alternatives:
        yield from (f"Or “{_escaped(other.text)}”, confidence {other.confidence:.0%}:", "")
        yield from _sources(other.citations)


def _sources(citations: Sequence[Citation]) -> Iterator[str]:
    for c in citations:
        notes = [*_source(c), f"characters {c.start}-{c.end}"]
        if c.copy_of is not None:
            notes.append(f"nearly the same text as [{c.copy_of}]")
        yield f"{c.number}. {_escaped(', '.join(notes))}  "
        yield f"   “{_escaped(c.sentence)}”"
    yield ""


def _source(citation: Citation) -> list[str]:
    parts = (citation.title, citation.document, citation.place, citation.date, STALE if citation.stale else None)
    return [visible(part) for part in parts if part]


def _escaped(text: str, *, strip: bool = True) -> str:
    """One line of CommonMark that shows `text`; escaped is also what would make a list or a heading at its start."""
    line = re.sub(r"([\\`*_\[\]<>&#|~$])", r"\\\1", visible(text.strip() if strip else text))
    return re.sub(r"^(\d+(?=[.)])|(?=[-+=]))", r"\1\\", line)

"""Example questions from the headlines of a corpus, by a few rules; the documents may or may not answer them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

EXAMPLES = 4

_NAME = r"(?:[A-Z][\w’'-]+|[A-Z]{2,})(?: (?:[A-Z][\w’'-]+|[A-Z]{2,}))*"
_SPEAKER = re.compile(rf"({_NAME}): ")
_PLACE = re.compile(rf"\b[Ii]n ({_NAME})")
_INNER_NAME = re.compile(rf"(?<=[a-z,] )({_NAME})")


def example_questions(titles: Sequence[str]) -> tuple[str, ...]:
    """Up to `EXAMPLES` questions; first one for each headline, then the second ones, and so on."""
    each = [list(_questions(title.strip())) for title in titles[:200]]
    longest = max((len(questions) for questions in each), default=0)
    ordered = (questions[n] for n in range(longest) for questions in each if n < len(questions))
    return tuple(dict.fromkeys(ordered))[:EXAMPLES]


def _questions(title: str) -> Iterator[str]:
    if speaker := _SPEAKER.match(title):
        yield f"What did {speaker[1]} say?"
    if place := _PLACE.search(title):
        yield f"What happened in {place[1]}?"
    for name in _INNER_NAME.findall(title):
        if not (place and name == place[1]):
            yield f"What is said about {name}?"
    if title and len(title) <= 60:
        yield f"What is said about “{title}”?"

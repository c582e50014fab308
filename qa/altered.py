"""Questions altered so that their passage no longer answers them, to train the reader to say "not here".

What is asked about keeps its shape and all but one of its words: a name or a number becomes another of the passages on
the same subject, or a word becomes its opposite.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

_NAME = re.compile(r"[^\W\d_a-z][\w-]{2,}(?: [^\W\d_a-z][\w-]+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_PAIRS = (
    "after/before first/last most/least more/less more/fewer largest/smallest highest/lowest oldest/youngest "
    "increase/decrease increased/decreased began/ended begin/end start/end north/south northern/southern east/west "
    "eastern/western win/lose won/lost minimum/maximum early/late above/below old/new never/always "
    "best/worst high/low large/small top/bottom legal/illegal possible/impossible same/different strong/weak"
)
OPPOSITES = {a: b for pair in _PAIRS.split() for a, b in (pair.split("/"), pair.split("/")[::-1])}
NEGATIONS = {"can": "cannot", "is": "isn't", "was": "wasn't", "did": "didn't", "does": "doesn't", "were": "weren't"}
NEGATED = 0.1  # of the questions; more would teach that a "not" alone means "no answer"


def altered(question: str, answers: Sequence[str], texts: Sequence[str], rng: random.Random) -> str | None:
    """Alter one word or name of `question` at random, or give None where nothing can be.

    Args:
        question: a question that a passage answers.
        answers: its answers, no part of which becomes a part of the question.
        texts: where other names and numbers are taken from.
        rng: decides.
    """
    first_word = len(question.split(" ", 1)[0])
    opposites = NEGATIONS if rng.random() < NEGATED else OPPOSITES
    words = re.finditer(r"\w+", question)
    changes = [(m.start(), m.end(), opposites[m.group()]) for m in words if m.group() in opposites]
    if opposites is NEGATIONS:
        return _changed(question, rng.choice(changes)) if changes else None
    for kind in (_NAME, _NUMBER):
        there = [m for m in kind.finditer(question) if m.start() >= first_word]
        if there:
            others = sorted(
                {
                    m.group()
                    for text in texts
                    for m in kind.finditer(text)
                    if not _begins_sentence(text, m.start())
                    and m.group() not in question
                    and not any(m.group() in answer or answer in m.group() for answer in answers)
                }
            )
            for match in there:
                alike = [o for o in others if kind is _NAME or len(o) == len(match.group())]
                if alike:
                    changes.append((match.start(), match.end(), rng.choice(alike)))
    return _changed(question, rng.choice(changes)) if changes else None


def _changed(question: str, change: tuple[int, int, str]) -> str:
    start, end, instead = change
    return question[:start] + instead + question[end:]


def _begins_sentence(text: str, place: int) -> bool:
    """A capital there tells nothing of the word."""
    return place == 0 or text[:place].rstrip(" \"'“(")[-1:] in ("", ".", "?", "!", "\n")

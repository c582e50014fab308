"""Example questions from the headlines of a corpus; the documents may or may not answer them.

Turning "Minister resigns over letter" into "Why did the minister resign?" takes a parser. Tried on 27 headlines,
questions that quote them were answered more often and better than ones about a name in them ("What is said about X?").
"""

from __future__ import annotations

from collections.abc import Sequence

FORMS = ("“{}”: who says so?", "Why is it that “{}”?", "“{}”: when was that?")
LONGEST_TITLE = 90


def example_questions(titles: Sequence[str]) -> tuple[str, ...]:
    """As many questions as there are `FORMS`, about headlines from all over the corpus; none if no title fits."""
    fitting = [" ".join(title.split()) for title in titles if title.strip() and len(title) <= LONGEST_TITLE]
    if not fitting:
        return ()
    step = max(1, len(fitting) // len(FORMS))
    return tuple(form.format(fitting[n * step % len(fitting)]) for n, form in enumerate(FORMS))

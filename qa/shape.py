"""What shape an answer takes: how much of the text is cited for a question, decided from its first words.

Pure rules on texts and ranges:

- A list question ("which airports …", "who were …") is answered by all members of an enumeration: spans
  of one sentence with nothing but a comma, "and" or "or" between them become one.
- A why, how or what-happened question is answered by its sentence; where that begins by pointing back ("This …",
  "He …", "But …"), the sentence before it, in the same paragraph, is cited with it.
- Two paragraphs are near copies (the same wire story in two files) if they share most of their word triples.
"""

from __future__ import annotations

import re

COPY_SHARE = 0.6

_VERB = r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|may|should)"
_PLURAL = r"(?!(?:is|was|does|has|this|his|its|us)\b)\w{2,}[^\W_usi]s"
_LIST = re.compile(
    rf"^(?:which|what)\s+(?:(?!{_VERB}\b)\w+\s+){{0,2}}?{_PLURAL}\b|"
    rf"^(?:which|what)\s+(?:are|were)\s+(?:the\s+)?(?:\w+\s+){{0,2}}?{_PLURAL}\b|^(?:name|list)\b|^who\s+(?:were|are)\b",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"^\s*(?:[,;]|,?\s*(?:and|or|as well as)\b|&)\s*(?:the|a|an|in|at|of)?\s*$", re.IGNORECASE)
_EXPLAINED = re.compile(
    r"^(?:(?:and|but|so)\s+)?(?:why|how(?!\s+(?:many|much|long|often|far|old|big|large|high|tall|fast|soon))|"
    r"what\s+(?:happened|caused|led))\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    r"^[\"“‘'(]*(?:this|that|these|those|it|he|she|they|his|her|their|its|but|and|so|such|then|instead|"
    r"however|therefore|as a result)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


def asks_for_list(question: str) -> bool:
    """Whether more than one thing is asked for."""
    return bool(_LIST.match(question.strip()))


def asks_for_explanation(question: str) -> bool:
    """Whether a sentence rather than a name or a number answers it."""
    return bool(_EXPLAINED.match(question.strip()))


def enumeration(text: str, spans: list[tuple[int, int]]) -> tuple[int, int]:
    """The first span, widened by those of the others that stand beside it in one enumeration of `text`."""
    (start, end), others = spans[0], sorted(spans[1:])
    grown = True
    while grown:
        grown = False
        for low, high in others:
            if low >= end and _joins(text[end:low]):
                end, grown = high, True
            elif high <= start and _joins(text[high:start]):
                start, grown = low, True
    return start, end


def points_back(sentence: str) -> bool:
    """Whether a sentence leans on the one before it."""
    return bool(_POINTS_BACK.match(sentence))


def near_copy(one: str, other: str) -> bool:
    """Whether two paragraphs share `COPY_SHARE` of their word triples (Jaccard; Broder 1997, w-shingling)."""
    a, b = _triples(one), _triples(other)
    return bool(a and b) and len(a & b) >= COPY_SHARE * len(a | b)


def _joins(between: str) -> bool:
    return bool(_BETWEEN.match(between))


def _triples(text: str) -> set[tuple[str, ...]]:
    words = [w.lower() for w in _WORD.findall(text)]
    return set(zip(words, words[1:], words[2:], strict=False)) if len(words) >= 3 else {tuple(words)} - {()}

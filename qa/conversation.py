"""Follow-up questions, completed from the conversation by rules that can be read in one sitting.

Three rules, tried in this order; the first that fits is taken:

1. A bare question word ("Why?", "And when?", "How many?", "Who said so?") asks about what was asked before: the
   question word, then the previous question without its own, with the previous answer in its place.
2. A pronoun for a person ("he", "her", "his") stands for the person last named: in the previous answer, else in the
   previous question, else in the cited sentence.
3. Any other word that points back ("they", "it", "that", "there"), or a question of at most `SHORT` words of its own,
   is followed by the words of the previous question and answer that it lacks.

Knows words, nothing of documents or scores: whether the completed question or the raw one is better supported is for
the pipeline to find out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from qa.answer import Answer

SHORT = 2

_WORD = re.compile(r"[^\W_]+(?:['’\-.][^\W_]+)*")
_LEAD = re.compile(r"^(?:and|but|so|or|then|ok|okay|well)\b[\s,]*", re.IGNORECASE)
_ASKING = r"who|whom|whose|what|which|when|where|why|how(?:\s+(?:many|much|long|often|far|old|big|large))?"
_BARE = re.compile(
    rf"^({_ASKING})(?:\s+(?:said|says|reported|claimed|told)\s+(?:so|that|this|it)|\s+(?:so|then|exactly|not|else|"
    rf"was\s+(?:that|this|it)|is\s+(?:that|this|it)|did\s+(?:that|this|it)\s+happen))?\s*\??$",
    re.IGNORECASE,
)
_AUXILIARY = re.compile(r"^(?:did|do|does|was|were|is|are|has|have|had|will|would|can|could)\b\s*", re.IGNORECASE)
_SAYING = re.compile(r"\b(?:said|says|reported|claimed|told)\b", re.IGNORECASE)
_QUESTION_WORD = re.compile(rf"^(?:(?:in|on|at|by|for|from|to|with|of)\s+)?(?:{_ASKING})\b\s*", re.IGNORECASE)
_PERSON = re.compile(r"\b(he|she|him|her|his|hers)\b", re.IGNORECASE)
_POINTING = re.compile(
    r"\b(it|its|they|them|their|this|that|these|those|there|then|the (?:two|three|others?|same|first|second))\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b[A-Z][\w'’\-]*(?:\s+(?:(?:of|de|van|von|al)\s+)?[A-Z][\w'’\-]*)*")
_STOP = frozenset(
    """a an the and or of to in on at for from by with about as is are was were be been being do does did have has had
    i we you will would can could should may might not no so that this it its he she they him his her their there then
    who whom whose what which when where why how many much long said say says""".split()
)


def complete(question: str, history: Sequence[Answer]) -> str | None:
    """The question as it stands on its own, or None where it already does or nothing was asked before."""
    if not history:
        return None
    last = history[-1]
    asked = (last.understood_as or last.question).strip().rstrip("?.! ")
    plain = _LEAD.sub("", question.strip())
    bare = _BARE.match(plain)
    if bare is not None:
        return _bare(bare, plain, asked, last.text)
    person = _PERSON.search(plain)
    if person is not None:
        name = _person(last, asked)
        if name is not None:
            return _PERSON.sub(lambda m: _replacement(m, plain, name), plain)
    if person is not None or _POINTING.search(plain) or len(_own_words(plain)) <= SHORT:
        lacking = [
            w
            for w in _words_of(f"{asked} {last.text or ''}")
            if w.lower() not in {o.lower() for o in _WORD.findall(plain)}
        ]
        return f"{plain.rstrip('?.! ')} {' '.join(lacking)}?" if lacking else None
    return None


def _bare(bare: re.Match[str], plain: str, asked: str, answer: str | None) -> str:
    rest = _QUESTION_WORD.sub("", asked)
    subject = answer or ""
    word = bare[1][0].upper() + bare[1][1:].lower()
    if _SAYING.search(plain):
        word = f"{word} said"
    if _AUXILIARY.match(rest):
        return f"{word} {rest} {subject}".strip() + "?"
    return f"{word} {subject} {rest}".replace("  ", " ").strip() + "?"


def _person(last: Answer, asked: str) -> str | None:
    """The person last named: the answer to a "who"; else the first name in the question, answer or sentence."""
    if last.text and re.match(r"\s*who\b", asked, re.IGNORECASE):
        return last.text
    rest = _AUXILIARY.sub("", _QUESTION_WORD.sub("", asked))
    for text in (rest, last.text or "", last.sentence or ""):
        names = [n for n in _NAME.findall(text) if n.lower() not in _STOP]
        if names:
            return str(names[0])
    return None


def _replacement(pronoun: re.Match[str], plain: str, name: str) -> str:
    word = pronoun[1].lower()
    follows = plain[pronoun.end() :].lstrip()
    possessive = word in ("his", "hers") or (word == "her" and bool(re.match(r"[a-z]", follows)))
    return f"{name}'s" if possessive else name


def _own_words(text: str) -> list[str]:
    return [w for w in _WORD.findall(text) if w.lower() not in _STOP]


def _words_of(text: str) -> list[str]:
    return list(dict.fromkeys(_own_words(text)))

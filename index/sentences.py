"""Where sentences begin and end, as character ranges.

Knows nothing of documents. The boundaries are sentencex's; what news text makes it cut wrongly ("5 p.m. / Tuesday",
"5 pct. / on the day") is joined again, and paragraphs are kept apart.
"""

from __future__ import annotations

import re

import sentencex

WIDEST_LINE = 130
"""Characters. Nobody wraps text wider: a line that is longer is a paragraph, and its newline ends a sentence."""

_BLANK_LINE = re.compile(r"\n\s*\n")
_LIST_ITEM = re.compile(r"\n[^\S\n]*(?=(?:[-*+•‣◦–—]|\(?\d{1,3}[.)])[^\S\n])")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MARKER = re.compile(r"(?:[-*+•‣◦–—]|\(?\d{1,3}[.)])")
_LOWER = re.compile(r"[\"'“”‘’«»(\[]*(?P<letter>[^\W\d_])(?![A-Z])")
_ABBREVIATION = re.compile(
    r"\b(?:[ap]\.m|pct|approx|est|incl|vs|etc|e\.g|i\.e|cf|ca|fig|nos?|vol|pp?|u\.[sk])\.$", re.I
)
_HOUR = re.compile(r"\b[ap]\.m\.$", re.I)
_AFTER_HOUR = re.compile(
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b|(?:Jan|Feb|March|April|May|June|July|Aug|Sept|Oct|Nov|Dec)[a-z]*\b"
    r"|\(?(?:[ECMP][SD]?T|GMT|UTC|BST|CES?T|IST|JST|KST|HKT|AES?T)\b"
)
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|Gen|Lt|Col|Sgt|Capt|Cmdr|Adm|Maj|Sen|Rep|Gov|Rev|Hon)\.$")
_NUMBERED = re.compile(r"\b(?:Nos?|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Fig|Vol|pp?)\.$")


def sentences(text: str) -> list[tuple[int, int]]:
    """The character ranges of the sentences of `text`, in order, apart, without blanks around them.

    Every non-blank character is in exactly one of them. A blank line always ends a sentence, and so do a newline
    before a list item and one beside a line too long to be a wrapped one; any other newline does not.
    """
    apart = {m.end() for m in _BLANK_LINE.finditer(text)} | {m.end() for m in _LIST_ITEM.finditer(text)}
    readable = _SURROGATE.sub("\ufffd", text)  # sentencex takes nothing that UTF-8 can't write
    cuts = {b["start_index"] for b in sentencex.get_sentence_boundaries("en", readable)}
    starts = sorted({0} | cuts | apart | _long_line_starts(text))
    found: list[tuple[int, int]] = []
    kept_apart = True
    for begin, stop in zip(starts, [*starts[1:], len(text)], strict=True):
        kept_apart = kept_apart or begin in apart
        piece = text[begin:stop]
        start = begin + len(piece) - len(piece.lstrip())
        end = begin + len(piece.rstrip())
        if start >= end:
            continue
        if not kept_apart and _belongs_together(text, found[-1], (start, end)):
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
        kept_apart = False
    return found


def sentence_at(text: str, start: int, end: int) -> tuple[int, int]:
    """The range of the sentence, or sentences, that [start, end) stands in; never smaller than [start, end)."""
    low = text.rfind("\n\n", 0, start) + 1  # 0 where there is no blank line
    high = text.find("\n\n", end)
    ranges = sentences(text[low : high if high >= 0 else len(text)])
    touched = [(low + a, low + b) for a, b in ranges if low + a < max(end, start + 1) and low + b > start]
    if not touched:
        return start, end
    return min(start, touched[0][0]), max(end, touched[-1][1])


def _long_line_starts(text: str) -> set[int]:
    starts = set()
    at = 0
    previous_is_long = False
    for line in text.split("\n"):
        is_long = len(line) > WIDEST_LINE
        if is_long or previous_is_long:
            starts.add(at)
        previous_is_long = is_long
        at += len(line) + 1
    starts.discard(len(text))
    return starts


def _belongs_together(text: str, before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether the cut between two neighbouring pieces of a paragraph is plainly wrong."""
    end = text[max(before[0], before[1] - 16) : before[1]]
    begin = text[after[0] : min(after[1], after[0] + 16)]
    if not any(map(str.isalnum, text[after[0] : after[1]])):  # a lone quotation mark or bracket
        return True
    if before[1] - before[0] <= 5 and _MARKER.fullmatch(end):
        return True
    if _starts_lower(begin):
        # Who begins every sentence with a small letter ("loved it. it was great.") means each as a sentence.
        informal = _starts_lower(text[before[0] : min(before[1], before[0] + 16)])
        return not informal or end[-1] not in ".!?" or _ABBREVIATION.search(end) is not None
    if _HOUR.search(end):
        return _AFTER_HOUR.match(begin) is not None
    if _TITLE.search(end):
        return begin[0].isupper()
    return _NUMBERED.search(end) is not None and begin[0].isdigit()


def _starts_lower(begin: str) -> bool:
    letter = _LOWER.match(begin)
    return letter is not None and letter["letter"].islower()

"""Dates as news texts, file names and metadata write them, to ISO 8601; English months, valid dates only."""

from __future__ import annotations

import re
from datetime import date

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<{}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_LONGEST_DATE_LINE = 80
_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_LINE = re.compile(
    r"(?:(?:first )?(?:published|posted|updated|last updated|dated?)(?: on| at)?\s*:?\s*)?"
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
    r"(?:(?P<iso>\d{4}-\d{2}-\d{2})"
    rf"|{_MONTH.format('m1')}\s+(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y1>\d{{4}})"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\s+{_MONTH.format('m2')},?\s+(?P<y2>\d{{4}}))"
    r"(?:T|\s*(?:,|at|[-–—|])?\s*)?"
    r"(?:\d{1,2}[:.]\d{2}(?:[:.]\d{2})?\s*(?:[ap]\.?m\.?)?\s*(?:Z|[+-]\d{2}:?\d{2}|\(?[A-Z]{2,5}\)?)?)?\.?",
    re.IGNORECASE,
)


def iso_date(year: int, month: int, day: int) -> str | None:
    """`2024-03-12`, or None if there is no such day."""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def date_in(text: str) -> str | None:
    """The first valid ISO date in `text` (a file name, a `datetime` attribute), without any time of day."""
    found = (iso_date(int(m[1]), int(m[2]), int(m[3])) for m in _ISO.finditer(text))
    return next(filter(None, found), None)


def date_of_line(line: str) -> str | None:
    """The date of a line that holds nothing else: "March 12, 2024", "Thursday, 6 January 2022, 10:30 GMT"."""
    found = _LINE.fullmatch(line.strip()) if len(line) <= _LONGEST_DATE_LINE else None
    if found is None:
        return None
    if found["iso"]:
        return date_in(found["iso"])
    n = "1" if found["m1"] else "2"
    return iso_date(int(found["y" + n]), _MONTHS.index(found["m" + n][:3].lower()) + 1, int(found["d" + n]))

"""What a browser sends with an event: not trusted, so it is asked for here, and only here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def number(sent: Mapping[str, Any] | None, name: str, below: int) -> int | None:
    """The number that was sent as `name` if it is one of 0 to `below` - 1, or None."""
    text = str((sent or {}).get(name, ""))
    return int(text) if text.isdecimal() and len(text) < 9 and int(text) < below else None


def word(sent: Mapping[str, Any] | None, name: str) -> str:
    """What was sent as `name`, as text; empty if nothing was."""
    return str((sent or {}).get(name, ""))

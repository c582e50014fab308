"""Text to HTML: escaped, what is unseen named, and marked by offsets.

Nothing is ever marked by looking for its words, and nothing that stands in a document is ever HTML.
"""

from __future__ import annotations

import re
from html import escape
from itertools import pairwise

from qa import Citation

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: str) -> str:
    """`text` escaped, with control and direction characters named, so that no document can steer or spoof the page."""
    return _UNSEEN.sub(lambda m: f'<span class="unseen">U+{ord(m[0]):04X}</span>', escape(text, quote=True))


def plain(text: str) -> str:
    """`text` escaped for an attribute: one line, control and direction characters named."""
    return _UNSEEN.sub(lambda m: f"U+{ord(m[0]):04X}", escape(re.sub(r"[\t\r\n\v\f]+", " ", text), quote=True))


def marked(text: str, start: int, citation: Citation, *, tag: str = "mark", first_id: str = "") -> str:
    """`text`, which begins at `start` of the cited document, with the citation's sentence and words in it marked.

    What of them lies outside of `text` is left out.

    Args:
        tag: the element of the cited words.
        first_id: an id for the element with which the cited words begin.
    """
    sentence, cited = (citation.sentence_start, citation.sentence_end), (citation.start, citation.end)
    end = start + len(text)
    edges = {start, end}
    for edge in (*sentence, *cited):
        edges.add(min(max(edge, start), end))
    cuts = sorted(edges)
    parts = []
    for a, b in pairwise(cuts):
        piece = shown(text[a - start : b - start])
        if cited[0] <= a and b <= cited[1]:
            name = f' id="{first_id}"' if first_id and a == cited[0] else ""
            parts.append(f'<{tag}{name} class="cited">{piece}</{tag}>')
        elif sentence[0] <= a and b <= sentence[1]:
            parts.append(f'<span class="sentence">{piece}</span>')
        else:
            parts.append(piece)
    return "".join(parts)


def window(length: int, start: int, end: int, reach: int) -> tuple[int, int]:
    """What is shown of a text of `length` characters: [start, end) and up to `reach` characters to either side."""
    return max(0, min(start - reach, length)), max(0, min(end + reach, length))

"""Markdown: blocks as ranges of the source, which is the canonical text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from index.blocks import Block, Content, Kind, kind_of, one_line
from index.dates import date_in, date_of_line

_FRONT = re.compile(r"---[ \t]*\n(?P<lines>(?:(?!---[ \t]*(?:\n|$)).*\n){0,200})---[ \t]*(?:\n|$)")
_FIELD = re.compile(r"^(title|date)[ \t]*:[ \t]*(.*)$", re.MULTILINE | re.IGNORECASE)
_LEAVES = frozenset(["paragraph_open", "fence", "code_block", "table_open", "blockquote_open"])

# Only the block structure is wanted: what is bold or a link inside a paragraph changes no range.
_PARSER = MarkdownIt("commonmark").enable("table")
_PARSER.core.ruler.disable(["inline", "text_join"])


def read_markdown(text: str) -> Content:
    """Title, date and blocks of a Markdown source: a paragraph each for top-level list items, code, tables, quotations.

    Front matter (`---`, `title:`, `date:`) is an aside. The title is its, or the first heading of level 1, or None.
    """
    front = _FRONT.match(text)
    begin = front.end() if front else 0
    title = date = None
    blocks: list[Block] = []
    if front:
        end = len(front[0].rstrip())
        blocks.append(Block(0, end, "aside"))
        fields = {name.lower(): value.strip().strip("\"'").strip() for name, value in _FIELD.findall(front["lines"])}
        title = one_line(fields.get("title", "")) or None
        date = date_in(fields.get("date", "")) or date_of_line(fields.get("date", ""))
    starts = [begin]  # of the lines that the parser sees; it counts them from 0
    while (newline := text.find("\n", starts[-1])) >= 0:
        starts.append(newline + 1)
    starts += [len(text), len(text)]
    for kind, top, (first, last) in _spans(_PARSER.parse(text[begin:])):
        start = max(starts[first], blocks[-1].end if blocks else 0)
        start, end = _stripped(text, start, starts[min(last, len(starts) - 1)])
        if kind == "heading":
            start, end = _without_marks(text, start, end)
        if start >= end:
            continue
        part = text[start:end]
        kind = kind_of(part, kind)
        if top and title is None and kind == "heading":
            title = one_line(part)
        blocks.append(Block(start, end, kind))
    return Content(text, tuple(blocks), title, date)


def _spans(tokens: list[Token]) -> Iterator[tuple[Kind, bool, list[int]]]:
    """Of each block its kind, whether it is a heading of level 1, and the lines [first, last) it takes."""
    for number, token in enumerate(tokens):
        if token.map is None:
            continue
        if token.type == "heading_open" and token.level == 0:
            inline = tokens[number + 1]  # without the line of === or --- below
            yield "heading", token.tag == "h1", inline.map or token.map
        elif token.type == "html_block" and token.level == 0:
            yield "aside" if token.content.lstrip().startswith("<!--") else "paragraph", False, token.map
        elif (token.level, token.type) == (1, "list_item_open") or (token.level == 0 and token.type in _LEAVES):
            yield "paragraph", False, token.map


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _without_marks(text: str, start: int, end: int) -> tuple[int, int]:
    """A heading's words without the number signs and the emphasis around them."""
    part = text[start:end]
    if part.startswith("#"):
        opened = part.lstrip("#").lstrip()
        start = end - len(opened)
        closed = opened.rstrip("#")
        if closed != opened and closed[-1:].isspace() or not closed:  # "C#" keeps its sign
            end = start + len(closed.rstrip())
    while end - start > 2 and text[start] in "*_`" and text[start] == text[end - 1]:
        start, end = start + 1, end - 1
    return _stripped(text, start, end)

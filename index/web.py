"""HTML: the visible text, one block for each block-level element."""

from __future__ import annotations

import codecs
import re
from typing import Any

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from index.blocks import Content, Kind, Piece, join, one_line
from index.dates import date_in
from index.errors import UnreadableDocument
from index.plain import bom_encoding, decode

DEEPEST = 5_000
"""Open elements. The parser's time grows with the square of them: 100,000 take it half a minute."""

_CHARSET = re.compile(rb"<meta\b[^>]{0,200}?\bcharset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_CHARSETS = frozenset(
    ["utf-8", "gbk", "gb18030", "gb2312", "big5", "euc_jp", "shift_jis", "iso2022_jp", "euc_kr", "koi8-r", "koi8-u"]
    + [f"cp{n}" for n in (866, 874, *range(1250, 1259))]
    + [f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)]
)
_TAG = re.compile(r"<(?:(/?)([a-z][a-z0-9]*)|!--)", re.IGNORECASE)
_UNNESTED = frozenset(  # void, or closed by the next of its kind without saying so
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "param",
     "p", "li", "dt", "dd", "td", "th", "tr", "thead", "tbody", "tfoot"]
)  # fmt: skip
_RAW_END = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style")}
_COMMENT_END = re.compile("--!?>")
_UNSEEN = frozenset(
    ["head", "script", "style", "noscript", "template", "nav", "footer", "iframe", "svg", "math", "canvas", "object",
     "audio", "video", "select", "datalist", "button", "textarea", "dialog", "map"]
)  # fmt: skip
_UNSEEN_ROLES = frozenset(["navigation", "banner", "contentinfo", "search", "menu", "menubar"])
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_BLOCKS = _HEADINGS | frozenset(
    ["html", "body", "p", "div", "section", "article", "main", "aside", "header", "hgroup", "address", "blockquote",
     "pre", "ul", "ol", "li", "dl", "dt", "dd", "menu", "figure", "figcaption", "table", "caption", "thead", "tbody",
     "tfoot", "tr", "form", "fieldset", "legend", "details", "summary", "hr", "center"]
)  # fmt: skip


def read_web(data: bytes) -> Content:
    """The visible text of a page as blocks, its title (`<title>`, or the `<h1>` that this begins with) and date.

    Navigation, scripts, hidden elements, footers, and headers without an `<h1>` are left out; runs of blanks become one
    space; a table row is one block, its cells apart by " | ".

    Raises:
        UnreadableDocument: it is binary, or nested so deeply that parsing it would take minutes.
    """
    source = _decoded(data)
    if _is_deep(source):
        raise UnreadableDocument(f"its elements are nested more than {DEEPEST:,} deep: simplify the page")
    try:
        tree = LexborHTMLParser(source)
    except SelectolaxError as error:
        # lexbor mends whatever is written; what it gives up on is memory.
        raise UnreadableDocument("its parser gave up, most likely for want of memory: simplify or split it") from error
    text, blocks = join(_Walk().pieces(tree.root))
    first = next((text[b.start : b.end] for b in blocks if b.kind == "heading"), "")
    title = _words(tree.css_first("head > title")) or first
    if (h1 := _words(tree.css_first("h1"))) and title.startswith(h1):
        title = h1
    return Content(text, blocks, title or None, _date(tree))


def _decoded(data: bytes) -> str:
    declared = _CHARSET.search(data[:4096])
    if bom_encoding(data) is None and declared and b"\0" not in data:
        try:
            name = codecs.lookup(declared[1].decode("ascii")).name
        except (LookupError, UnicodeDecodeError):
            name = ""
        if name in ("iso8859-1", "ascii"):  # as every browser reads them
            name = "cp1252"
        if name in _CHARSETS:
            return data.decode(name, errors="replace")
    return decode(data)


def _is_deep(source: str) -> bool:
    """Whether more than DEEPEST elements are ever open, as far as counting tags can tell."""
    depth = at = 0
    while tag := _TAG.search(source, at):
        at = tag.end()
        name = (tag[2] or "").lower()
        if not name or (name in _RAW_END and not tag[1]):  # what looks like a tag in there is none
            closed = _COMMENT_END.search(source, at - 2) if not name else _RAW_END[name].search(source, at)
            if closed is None:
                return False
            at = closed.start() if name else closed.end()
        elif name in _UNNESTED:
            continue
        elif tag[1]:
            depth = max(0, depth - 1)
        else:
            depth += 1
            if depth > DEEPEST:
                return True
    return False


def _words(node: Any) -> str:
    return one_line(node.text(deep=True)) if node is not None else ""


def _date(tree: Any) -> str | None:
    for name, attribute in (('meta[property="article:published_time"]', "content"), ("time[datetime]", "datetime")):
        node = tree.css_first(name)
        found = date_in(node.attributes.get(attribute) or "") if node is not None else None
        if found:
            return found
    return None


class _Walk:
    """Collects the pieces on one walk over the tree, without recursion: pages may be nested deeply."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._words: list[str] = []
        self._broken = False  # a <br> since the last word: the next one ends the block
        self._headings = 0  # how many heading elements are open
        self._articles = 0
        self._headers: list[tuple[int, int]] = []  # open headers outside articles: pieces and h1 elements before each
        self._titles = 0

    def pieces(self, root: Any) -> list[Piece]:
        """All pieces below `root`, in order."""
        node, depth = root, 0
        while node is not None:
            child = node.child if self._enter(node) else None
            if child is not None:
                node, depth = child, depth + 1
                continue
            self._leave(node.tag)
            while (following := node.next) is None and depth:
                node, depth = node.parent, depth - 1
                self._leave(node.tag)
            node = following if depth else None
        self._flush()
        return self._pieces

    def _enter(self, node: Any) -> bool:
        """Take in the start of an element, or a text; whether to go into it."""
        tag = node.tag
        if tag == "-text":
            words = node.text_content or ""
            self._words.append(words)
            self._broken = self._broken and not words.strip()
            return False
        if tag == "br":
            if self._broken:
                self._flush()
            self._words.append(" ")
            self._broken = True
        elif tag in ("td", "th"):
            if any(map(str.strip, self._words)):
                self._words.append(" | ")
        elif tag in _BLOCKS:
            self._flush()
        # What is counted here _leave counts back, also for what is not gone into.
        self._headings += tag in _HEADINGS
        self._titles += tag == "h1"
        self._articles += tag in ("article", "main")
        if tag == "header":
            self._headers.append((len(self._pieces), self._titles))
        return tag not in _UNSEEN and not _is_hidden(node)

    def _leave(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._flush()
        self._headings -= tag in _HEADINGS
        self._articles -= tag in ("article", "main")
        if tag == "header":
            before, titles = self._headers.pop()
            if not self._articles and titles == self._titles:
                del self._pieces[before:]

    def _flush(self) -> None:
        text = one_line("".join(self._words))
        self._words.clear()
        self._broken = False
        if text:
            kind: Kind = "heading" if self._headings else "paragraph"
            self._pieces.append(Piece(text, kind))


def _is_hidden(node: Any) -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    style = (attributes.get("style") or "").replace(" ", "").lower()
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or "display:none" in style
        or "visibility:hidden" in style
        or attributes.get("role") in _UNSEEN_ROLES
    )

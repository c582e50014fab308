from __future__ import annotations

import time

import pytest
from formats import BODY, blocks, refusal

from index.documents import parse


def test_the_visible_text_of_a_page_is_read_once():
    page = f"""<!DOCTYPE html><html><head><title>The fire | Tarn News</title><style>p {{}}</style>
    <meta property="article:published_time" content="2024-03-12T10:00:00Z"></head><body>
    <header><div>Tarn News</div><nav><ul><li>Home</ul></nav></header>
    <article><header><h1>The  fire</h1></header>
    direct <b>bold</b>text<p>{BODY}<script>no()</script></p>tail
    <ul><li>one<ul><li>two</ul></ul><p>a<br>b<br><br>c</p>
    <table><tr><th>Year<th>Event<tr><td>1901<td>fire</table><p hidden>no</p><p style="display: none">no</p>
    <h2><span>Cause</span></h2><blockquote><p>quoted</p></blockquote><p>Read more: elsewhere</p></article>
    <footer>imprint</footer><template><p>no</p></template><noscript>no</noscript></body></html>"""
    document = parse(page.encode(), "a.html")
    assert (document.title, document.date) == ("The fire", "2024-03-12")
    assert blocks(document) == [
        *("The fire", "direct boldtext", BODY, "tail", "one", "two", "a b", "c", "Year | Event", "1901 | fire"),
        *("Cause", "quoted", "Read more: elsewhere"),
    ]
    assert document.text == "\n\n".join(blocks(document))
    assert blocks(document, "heading") == ["The fire", "Cause"]
    assert blocks(document, "aside") == ["Read more: elsewhere"]


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="iso-8859-1">', "cp1252"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">', "cp1251"),
        ("<meta charset=rot13>", "utf-8"),
        ("<meta charset=unicode_escape>", "utf-8"),
        ("", "utf-8"),
        ("", "utf-16"),
    ],
)
def test_the_charset_of_a_page_is_found(head, encoding):
    word = "мост" if encoding == "cp1251" else "café"
    assert parse(f"{head}<p>{word}".encode(encoding), "a.htm").text == word


def test_a_page_with_a_broken_character_loses_only_that():
    assert parse("<meta charset=utf-8><p>café ".encode() + b"\xe9t\xe9", "a.html").text.startswith("café \ufffd")


def test_deeply_nested_pages_end_quickly():
    began = time.perf_counter()
    assert "nested" in refusal(b"<div>" * 100_000 + b"x", "a.html")
    assert "nested" in refusal(b"<!-->" + b"<div>" * 100_000 + b"x", "a.html")
    assert parse(b"<div>" * 4_000 + b"x", "a.html").text == "x"
    assert parse(b"<script>" + b"<div>" * 9_000 + b"</script>x", "a.html").text == "x"
    assert time.perf_counter() - began < 5

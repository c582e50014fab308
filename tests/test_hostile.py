"""Files and questions made to do harm: each is read or refused with a clear reason, and no other suffers."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import formats
import pytest

from index import BadQuery, Index, UnreadableDocument, bounded, read_document
from index.bounded import read_bounded
from index.documents import parse
from index.passages import LONGEST, split
from tests.conftest import LetterEmbedder

WORDS = b"The mill on the river Tarn was built in 1874 and burned down in the fire of 1901. "
END = b"</w:body></w:document>"
WORD_FILE = formats.word()


def word(body: bytes, head: bytes = b"") -> bytes:
    return formats.with_entry(WORD_FILE, "word/document.xml", head + formats.WORD_START + body + END)


def reason(data: bytes, name: str) -> str:
    with pytest.raises(UnreadableDocument) as caught:
        parse(data, name, content=read_bounded)
    return caught.value.reason


PDF = formats.pdf([formats.LINES])


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (lambda: word(b"<w:p><w:r><w:t>" + b"a " * 60_000_000 + b"</w:t></w:r></w:p>"), "a.docx", "over 100 MB"),
        (lambda: word(b"<w:p>" * 100_000 + b"</w:p>" * 100_000), "a.docx", "damaged or no Word document"),
        (
            lambda: word(b'<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="99999999"/></w:tcPr></w:tc></w:tr></w:tbl>'),
            *("a.docx", "span over 1,000,000 columns"),
        ),
        (lambda: formats.with_entry(WORD_FILE, "word/media/a.png", bytes(201_000_000)), "a.docx", "over 200 MB"),
        (lambda: b"<div>" * 100_000 + WORDS, "a.html", "nested more than 5,000 deep"),
        (lambda: b"<a><b><p>" * 100_000 + WORDS, "a.html", "nested more than 5,000 deep"),
        (lambda: b"words\0words", "a.md", "binary"),
    ],
    ids=["zip bomb", "deep xml", "wide table", "image bomb", "deep html", "misnested html", "NUL"],
)  # fmt: skip
def test_bombs_are_refused_with_a_clear_reason(data, name: str, said: str) -> None:
    assert said in reason(data(), name)


def test_entities_of_a_word_file_are_neither_multiplied_nor_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    laughs = b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    paragraph = b"<w:p><w:r><w:t>Known words %s here.</w:t></w:r></w:p>"
    bomb = word(paragraph % b"&j;", b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + laughs + b"]>")
    theft = word(paragraph % b"&a;", b'<!DOCTYPE x [<!ENTITY a SYSTEM "file://%s">]>' % os.fsencode(secret))
    for data in (bomb, theft):
        try:
            text = parse(data, "a.docx", content=read_bounded).text
        except UnreadableDocument as error:
            text = error.reason
        assert len(text) < 200 and "SECRET" not in text


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"/Kids [5 0 R]", b"/Kids [2 0 R]"), (b"/Kids [5 0 R]", b"/Kids [5 0 R 2 0 R]"), (b"/Count 1", b"/Count 9999999"),
     (b"/Contents 4 0 R", b"/Contents 5 0 R"), (b"/Parent 2 0 R", b"/Parent 5 0 R"), (b"/Root 1 0 R", b"/Root 2 0 R")],
    ids=["kids loop", "kids and loop", "pages claimed", "contents loop", "parent loop", "no catalogue"],
)  # fmt: skip
def test_a_pdf_that_goes_round_in_circles_ends(old: bytes, new: bytes) -> None:
    assert old in PDF
    try:
        read = parse(PDF.replace(old, new), "a.pdf", content=read_bounded).text
    except UnreadableDocument as error:
        read = error.reason
    assert len(read) < 1000 and "broke down" not in read and "takes over" not in read


def test_a_pdf_of_more_pages_than_the_limit_is_refused() -> None:
    kids = b"/Kids [" + b"5 0 R " * 100_000 + b"]"  # one page, again and again
    data = PDF.replace(b"/Kids [5 0 R]", kids).replace(b"/Count 1", b"/Count 100000")
    assert reason(data, "a.pdf") == "it has 100,000 pages, over 5,000: split it"


@pytest.mark.parametrize("line", [WORDS, b"a", b"A. "], ids=["words", "one word", "full stops"])
@pytest.mark.parametrize("megabytes", [2, pytest.param(50, marks=pytest.mark.soak)])
def test_one_line_of_megabytes_is_split(line: bytes, megabytes: int) -> None:
    data = line * (megabytes * 1_000_000 // len(line))
    document = parse(data, "a.txt")
    passages = split(document)
    assert len(passages) > megabytes * 500 and max(p.end - p.start for p in passages) <= LONGEST
    assert passages[-1].end == len(document.text.rstrip())


def test_a_file_of_a_gigabyte_is_refused_unread(tmp_path: Path) -> None:
    for name in ("a.txt", "a.pdf"):
        with open(tmp_path / name, "wb") as file:
            file.truncate(1_000_000_000)
        began = time.perf_counter()
        with pytest.raises(UnreadableDocument, match="over 50 MB"):
            read_document(tmp_path / name, tmp_path)
        assert time.perf_counter() - began < 1


def test_what_steers_the_direction_of_writing_stays_in_the_text_and_counts_as_characters() -> None:
    text = "Dam closed\n\nThe dam \u202eesolc\u202c was closed on Monday, the union \u2066said\u2069 to all.\n"
    document = parse(text.encode(), "a.txt")
    assert document.text == text
    [passage] = split(document)
    assert text[passage.start : passage.end] == text.strip().split("\n\n")[1]


def test_half_a_surrogate_pair_is_no_text() -> None:
    assert "UTF-8" in reason(b"abc \xed\xa0\x80 \x81 def", "a.md")
    assert "\ud800" not in parse(b"<p>abc &#xD800; def ghi", "a.html", content=read_bounded).text


def test_names_that_no_one_would_give_a_file(tmp_path: Path) -> None:
    corpus, place = tmp_path / "corpus", tmp_path / "index"
    (corpus / "..a").mkdir(parents=True)
    names = ["a..%2f..%2fetc.txt", "a\nb.txt", "\x1b[31mred.txt", "x" * 251 + ".txt", "\u202etxt.exe.txt",
             "'; DROP--.txt", "<b>&amp;.txt", "CON.txt", "a?#%20.txt", " .txt", "🙂.txt"]  # fmt: skip
    for number, name in enumerate(names):
        (corpus / name).write_bytes(WORDS + b"Number %d." % number)
    (corpus / "..a" / "hidden.txt").write_bytes(WORDS)
    with open(os.path.join(os.fsencode(corpus), b"caf\xe9.txt"), "wb") as file:
        file.write(WORDS)
    opened = Index(place, LetterEmbedder())
    report = opened.sync(corpus)
    assert sorted(report.added) == sorted(names) and [path for path, _ in report.unreadable] == ["caf\\udce9.txt"]
    assert {h.passage.document.path for h in opened.search("mill on the river", 99)} == set(names)
    assert opened.sync(corpus).embedded == 0
    opened.close()


def test_no_path_leaves_the_folder(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (tmp_path / "secret.txt").write_bytes(WORDS)
    for name in ("../secret.txt", "../corpus/../secret.txt", str(tmp_path / "secret.txt"), "a\0.txt"):
        with pytest.raises(UnreadableDocument):
            read_document(corpus / name, corpus)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_bytes(WORDS)
    opened = Index(tmp_path / "index", LetterEmbedder())
    opened.sync(tmp_path / "corpus")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "query",
    ["🙂" * 2000, "' OR 1=1; DROP TABLE documents --", "text:[a TO z]", "title:(a AND NOT b)^2", "*", "mill~9", '"',
     "\\", "+-&&||!(){}[]^\"~*?:\\/", "a\0b", "\ud800", "\u202emill", "mill " * 1999, "x" * 9999, "\n\n", "\u3000"],
)  # fmt: skip
def test_no_character_of_a_question_has_a_meaning(index: Index, query: str) -> None:
    if query.strip():
        assert [h.passage.document.path for h in index.search(query, 3)] == ["a.txt"]
        assert index.search(query, 3, documents=[query]) == []
    else:
        with pytest.raises(BadQuery, match="empty"):
            index.search(query, 3)


def test_a_question_of_a_megabyte_is_refused(index: Index) -> None:
    with pytest.raises(BadQuery, match="1,000,000 characters: at most 10,000"):
        index.search("a" * 1_000_000)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Processes with the limits that a test sets; those that ran before are ended."""
    bounded.end_all()
    yield monkeypatch
    bounded.end_all()


SLOW = (
    b"<p " + b"".join(b"a%d=1 " % i for i in range(60_000)) + b">words"
)  # seconds, for a parser that compares all pairs


def test_a_file_that_takes_too_long_is_refused_and_the_next_is_read(strict: pytest.MonkeyPatch) -> None:
    strict.setattr(bounded, "CPU_SECONDS", 1)
    assert "takes over" in reason(SLOW, "a.html") and "seconds" in reason(SLOW, "a.html")
    assert parse(WORD_FILE, "a.docx", content=read_bounded) == parse(WORD_FILE, "a.docx")


def test_a_file_that_hangs_is_refused(strict: pytest.MonkeyPatch) -> None:
    strict.setattr(bounded, "WALL_SECONDS", 0.5)
    assert "seconds" in reason(SLOW, "a.html")


def test_a_file_that_takes_too_much_memory_is_refused_and_the_next_is_read(strict: pytest.MonkeyPatch) -> None:
    strict.setattr(bounded, "MEMORY_BYTES", 400_000_000)
    assert reason(b"<p>words" * 2_500_000, "a.html").startswith(
        ("reading it takes over", "its parser gave up, most likely for want of memory")
    )
    assert parse(WORD_FILE, "a.docx", content=read_bounded) == parse(WORD_FILE, "a.docx")


def test_a_parser_that_is_killed_costs_one_file(tmp_path: Path, strict: pytest.MonkeyPatch) -> None:
    parse(WORD_FILE, "a.docx", content=read_bounded)
    [child] = bounded._idle
    timer = threading.Timer(0.3, os.kill, (child.process.pid, signal.SIGSEGV))
    timer.start()
    assert "its parser broke down" in reason(SLOW, "a.html")
    timer.join()
    assert parse(WORD_FILE, "a.docx", content=read_bounded).title == "The mills of Ardal"
    [child] = bounded._idle
    child.process.kill()  # while it waits: nobody notices
    child.process.wait()
    assert parse(WORD_FILE, "a.docx", content=read_bounded).title == "The mills of Ardal"


def test_one_bad_file_of_each_kind_does_not_stop_the_rest(tmp_path: Path, strict: pytest.MonkeyPatch) -> None:
    strict.setattr(bounded, "CPU_SECONDS", 1)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    bad = {
        "slow.html": SLOW, "deep.html": b"<div>" * 6000, "broken.docx": WORD_FILE[:3000], "loop.pdf": PDF[:200],
        "zero.txt": b"\0",
        "wide.docx": word(b'<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="x"/></w:tcPr></w:tc></w:tr>'),
    }  # fmt: skip
    good = {"a.docx": WORD_FILE, "b.pdf": PDF, "z.html": b"<p>" + WORDS, "z.md": WORDS, "z.txt": WORDS}
    for name, data in {**bad, **good}.items():
        (corpus / name).write_bytes(data)
    opened = Index(tmp_path / "index", LetterEmbedder())
    report = opened.sync(corpus)
    assert set(report.added) == set(good) and set(dict(report.unreadable)) == set(bad)
    for why in dict(report.unreadable).values():
        assert why[0].islower() and "Error" not in why and "Traceback" not in why and len(why) < 120
    opened.close()


def test_the_child_reads_as_this_process_does_and_knows_nothing_of_the_folder_it_is_started_in(
    tmp_path: Path, strict: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the current folder')")
    (tmp_path / "index").mkdir()
    strict.chdir(tmp_path)
    for data, name in (
        (WORD_FILE, "a.docx"),
        (PDF, "a.pdf"),
        (b"<h1>T</h1><p>" + WORDS, "a.html"),
        (b"# T\n\n" + WORDS, "a.md"),
    ):
        assert parse(data, name, content=read_bounded) == parse(data, name)


def test_many_threads_share_the_children(strict: pytest.MonkeyPatch) -> None:
    data = [b"<p>" + WORDS + b"Number %d." % i for i in range(24)]
    texts: list[str] = [""] * len(data)

    def read(i: int) -> None:
        texts[i] = parse(data[i], "a.html", content=read_bounded).text

    threads = [threading.Thread(target=read, args=(i,)) for i in range(len(data))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [t[-11:].strip(". ").rsplit(" ", 1)[1] for t in texts] == [str(i) for i in range(len(data))]
    assert 1 <= len(bounded._idle) <= bounded.PROCESSES


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits there")
def test_a_word_file_whose_zip_claims_less_than_it_holds_is_refused() -> None:
    package = bytearray(WORD_FILE)
    with zipfile.ZipFile(BytesIO(bytes(package))) as opened:
        entry = opened.getinfo("word/document.xml")
    at = package.rindex(b"word/document.xml") - 46 + 24  # the size in the central directory
    assert int.from_bytes(package[at : at + 4], "little") == entry.file_size
    package[at : at + 4] = (10).to_bytes(4, "little")
    assert "damaged" in reason(bytes(package), "a.docx")

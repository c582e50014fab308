from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import formats
import pytest
from formats import refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from index.documents import MAX_BYTES, Anchor, UnreadableDocument, parse, read_document
from index.errors import BadCorpus
from index.files import find_documents

MARKDOWN = b"---\ntitle: T\n---\n\n# H #\n\n- a\n  - b\n\n```\nx\n```\n\n|a|b|\n|-|-|\n|1|2|\n> q"
SEED = next(Path(__file__).parent.parent.joinpath("seeds").glob("000_*.txt"))


def read_refusal(path: Path, root: Path) -> str:
    with pytest.raises(UnreadableDocument) as caught:
        read_document(path, root)
    return caught.value.reason


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]>"
    + formats.WORD_START
    + b"<w:p><w:r><w:t>&j;</w:t></w:r></w:p></w:body></w:document>"
)


@pytest.mark.parametrize(
    ("data", "path", "reason"),
    [
        (b"abc\0def", "a.txt", "binary"),
        (b"\xff\xfea\0\0\0", "a.txt", "binary"),
        (b"\xff\xfea\0b", "a.txt", "damaged"),
        (b"\x81\x8d\xff", "a.md", "neither UTF-8 nor Windows-1252: save it as UTF-8"),
        (b"<p>\x81\x8d\xff", "a.html", "neither UTF-8 nor Windows-1252"),
        (b"", "a.txt", "it is empty"),
        (b" \r\n\t", "a.pdf", "it is empty"),
        (b"-- * -- \xe2\x80\xa6", "a.txt", "no words"),
        (b"\xef\xbb\xbf", "a.md", "no words"),
        (b"<p><img src=a.png></p>", "a.html", "there is no text in it: a scan?"),
        (formats.pdf([[]]), "a.pdf", "there is no text in it: a scan?"),
        (formats.pdf([formats.LINES], encrypted=True), "a.pdf", "encrypted: save a copy without a password"),
        (formats.pdf([formats.LINES])[:250], "a.pdf", "damaged or incomplete"),
        (b"%PDF-1.7 not really", "a.pdf", "damaged or incomplete"),
        (formats.word()[:5000], "a.docx", "damaged"),
        (b"no zip at all", "a.docx", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and more", "a.docx", "encrypted or an old .doc"),
        (formats.with_entry(formats.word(), "word/document.xml", b"<x/>"), "a.docx", "damaged"),
        (formats.with_entry(formats.word(), "word/document.xml", BOMB), "a.docx", ""),
        (
            formats.with_entry(formats.word(), "word/document.xml", formats.WORD_START + b"</w:body></w:document>"),
            *("a.docx", "there is no text in it"),
        ),
        (b"text", "a.doc", "its suffix is none of .docx, .htm"),
        (b"text", "LICENSE", "its suffix is none of"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(data, path, reason):
    assert reason in refusal(data, path)


def test_what_is_no_readable_file_is_refused_and_nothing_waits(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s.txt"))
    with server:
        for name in ("pipe.txt", "folder.txt", "s.txt"):
            assert read_refusal(tmp_path / name, tmp_path) == "it is not a regular file"
    assert "gone" in read_refusal(tmp_path / "none.txt", tmp_path)
    assert "gone" in read_refusal(tmp_path / "pipe.txt" / "none.txt", tmp_path)
    assert "could not be read" in read_refusal(tmp_path / ("x" * 300 + ".txt"), tmp_path)
    assert "not in the folder" in read_refusal(SEED, tmp_path)
    assert "not in the folder" in read_refusal(tmp_path / "a\0b.txt", tmp_path)
    (tmp_path / "out.txt").symlink_to(SEED)
    assert "outside the folder" in read_refusal(tmp_path / "out.txt", tmp_path)
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    assert "could not be read" in read_refusal(tmp_path / "loop.txt", tmp_path)


def test_a_file_over_the_limit_is_refused_without_reading_it(tmp_path):
    with open(tmp_path / "a.txt", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert read_refusal(tmp_path / "a.txt", tmp_path) == "it is over 50 MB: split it"


@pytest.fixture
def unprivileged():
    """The rights of nobody in particular, for root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture
def locked(tmp_path_factory):
    """A folder that only its owner may enter, with a file in it that only its owner may read."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "in").mkdir()
    (folder / "in" / "a.txt").write_text("text")
    (folder / "a.txt").write_text("text")
    for parent in (folder, *folder.parents[:2]):  # pytest's own folders are closed to others
        os.chmod(parent, 0o755)
    os.chmod(folder / "a.txt", 0)
    os.chmod(folder / "in", 0)
    yield folder
    os.chmod(folder / "in", 0o700)


def test_what_one_may_not_read_is_listed_and_refused(locked, unprivileged):
    assert find_documents(locked) == [locked / "a.txt", locked / "in"]
    for path in find_documents(locked):
        assert "no permission" in read_refusal(path, locked)


@pytest.mark.parametrize(
    "base",
    [
        formats.word(),
        formats.pdf([formats.LINES]),
        MARKDOWN,
        b"<p>a<table><td>b",
    ],
)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_read_and_nothing_else(base, data):
    places = st.tuples(st.integers(0, len(base) - 1), st.binary(min_size=1, max_size=6))
    damaged = bytearray(base)
    for at, written in data.draw(st.lists(places, max_size=8)):
        damaged[at : at + len(written)] = written
    for path in ("a.docx", "a.pdf", "a.html", "a.md", "a.txt"):
        try:
            document = parse(bytes(damaged), path)
        except UnreadableDocument as error:
            assert error.reason
        else:
            assert document.text.encode() and "\0" not in document.text
            assert document == parse(bytes(damaged), path)


def test_documents_are_found_in_the_order_of_their_paths(tmp_path):
    for name in ("b.txt", "a/z.MD", "a/b/c.html", "a.pdf", ".hidden.txt", ".git/x.txt", "~$a.docx", "c.doc", "d.txt~"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = [p.relative_to(tmp_path).as_posix() for p in find_documents(tmp_path)]
    assert found == ["a.pdf", "a/b/c.html", "a/z.MD", "b.txt"]


def test_links_are_followed_inside_the_corpus_and_never_round_in_circles(tmp_path):
    root = tmp_path / "corpus"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "x.txt").write_text("x")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("x")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "out.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (root / "a" / "b" / "up").symlink_to(root)
    (root / "link").symlink_to(root / "a")
    (root / "y.txt").symlink_to(root / "a" / "b" / "x.txt")
    (root / "gone.txt").symlink_to(root / "none.txt")
    found = [p.relative_to(root).as_posix() for p in find_documents(root)]
    assert found == ["a/b/x.txt", "gone.txt", "link/b/x.txt", "y.txt"]
    assert read_document(root / "link" / "b" / "x.txt", root).path == "link/b/x.txt"


def test_a_name_that_is_no_unicode_is_found_and_refused(tmp_path):
    with open(os.path.join(os.fsencode(tmp_path), b"caf\xe9.txt"), "wb") as file:
        file.write(b"text")
    [path] = find_documents(tmp_path)
    assert read_refusal(path, tmp_path) == "its name is not valid UTF-8: rename it"


def test_a_corpus_that_is_no_folder_is_an_error(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    for path in (tmp_path / "none", tmp_path / "a.txt"):
        with pytest.raises(BadCorpus, match="folder that holds the documents"):
            find_documents(path)


def test_anchors_of_the_seed_are_what_a_person_would_look_up():
    document = read_document(SEED, SEED.parent)

    def at(words):
        return document.anchor(document.text.index(words))

    assert at("As protests") == Anchor(line=2, page=None, heading=None, paragraph=1)
    assert at("Lukashenko: Offering") == Anchor(line=1, page=None, heading=None, paragraph=None)
    assert at("Iran: Kazakhstan") == Anchor(line=9, page=None, heading=None, paragraph=None)
    assert at("in quelling protests") == Anchor(12, None, "Kazakhstan appeals to CSTO for help", 9)
    assert at("LPG prices in Mangystau") == Anchor(20, None, "What happened?", 16)


def test_anchors_are_quick_in_a_document_of_many_blocks():
    document = parse(("# H\n\ntext\n\n" * 50_000).encode(), "a.md")
    began = time.perf_counter()
    for offset in range(0, len(document.text), len(document.text) // 300):
        document.anchor(offset)
    assert document.anchor(len(document.text)).paragraph == 50_000
    assert time.perf_counter() - began < 2

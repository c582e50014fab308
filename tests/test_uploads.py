"""A person's own files: checked, indexed beside the corpus, removed."""

from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace

import pytest
from formats import LINES, pdf, word

from app import uploads
from app.uploads import Uploads, safe_name
from index import Index
from tests.conftest import LetterEmbedder

TEXT = "Mill burns down\n\nThe mill on the river burned down in the night of the great fire, and nobody was hurt.\n"


@pytest.fixture
def own(tmp_path: Path) -> Uploads:
    corpus = SimpleNamespace(index=Index(tmp_path / "corpus-index", LetterEmbedder()), reader=None, confidence=None)
    return Uploads(corpus, tmp_path / "uploads")


def sent(tmp_path: Path, name: str, data: bytes | str = TEXT) -> Path:
    path = tmp_path / "sent" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_files_of_all_formats_are_added_found_and_removed(own: Uploads, tmp_path: Path) -> None:
    every = {
        "a.txt": TEXT, "b.md": f"# {TEXT}", "c.html": f"<title>Mill</title><p>{TEXT}</p>", "d.pdf": pdf([LINES]),
        "e.docx": word(),
    }  # fmt: skip
    assert own.add([sent(tmp_path, name, data) for name, data in every.items()]) == {}
    assert own.names() == list(every)
    assert own.pipeline is not None
    assert {h.passage.document.path for h in own.pipeline.index.search("the mill", 30)} == set(every)
    own.remove("d.pdf")
    own.remove("../sent/a.txt")
    own.remove("nothing.txt")
    assert own.names() == ["a.txt", "b.md", "c.html", "e.docx"] and (tmp_path / "sent" / "a.txt").exists()
    assert not (own.folder / "d.pdf").exists()


def test_a_file_that_fails_says_why_and_the_rest_go_on(own: Uploads, tmp_path: Path) -> None:
    refused = own.add(
        [sent(tmp_path, "bad.exe"), sent(tmp_path, "empty.txt", ""), sent(tmp_path, "good.txt"),
         sent(tmp_path, "scan.pdf", b"%PDF-1.7 nothing more"), sent(tmp_path, "none")]
    )  # fmt: skip
    assert set(refused) == {"bad.exe", "empty.txt", "scan.pdf", "none"}
    assert refused["bad.exe"].startswith("its type is none of .docx,") and refused["empty.txt"] == "it is empty"
    assert own.names() == ["good.txt"] and [p.name for p in own.folder.iterdir()] == ["good.txt"]


def test_size_and_number_are_limited(own: Uploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_BYTES", len(TEXT) + 1)
    monkeypatch.setattr(uploads, "MOST_FILES", 2)
    refused = own.add(
        [sent(tmp_path, "big.txt", TEXT * 2), *(sent(tmp_path, f"{n}.txt", f"{TEXT}{n}"[:-1]) for n in "abc")]
    )
    assert set(refused) == {"big.txt", "c.txt"} and "remove some first" in refused["c.txt"]
    own.remove("a.txt")
    monkeypatch.setattr(uploads, "MOST_BYTES", len(TEXT) + 1)
    assert "together" in own.add([sent(tmp_path, "d.txt")])["d.txt"]
    assert "b.txt" in own.add([sent(tmp_path, "b.txt")]) and own.names() == ["b.txt"], "the one there is kept"


def test_what_would_fill_the_disk_is_refused(own: Uploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for total, free, refused in ((10**12, 10**9 + 50, True), (10**9, 10**8 + 50, True), (10**9, 10**8 + 500, False)):
        monkeypatch.setattr(uploads.shutil, "disk_usage", lambda _, t=total, f=free: SimpleNamespace(total=t, free=f))
        assert own.add([sent(tmp_path, "a.txt")]) == (
            {"a.txt": "the server's disk has no room for it"} if refused else {}
        )
    assert own.names() == ["a.txt"]


def test_two_files_of_one_name_are_both_kept(own: Uploads, tmp_path: Path) -> None:
    own.add([sent(tmp_path, "a.txt")])
    own.add([sent(tmp_path, "a.txt", TEXT + "More.")])
    assert own.names() == ["a (2).txt", "a.txt"]


def test_everything_is_removed_in_the_end_and_nobody_shares_a_folder(own: Uploads, tmp_path: Path) -> None:
    other = Uploads(own._corpus, tmp_path / "uploads")
    assert other.names() == [] and own.folder != other.folder
    own.add([sent(tmp_path, "a.txt")])
    other.add([sent(tmp_path, "b.txt")])
    assert (own.names(), other.names()) == (["a.txt"], ["b.txt"])
    own.close()
    own.close()
    assert [p for p in (tmp_path / "uploads").iterdir() if not other.folder.is_relative_to(p)] == []
    assert own.names() == [] and other.names() == ["b.txt"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"), ("../../etc/passwd.txt", "passwd.txt"), ("C:\\x\\y.txt", "y.txt"), ("..", "file"),
        ("", "file"), (".hidden.txt", "hidden.txt"), ("~$lock.docx", "lock.docx"), ("a\x00b\n\u202ec.txt", "a_b_c.txt"),
        ("<b>&'\".md", "_b_&'_.md"), ("ü" * 200 + ".txt", "ü" * 60 + ".txt"), ("x.tx\ud800t", "x.tx_t"),
    ],
)  # fmt: skip
def test_names_are_made_safe(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_files_of_a_session_that_was_dropped_unclosed_are_removed(tmp_path: Path) -> None:
    corpus = SimpleNamespace(index=Index(tmp_path / "corpus-index", LetterEmbedder()), reader=None, confidence=None)
    one = Uploads(corpus, tmp_path / "uploads")
    one.add([sent(tmp_path, "a.txt")])
    assert list((tmp_path / "uploads").iterdir())
    del one
    gc.collect()
    assert not list((tmp_path / "uploads").iterdir())

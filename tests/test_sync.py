"""Files are read while the passages of those before them are embedded."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import index.sync
from index import Index
from index.documents import Document
from index.sync import READ_AHEAD, _ahead
from tests.conftest import LetterEmbedder


def test_what_is_made_ahead_comes_in_order_and_is_made_while_the_first_is_used() -> None:
    used = threading.Event()

    def work(number: int) -> int:
        assert number == 0 or used.wait(10)  # for ever, were each made only when it is asked for
        return number * number

    found = []
    for square in _ahead(range(5), work):
        used.set()
        found.append(square)
    assert found == [0, 1, 4, 9, 16]


def test_no_more_is_made_ahead_than_was_said() -> None:
    made: list[int] = []
    items = _ahead(range(100), lambda number: made.append(number) or number)
    assert next(items) == 0
    items.close()
    assert len(made) <= READ_AHEAD + 1


def test_an_error_where_something_is_made_comes_where_it_is_used() -> None:
    with pytest.raises(ZeroDivisionError):
        list(_ahead([1, 0], lambda number: 1 // number))


def test_embedding_begins_before_the_last_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number in range(6):
        (corpus / f"{number}.txt").write_text(f"Title {number}\n\nThis is paragraph number {number} of the corpus.\n")
    embedding, real = threading.Event(), index.sync.read_document

    class Watched(LetterEmbedder):
        def embed(self, *arguments: object, **named: object) -> object:
            embedding.set()
            return super().embed(*arguments, **named)

    def read(path: Path, folder: Path) -> Document:
        assert path.name != "5.txt" or embedding.wait(10)
        return real(path, folder)

    monkeypatch.setattr(index.sync, "read_document", read)
    monkeypatch.setattr(index.sync, "COMMIT_PASSAGES", 2)
    report = Index(tmp_path / "index", Watched()).sync(corpus)
    assert report.documents == report.embedded == 6 and not report.unreadable

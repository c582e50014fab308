"""The index with an embedder that can be computed by hand, and real SQLite, FAISS and tantivy."""

from __future__ import annotations

import os
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from index import BadCorpus, BadQuery, Busy, Hit, Index, IndexProblem, WrongEmbedder, WrongVersion, index_folder
from tests.conftest import LetterEmbedder

DAM = "Dam closed at Kestrel\n\nThe dam above the valley was closed on Monday after cracks were found in its wall.\n"
FERRY = "Ferries stay in port\n\nThe ferry crews stayed in port for a third day as the union asked for more.\n"
GRAIN = "Grain prices rise\n\nFarmers blocked the road to the mill as the price of grain had halved in a month.\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    (folder / "sub").mkdir(parents=True)
    (folder / "dam.txt").write_text(DAM)
    (folder / "sub" / "ferry.txt").write_text(FERRY)
    return folder


@pytest.fixture
def index(tmp_path: Path, letters: LetterEmbedder) -> Index:
    return Index(tmp_path / "index", letters)


def state(index: Index) -> tuple[object, ...]:
    """All that a search could depend on: documents, passages, vectors and rankings."""
    ids, vectors = index._store.vectors()
    rankings = [
        [(h.passage.id, round(h.score, 6)) for h in index.search(q, 9)] for q in ("dam wall", "ferry", "price of grain")
    ]
    return index.documents(), sorted(index._store.contents()), ids.tolist(), vectors.tobytes(), rankings


def fresh(tmp_path: Path, corpus: Path) -> Index:
    index = Index(tmp_path / f"fresh-{os.urandom(4).hex()}", LetterEmbedder())
    index.sync(corpus)
    return index


def test_a_first_sync_adds_everything(index: Index, corpus: Path) -> None:
    report = index.sync(corpus)
    assert report.added == ("dam.txt", "sub/ferry.txt")
    assert (report.documents, report.passages, report.embedded) == (2, 2, 2)
    assert [e.title for e in index.documents()] == ["Dam closed at Kestrel", "Ferries stay in port"]


def test_a_second_sync_of_the_same_files_does_nothing(index: Index, corpus: Path, letters: LetterEmbedder) -> None:
    index.sync(corpus)
    generation, letters.seen = index._store.generation, []
    (corpus / "dam.txt").touch()
    report = index.sync(corpus)
    assert (report.added, report.changed, report.removed, report.renamed, report.embedded) == ((), (), (), (), 0)
    assert index._store.generation == generation and letters.seen == []


def test_an_index_says_when_it_was_last_brought_up_to_date(index: Index, corpus: Path) -> None:
    assert index.synced is None
    index.sync(corpus)
    assert index.synced is not None and 0 <= (datetime.now(UTC) - index.synced).total_seconds() < 60


def test_every_kind_of_change_gives_what_a_fresh_index_gives(
    tmp_path: Path, index: Index, corpus: Path, letters: LetterEmbedder
) -> None:
    index.sync(corpus)
    letters.seen = []
    (corpus / "grain.txt").write_text(GRAIN)
    (corpus / "dam.txt").write_text(DAM.replace("Monday", "Sunday"))
    (corpus / "sub" / "ferry.txt").rename(corpus / "ferries.txt")
    report = index.sync(corpus)
    assert (report.added, report.changed, report.removed) == (("grain.txt",), ("dam.txt",), ())
    assert report.renamed == (("sub/ferry.txt", "ferries.txt"),)
    assert report.embedded == 2, "what was renamed is not embedded again"
    assert state(index) == state(fresh(tmp_path, corpus))

    (corpus / "grain.txt").unlink()
    (corpus / "sub" / "dam.txt").write_text(DAM)
    (corpus / "copy.txt").write_bytes((corpus / "ferries.txt").read_bytes())
    report = index.sync(corpus)
    assert (report.added, report.removed) == (("copy.txt", "sub/dam.txt"), ("grain.txt",))
    assert report.embedded == 1, "the copy's content is known already"
    assert state(index) == state(fresh(tmp_path, corpus))


def test_files_that_cannot_be_read_are_reported_and_the_rest_is_indexed(index: Index, corpus: Path) -> None:
    (corpus / "empty.txt").write_text("")
    (corpus / "binary.txt").write_bytes(b"\x00\x01\x02")
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 nothing more")
    report = index.sync(corpus)
    assert set(dict(report.unreadable)) == {"empty.txt", "binary.txt", "broken.pdf"} == set(index.unreadable())
    assert report.documents == 2
    (corpus / "empty.txt").write_text(GRAIN)
    assert index.sync(corpus).added == ("empty.txt",)
    (corpus / "empty.txt").write_bytes(b"\x00")
    report = index.sync(corpus)
    assert report.removed == ("empty.txt",) and "empty.txt" in dict(report.unreadable)


def test_the_corpus_is_never_written_to(index: Index, corpus: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in [corpus, *corpus.rglob("*")]}
    index.sync(corpus)
    assert {p: p.stat().st_mtime_ns for p in [corpus, *corpus.rglob("*")]} == before


def test_a_folder_that_is_none_is_refused(index: Index, tmp_path: Path) -> None:
    with pytest.raises(BadCorpus, match="no folder"):
        index.sync(tmp_path / "none")


def test_a_hit_says_where_it_ranked_and_slices_its_document(index: Index, corpus: Path) -> None:
    index.sync(corpus)
    hits = index.search("ferry crews", 5)
    assert isinstance(hits[0], Hit) and hits[0].passage.document.path == "sub/ferry.txt"
    assert hits[0].lexical_rank == 1 and hits[0].dense_rank in (1, 2)
    assert hits[1].lexical_rank is None, "no word of it stands in the other document"
    for hit in hits:
        p = hit.passage
        assert p.text == p.document.text[p.start : p.end] == (corpus / p.document.path).read_text()[p.start : p.end]
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)


def test_a_search_of_some_documents_is_that_of_an_index_of_them_alone(index: Index, corpus: Path, tmp_path) -> None:
    for i in range(30):
        (corpus / f"grain{i:02d}.txt").write_text(GRAIN.replace("month", f"month of the dam, number {i}"))
    index.sync(corpus)
    chosen = ["grain07.txt", "sub/ferry.txt", "dam.txt"]
    alone = tmp_path / "alone"
    for path in chosen:
        (alone / path).parent.mkdir(parents=True, exist_ok=True)
        (alone / path).write_bytes((corpus / path).read_bytes())
    expected = fresh(tmp_path, alone)
    for query in ("ferry", "price of grain at the dam"):
        found = index.search(query, 9, documents=[*chosen, "gone.txt", "\ud800", "x' OR 1"])
        assert {h.passage.document.path for h in found} == set(chosen)
        ours, theirs = ({h.passage.id: h.dense_rank for h in hits} for hits in (found, expected.search(query, 9)))
        assert ours == theirs
    assert index.search("grain", 9, documents=[]) == [] == index.search("grain", 9, documents={"grain"})


def test_files_of_an_older_version_are_made_anew(tmp_path: Path, index: Index, corpus: Path, monkeypatch) -> None:
    with monkeypatch.context() as older:
        older.setattr("index.derived.FORMAT", "")
        index.sync(corpus)
    again = Index(tmp_path / "index", LetterEmbedder())
    assert [h.passage.document.path for h in again.search("dam", 9, documents=["dam.txt"])] == ["dam.txt"]
    before = again._store.generation
    again.sync(corpus)
    assert again._store.generation == before + 1 and Index(tmp_path / "index", LetterEmbedder()).search("dam", 1)


@pytest.mark.parametrize(("query", "k", "said"), [("  ", 5, "empty"), ("dam", 0, "at least 1")])
def test_bad_queries_are_refused(index: Index, query: str, k: int, said: str) -> None:
    with pytest.raises(BadQuery, match=said):
        index.search(query, k)


def test_an_empty_index_finds_nothing(index: Index) -> None:
    assert index.search("dam", 3) == []


def test_an_index_names_its_embedder_and_refuses_another(tmp_path: Path, index: Index, corpus: Path) -> None:
    index.sync(corpus)
    with pytest.raises(WrongEmbedder, match=r"made with the encoder letters .*--rebuild"):
        Index(tmp_path / "index", LetterEmbedder("other"))


def test_an_index_of_another_version_is_refused(tmp_path: Path, index: Index) -> None:
    index._store.set_manifest(schema="0")
    with pytest.raises(WrongVersion, match="--rebuild"):
        Index(tmp_path / "index", LetterEmbedder())


def test_a_damaged_store_is_refused(tmp_path: Path, letters: LetterEmbedder) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "store.sqlite").write_bytes(b"no database at all" * 300)
    with pytest.raises(IndexProblem, match="--rebuild"):
        Index(tmp_path / "index", letters)


@pytest.mark.parametrize("damage", ["remove", "truncate", "flip"])
@pytest.mark.parametrize("which", ["vectors.faiss", "lexical/meta.json", "lexical/*.term"])
def test_damaged_files_are_made_again_without_embedding(
    tmp_path: Path, index: Index, corpus: Path, letters: LetterEmbedder, which: str, damage: str
) -> None:
    index.sync(corpus)
    expected = state(index)
    path = next((tmp_path / "index" / "derived").glob(f"*/{which}"))
    data = path.read_bytes()
    path.unlink()  # never changed in place: tantivy still maps the old file into memory
    if damage != "remove":
        path.write_bytes(
            data[: len(data) // 2] if damage == "truncate" else data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
        )
    letters.seen = []
    again = Index(tmp_path / "index", letters)
    assert state(again) == expected
    again.sync(corpus)
    assert letters.seen == ["dam wall", "ferry", "price of grain"], "only the queries were embedded"
    assert state(Index(tmp_path / "index", letters)) == expected


def test_passages_vectors_and_both_indexes_agree_in_number(index: Index, corpus: Path) -> None:
    index.sync(corpus)
    index.search("dam", 1)
    current = index._derived
    assert current is not None
    assert len(index) == len(current.vectors) == len(current.lexical) == len(index._store.vectors()[0])


def test_an_open_index_sees_what_another_process_synced(tmp_path: Path, index: Index, corpus: Path) -> None:
    index.sync(corpus)
    reader = Index(tmp_path / "index", LetterEmbedder())
    assert len(reader.search("grain", 9)) == 2
    (corpus / "grain.txt").write_text(GRAIN)
    (corpus / "dam.txt").unlink()
    index.sync(corpus)
    assert {h.passage.document.path for h in reader.search("grain", 9)} == {"sub/ferry.txt", "grain.txt"}


def test_searches_during_a_sync_see_the_corpus_before_or_after_it(tmp_path: Path, index: Index, corpus: Path) -> None:
    index.sync(corpus)
    reader, done, seen = Index(tmp_path / "index", LetterEmbedder()), threading.Event(), set()

    def watch() -> None:
        while not done.is_set():
            seen.add(frozenset(h.passage.document.path for h in reader.search("the price of grain at the dam", 99)))

    thread = threading.Thread(target=watch)
    thread.start()
    for i in range(40):
        (corpus / f"grain{i:02d}.txt").write_text(GRAIN.replace("month", f"month number {i}"))
    index.sync(corpus)
    reader.search("grain", 1)
    done.set()
    thread.join()
    seen.add(frozenset(h.passage.document.path for h in reader.search("grain", 99)))
    assert {len(paths) for paths in seen} == {2, 42}


def test_a_sync_that_dies_between_two_commits_loses_only_what_was_in_flight(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.sync.COMMIT_PASSAGES", 10)
    for i in range(40):
        (corpus / f"grain{i:02d}.txt").write_text(GRAIN.replace("month", f"month number {i}"))

    class Dying(LetterEmbedder):
        def embed(self, texts: list[str], progress: object = None) -> np.ndarray:
            if len(self.seen) >= 20:
                raise KeyboardInterrupt
            return super().embed(texts)

    dying = Index(tmp_path / "index", Dying())
    with pytest.raises(KeyboardInterrupt):
        dying.sync(corpus)
    assert dying.search("x", 5) == [] if len(dying.embedder.seen) < 20 else True
    letters = LetterEmbedder()
    index = Index(tmp_path / "index", letters)
    assert index.sync(corpus).embedded == 22
    assert not set(letters.seen) & set(dying.embedder.seen), "nothing is embedded twice that was committed"
    assert state(index) == state(fresh(tmp_path, corpus))


def test_a_second_writer_is_told_to_wait(tmp_path: Path, index: Index, corpus: Path) -> None:
    index.sync(corpus)
    lock = sqlite3.connect(tmp_path / "index" / "writer.lock", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Busy, match="try again"):
        index.sync(corpus, wait=0.1)
    lock.close()
    assert index.sync(corpus, wait=0.1).embedded == 0


def test_each_corpus_has_an_index_of_its_own(tmp_path: Path) -> None:
    assert index_folder(tmp_path / "a") != index_folder(tmp_path / "b")
    assert index_folder(tmp_path / "a") == index_folder(tmp_path / "b" / ".." / "a")

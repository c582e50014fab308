"""The one source of truth on disk: documents, passages and vectors in one SQLite file.

Knows SQL, nothing of embeddings or rankings. Vectors are kept by the hash of the text they stand for, apart from the
documents, so that embedding can be committed as it goes while documents and passages change in one transaction: a
reader sees the corpus as it was before a sync or as it is after it, never a mixture.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.documents import Block, Document
from index.errors import Busy, IndexProblem, WrongVersion
from index.passages import Passage

SCHEMA_VERSION = "1"
_SCHEMA = """
CREATE TABLE manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, title TEXT NOT NULL, date TEXT,
    text TEXT NOT NULL, blocks TEXT NOT NULL
) STRICT;
CREATE TABLE passages (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, heading TEXT NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE INDEX passages_of_document ON passages (document);
CREATE INDEX passages_of_content ON passages (content);
CREATE TABLE vectors (content BLOB PRIMARY KEY, vector BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE unreadable (path TEXT PRIMARY KEY, reason TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class IndexedPassage:
    """A passage in its document, with the id that it has in every index of the same corpus."""

    id: int
    document: Document
    ordinal: int
    start: int
    end: int
    heading: str

    @property
    def text(self) -> str:
        """What stands at [start, end) of the document."""
        return self.document.text[self.start : self.end]


@dataclass(frozen=True)
class Entry:
    """A document of the index without its text; `passages` is how many it has."""

    path: str
    sha256: str
    title: str
    date: str | None
    passages: int


class Store:
    """An open SQLite file; use one in one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make it if there is none.

        Raises:
            WrongVersion: if another version of this program made it.
            IndexProblem: if it is no database or damaged.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._explained():
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'manifest'").fetchone():
                self._make()
        version = self.manifest("schema")
        if version != SCHEMA_VERSION:
            raise WrongVersion(
                f"{path} was made by another version (schema {version}, this is {SCHEMA_VERSION}): "
                "make it again with `python -m index FOLDER --rebuild`"
            )

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside belongs to one generation, whatever another process commits meanwhile."""
        with self._explained():
            self._db.execute("BEGIN")
            try:
                self._db.execute("SELECT 1 FROM manifest").fetchone()  # a snapshot begins at the first read
                yield
            finally:
                self._db.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything written inside is committed whole, or not at all."""
        with self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def manifest(self, key: str) -> str | None:
        """A value of the manifest, or None."""
        with self._explained():
            row = self._db.execute("SELECT value FROM manifest WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_manifest(self, **values: str) -> None:
        """Set values of the manifest."""
        self._db.executemany("INSERT OR REPLACE INTO manifest VALUES (?, ?)", values.items())

    @property
    def generation(self) -> int:
        """How many syncs have changed the corpus."""
        return int(self.manifest("generation") or 0)

    def entries(self) -> list[Entry]:
        """All documents in order of their paths, without their texts."""
        rows = self._db.execute(
            "SELECT path, sha256, title, date, count(p.id) FROM documents d LEFT JOIN passages p ON p.document = d.id"
            " GROUP BY d.id ORDER BY path"
        )
        return [Entry(*row) for row in rows]

    def unreadable(self) -> dict[str, str]:
        """Path and reason of the files that the last sync could not read."""
        return dict(self._db.execute("SELECT path, reason FROM unreadable ORDER BY path").fetchall())

    def set_unreadable(self, reasons: dict[str, str]) -> None:
        """Replace the list of files that could not be read."""
        self._db.execute("DELETE FROM unreadable")
        self._db.executemany("INSERT INTO unreadable VALUES (?, ?)", reasons.items())

    def document(self, path: str) -> Document | None:
        """The document of that path as it was indexed, or None."""
        row = self._db.execute(
            "SELECT path, sha256, title, date, text, blocks FROM documents WHERE path = ?", (path,)
        ).fetchone()
        if row is None:
            return None
        name, sha256, title, date, text, blocks = row
        return Document(name, sha256, title, date, text, tuple(Block(*b) for b in json.loads(blocks)))

    def put(self, document: Document, passages: Sequence[tuple[Passage, bytes]]) -> None:
        """Add a document and its passages, each with its content hash; replaces the document of the same path."""
        self.remove(document.path)
        number = stable_id(document.path)
        self._db.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                number, document.path, document.sha256, document.title, document.date, document.text,
                json.dumps([astuple(b) for b in document.blocks]),
            ),
        )  # fmt: skip
        self._db.executemany(
            "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (stable_id(document.path, p.ordinal), number, p.ordinal, p.start, p.end, p.heading, content)
                for p, content in passages
            ],
        )

    def remove(self, path: str) -> None:
        """Remove a document and its passages, if it is there."""
        self._db.execute("DELETE FROM documents WHERE path = ?", (path,))

    def passages(self, ids: Iterable[int]) -> dict[int, tuple[str, Passage]]:
        """Path of the document and passage of each id that is known."""
        found = {}
        for number in ids:
            row = self._db.execute(
                'SELECT path, ordinal, start, "end", heading FROM passages p JOIN documents d ON d.id = p.document'
                " WHERE p.id = ?",
                (number,),
            ).fetchone()
            if row is not None:
                found[number] = (str(row[0]), Passage(*row[1:]))
        return found

    def ids_of(self, paths: Collection[str]) -> tuple[list[int], NDArray[np.int64]]:
        """The ids of the documents of those paths that are known, and of all their passages, each in order."""
        wanted = json.dumps(list(paths))
        found = "SELECT id FROM documents WHERE path IN (SELECT value FROM json_each(?))"
        documents = self._db.execute(f"{found} ORDER BY id", (wanted,)).fetchall()
        passages = self._db.execute(f"SELECT id FROM passages WHERE document IN ({found}) ORDER BY id", (wanted,))
        return [row[0] for row in documents], np.array([row[0] for row in passages], dtype=np.int64)

    def contents(self) -> Iterator[tuple[int, int, str, str, str, str | None]]:
        """Id, document's id, text, title, heading and date of every passage, in order of path and ordinal."""
        rows = self._db.execute(
            'SELECT p.id, p.document, substr(text, start + 1, "end" - start), title, heading, date'
            " FROM passages p JOIN documents d ON d.id = p.document ORDER BY path, ordinal"
        )
        yield from rows

    def count(self) -> int:
        """How many passages there are."""
        return int(self._db.execute("SELECT count(*) FROM passages").fetchone()[0])

    def known_contents(self) -> set[bytes]:
        """The content hashes that have a vector."""
        return {row[0] for row in self._db.execute("SELECT content FROM vectors")}

    def add_vectors(self, contents: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep vectors [n, d] as float16 under their content hashes."""
        halves = vectors.astype(np.float16)
        rows = [(c, v.tobytes()) for c, v in zip(contents, halves, strict=True)]
        self._db.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)

    def drop_unused_vectors(self) -> None:
        """Forget the vectors that belong to no passage."""
        self._db.execute("DELETE FROM vectors WHERE content NOT IN (SELECT content FROM passages)")

    def vectors(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids [n] and vectors [n, d] of all passages, in order of their ids."""
        rows = self._db.execute("SELECT id, vector FROM passages JOIN vectors USING (content) ORDER BY id").fetchall()
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        halves = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.float16)
        return ids, halves.reshape(len(rows), -1 if rows else 0).astype(np.float32)

    def _make(self) -> None:
        with self.transaction():
            if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'manifest'").fetchone():
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self.set_manifest(schema=SCHEMA_VERSION)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors about the file into ours, with the remedy."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise Busy(f"{self.path} is being written to by another process: try again when it is done") from error
            raise IndexProblem(f"{self.path} cannot be used ({error}): check the disk and the permissions") from error
        except sqlite3.DatabaseError as error:
            raise IndexProblem(
                f"{self.path} is damaged ({error}): make it again with `python -m index FOLDER --rebuild`"
            ) from error


def stable_id(path: str, ordinal: int = -1) -> int:
    """A positive 63-bit id that hangs on nothing but the place, so that the same corpus always has the same ids."""
    digest = hashlib.blake2b(f"{path}\0{ordinal}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1

"""The one source of truth on disk: documents, passages and vectors in one SQLite file.

Knows SQL, nothing of embeddings or rankings. Vectors are kept by the hash of the text they stand for, apart from the
documents, so that embedding can be committed as it goes while documents and passages change in one transaction: a
reader sees the corpus as it was before a sync or as it is after it, never a mixture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from index.database import Database
from index.documents import Block, Document
from index.passages import Passage
from index.schema import checksum, document_checksum

_DOCUMENT = "path, sha256, title, date, text, blocks"
_PASSAGE = 'id, ordinal, start, "end", heading, content'
_PASSAGES = f"SELECT {_PASSAGE} FROM passages WHERE document = ? ORDER BY ordinal"


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


class Store(Database):
    """The documents, passages and vectors of a file; use one in one thread at a time."""

    def entries(self) -> list[Entry]:
        """All documents in order of their paths, without their texts."""
        rows = self._rows(
            "SELECT path, sha256, title, date, count(p.id) FROM documents d LEFT JOIN passages p ON p.document = d.id"
            " GROUP BY d.id ORDER BY path"
        )
        return [Entry(*row) for row in rows]

    def unreadable(self) -> dict[str, str]:
        """Path and reason of the files that the last sync could not read."""
        return dict(self._rows("SELECT path, reason FROM unreadable ORDER BY path"))

    def set_unreadable(self, reasons: dict[str, str]) -> None:
        """Replace the list of files that could not be read."""
        self._db.execute("DELETE FROM unreadable")
        self._db.executemany("INSERT INTO unreadable VALUES (?, ?)", reasons.items())

    def hashes(self) -> dict[str, str]:
        """The sha256 of each document by its path."""
        return dict(self._rows("SELECT path, sha256 FROM documents ORDER BY path"))

    def stamps(self) -> dict[str, tuple[str, str]]:
        """By the paths of documents, stamps that their files had, each with the sha256 that they had then."""
        return {path: (stamp, sha256) for path, stamp, sha256 in self._rows("SELECT path, stamp, sha256 FROM stamps")}

    def set_stamps(self, stamps: dict[str, tuple[str, str]]) -> None:
        """Replace the stamps of those documents, each with its sha256."""
        rows = [(path, *kept) for path, kept in stamps.items()]
        self._db.executemany("INSERT OR REPLACE INTO stamps VALUES (?, ?, ?)", rows)

    def document(self, path: str) -> tuple[Document, dict[int, Passage]] | None:
        """The document of that path as it was indexed, and its passages by id; None where there is none."""
        rows = self._rows(f"SELECT {_DOCUMENT}, checksum FROM documents WHERE id = ?", (stable_id(path),))
        if not rows:
            return None
        *document, kept = rows[0]
        below = self._rows(_PASSAGES, (stable_id(path),))
        if kept != document_checksum(document, below):
            raise self.damage(f"what it holds of {path!r} is not what was written")
        name, sha256, title, date, text, blocks = document
        found = Document(name, sha256, title, date, text, tuple(Block(*b) for b in json.loads(blocks)))
        return found, {number: Passage(*place) for number, *place, _ in below}

    def damaged(self) -> set[str]:
        """The paths of the documents whose rows are not what was written; forgets the vectors that are not.

        Raises:
            IndexProblem: if the damage is to what holds the file together.
        """
        said = self._rows("PRAGMA integrity_check(1)")[0][0]
        if said != "ok":
            raise self.damage(str(said))
        found = set()
        for number, kept, path, *rest in self._each(f"SELECT id, checksum, {_DOCUMENT} FROM documents"):
            below = self._rows(_PASSAGES, (number,))
            if kept != document_checksum((path, *rest), below) or number != stable_id(path):
                found.add(path)
        vectors = self._each("SELECT content, vector, checksum FROM vectors")
        bad = [(content,) for content, vector, kept in vectors if kept != checksum(content, vector)]
        if bad:
            with self.transaction():
                self._db.executemany("DELETE FROM vectors WHERE content = ?", bad)
        missing = self._rows(
            "SELECT DISTINCT path FROM documents d JOIN passages p ON p.document = d.id"
            " WHERE content NOT IN (SELECT content FROM vectors)"
        )
        return found | {row[0] for row in missing}

    def put(self, document: Document, passages: Sequence[tuple[Passage, bytes]]) -> None:
        """Add a document and its passages, each with its content hash; replaces the document of the same path."""
        self.remove(document.path)
        number = stable_id(document.path)
        blocks = json.dumps([astuple(b) for b in document.blocks])
        row = (document.path, document.sha256, document.title, document.date, document.text, blocks)
        below = [(stable_id(document.path, p.ordinal), p.ordinal, p.start, p.end, p.heading, c) for p, c in passages]
        self._db.execute(
            f"INSERT INTO documents (id, {_DOCUMENT}, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (number, *row, document_checksum(row, below)),
        )
        self._db.executemany(
            f"INSERT INTO passages (document, {_PASSAGE}) VALUES (?, ?, ?, ?, ?, ?, ?)", [(number, *b) for b in below]
        )

    def remove(self, path: str) -> None:
        """Remove a document and its passages, if it is there."""
        self._db.execute("DELETE FROM documents WHERE path = ?", (path,))

    def passages(self, ids: Iterable[int]) -> dict[int, tuple[str, Passage]]:
        """Path of the document and passage of each id."""
        found = {}
        for number in ids:
            rows = self._rows(
                'SELECT path, ordinal, start, "end", heading FROM passages p JOIN documents d ON d.id = p.document'
                " WHERE p.id = ?",
                (number,),
            )
            if not rows:
                raise self.damage(f"there is no passage {number} in it")
            found[number] = (str(rows[0][0]), Passage(*rows[0][1:]))
        return found

    def ids_of(self, paths: Collection[str]) -> tuple[list[int], NDArray[np.int64]]:
        """The ids of the documents of those paths that are known, and of all their passages, each in order."""
        wanted = json.dumps(list(paths))
        found = "SELECT id FROM documents WHERE path IN (SELECT value FROM json_each(?))"
        documents = self._rows(f"{found} ORDER BY id", (wanted,))
        passages = self._rows(f"SELECT id FROM passages WHERE document IN ({found}) ORDER BY id", (wanted,))
        return [row[0] for row in documents], np.array([row[0] for row in passages], dtype=np.int64)

    def contents(self) -> Iterator[tuple[int, int, str, str, str, str | None]]:
        """Id, document's id, text, title, heading and date of every passage, by path and ordinal.

        Raises:
            IndexProblem: if one of them is not what was written.
        """
        for number, kept, *row in self._each(f"SELECT id, checksum, {_DOCUMENT} FROM documents ORDER BY path"):
            below = self._rows(_PASSAGES, (number,))
            if kept != document_checksum(row, below):
                raise self.damage("a document is not what was written")
            _, _, title, date, text, _ = row
            for passage, _, start, end, heading, _ in below:
                yield passage, number, text[start:end], title, heading, date

    def contents_of(self, ids: Sequence[int]) -> list[tuple[int, int, str, str, str, str | None]]:
        """What `contents` gives of the passages of those ids, in its order, not verified."""
        return self._rows(
            'SELECT p.id, p.document, substr(text, start + 1, "end" - start), title, heading, date'
            " FROM passages p JOIN documents d ON d.id = p.document"
            " WHERE p.id IN (SELECT value FROM json_each(?)) ORDER BY path, ordinal",
            (json.dumps(list(ids)),),
        )

    def count(self, table: Literal["documents", "passages"]) -> int:
        """How many there are."""
        return int(self._rows(f"SELECT count(*) FROM {table}")[0][0])

    def known_contents(self) -> set[bytes]:
        """The content hashes that have a vector."""
        return {row[0] for row in self._rows("SELECT content FROM vectors")}

    def add_vectors(self, contents: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep vectors [n, d] as float16 under their content hashes."""
        halves = vectors.astype(np.float16)
        rows = [(c, v.tobytes()) for c, v in zip(contents, halves, strict=True)]
        self._db.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", [(*r, checksum(*r)) for r in rows])

    def drop_unused_vectors(self) -> None:
        """Forget the vectors that belong to no passage."""
        self._db.execute("DELETE FROM vectors WHERE content NOT IN (SELECT content FROM passages)")

    def vectors(self) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
        """Ids [n] and vectors [n, d] of all passages, in order of their ids."""
        ids = np.empty(self.count("passages"), dtype=np.int64)
        vectors = np.empty((len(ids), 0), dtype=np.float16)
        # Row by row into place, for all rows at once would be several times the vectors.
        rows = self._each(
            "SELECT id, content, vector, checksum FROM passages LEFT JOIN vectors USING (content) ORDER BY id"
        )
        for row, (number, content, vector, kept) in enumerate(rows):
            if vector is None or checksum(content, vector) != kept or (row and len(vector) != vectors.strides[0]):
                raise self.damage("a vector is missing or not what was written")
            if not row:
                vectors = np.empty((len(ids), len(vector) // 2), dtype=np.float16)
            ids[row], vectors[row] = number, np.frombuffer(vector, dtype=np.float16)
        return ids, vectors


def stable_id(path: str, ordinal: int = -1) -> int:
    """A positive 63-bit id that hangs on nothing but the place, so that the same corpus always has the same ids."""
    digest = hashlib.blake2b(f"{path}\0{ordinal}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1

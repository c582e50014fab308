"""The store's tables, and the checksums by which damage to any of their rows is found out.

SQLite checks the shape of its pages, not what stands in them: a bit that flips in a text would be quoted as it is now.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable

SCHEMA_VERSION = "3"
UPGRADED = ("1", "2")
"""Versions of which `upgrade` makes this one."""
FORMAT = "2"
"""Changes with what is written into the FAISS and tantivy files, so that those of older versions are not taken for
sound."""
_TABLES = """
CREATE TABLE manifest (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, title TEXT NOT NULL, date TEXT,
    text TEXT NOT NULL, blocks TEXT NOT NULL, checksum BLOB NOT NULL
) STRICT;
CREATE TABLE passages (
    id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE, ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, heading TEXT NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE INDEX passages_of_document ON passages (document);
CREATE INDEX passages_of_content ON passages (content);
CREATE TABLE vectors (content BLOB PRIMARY KEY, vector BLOB NOT NULL, checksum BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE unreadable (path TEXT PRIMARY KEY, reason TEXT NOT NULL) STRICT;
"""
# The hash that the file of a document had when it had that stamp. No checksum: a row that is not what was written fits
# no file, or not its document, and then the file is read.
_STAMPS = """
CREATE TABLE stamps (
    path TEXT PRIMARY KEY REFERENCES documents (path) ON DELETE CASCADE, stamp TEXT NOT NULL, sha256 TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""


def checksum(*values: object) -> bytes:
    """A hash of values as SQLite gives them: texts, numbers, bytes and None."""
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        part = value if isinstance(value, bytes) else repr(value).encode()
        digest.update(b"%d:" % len(part) + part)
    return digest.digest()


def document_checksum(document: Iterable[object], passages: Iterable[Iterable[object]]) -> bytes:
    """The checksum of a document's row and of all its passages' rows in order of their ordinals."""
    return checksum(*document, *(value for passage in passages for value in passage))


def make_tables(db: sqlite3.Connection) -> None:
    """Make all tables, within the open transaction."""
    for statement in (_TABLES + _STAMPS).split(";\n"):
        db.execute(statement)


def upgrade(db: sqlite3.Connection, version: str) -> None:
    """Bring the tables of one of `UPGRADED` up to this one, within the open transaction.

    Of 2 everything is kept; of 1 the vectors, which cost the time: the next sync reads the documents again.
    """
    if version == "2":
        db.execute(_STAMPS)
        return
    # Vectors whose encoder is not known, of a first sync that was stopped, are of no use.
    named = db.execute("SELECT 1 FROM manifest WHERE key = 'embedder'").fetchone()
    kept = db.execute("SELECT content, vector FROM vectors").fetchall() if named else []
    for table in ("passages", "documents", "vectors", "unreadable", "manifest"):
        db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    for name in ("passages_of_document", "passages_of_content"):
        db.execute(f"DROP INDEX {name}")
    make_tables(db)
    db.executemany("INSERT INTO vectors VALUES (?, ?, ?)", [(c, v, checksum(c, v)) for c, v in kept])
    db.execute("INSERT INTO manifest SELECT key, value FROM old_manifest WHERE key IN ('embedder', 'generation')")
    for table in ("passages", "documents", "vectors", "unreadable", "manifest"):
        db.execute(f"DROP TABLE old_{table}")

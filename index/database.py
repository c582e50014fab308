"""The store's SQLite file: opened, made, upgraded and followed when it is made anew; its errors put in words.

Knows transactions and the manifest, nothing of what the other tables hold.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from index import seal
from index.errors import Busy, IndexProblem, WrongVersion
from index.schema import SCHEMA_VERSION, UPGRADED, checksum, make_tables, upgrade

_WAIT = 60.0  # seconds for another process's transaction
_WAIT_FOR_READERS = 50  # milliseconds until nobody reads what is not in the file itself


class Database:
    """An open SQLite file with the store's tables and their manifest; use one in one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make it if there is none.

        Raises:
            WrongVersion: if another version of this program made it.
            IndexProblem: if it is no database or damaged.
        """
        self.path = path
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            try:
                self._write_ahead()
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("PRAGMA foreign_keys = ON")
                self._file = _identity(self.path)
                if self._schema() in (None, *UPGRADED):
                    with self.transaction():
                        self._make()
                if self._schema() != SCHEMA_VERSION:
                    raise WrongVersion(
                        f"{self.path} was made by another version (schema {self._schema()}, this is {SCHEMA_VERSION}): "
                        "make it again with `python -m index FOLDER --rebuild`"
                    )
            except BaseException:
                self._db.close()
                raise

    def _write_ahead(self) -> None:
        # Two that make a file at once would each wait for the other to let it be read: SQLite refuses one at once.
        until = time.monotonic() + _WAIT
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside belongs to one generation, whatever another process commits meanwhile."""
        self._follow()
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
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite has rolled back itself where the disk was full
                    self._db.execute("ROLLBACK")
                raise

    def checkpoint(self) -> bool:
        """Write all that is committed into the file itself; False where readers or a full disk stand against it."""
        try:
            self._db.execute(f"PRAGMA busy_timeout = {_WAIT_FOR_READERS}")
            return not self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:
            return False
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {int(_WAIT * 1000)}")

    def manifest(self, key: str) -> str | None:
        """A value of the manifest, or None."""
        values = dict(self._rows("SELECT key, value FROM manifest ORDER BY key"))
        if values.pop("checksum", None) != _manifest_checksum(values):
            raise self.damage("its manifest is not what was written")
        return values.get(key)

    def set_manifest(self, **values: str) -> None:
        """Set values of the manifest, within a transaction."""
        insert = "INSERT OR REPLACE INTO manifest VALUES (?, ?)"
        self._db.executemany(insert, values.items())
        rows = dict(self._db.execute("SELECT key, value FROM manifest WHERE key <> 'checksum' ORDER BY key").fetchall())
        self._db.execute(insert, ("checksum", _manifest_checksum(rows)))

    @property
    def generation(self) -> int:
        """How many syncs have changed the corpus."""
        return int(self.manifest("generation") or 0)

    def _schema(self) -> str | None:
        if not self._rows("SELECT 1 FROM sqlite_master WHERE name = 'manifest'"):
            return None
        rows = self._rows("SELECT value FROM manifest WHERE key = 'schema'")
        return str(rows[0][0]) if rows else "unknown"

    def _make(self) -> None:
        schema = self._schema()  # another process may have made it meanwhile
        if schema is None:
            make_tables(self._db)
        elif schema in UPGRADED:
            if schema != "1":  # which had no checksums
                self.manifest("schema")
            upgrade(self._db, schema)
        if schema in (None, *UPGRADED):
            self.set_manifest(schema=SCHEMA_VERSION)

    def _follow(self) -> None:
        """Where the index was made anew beside us, go over to the new file as soon as there is something in it."""
        if _identity(self.path) in (None, self._file):
            return
        new = Database(self.path)
        if not new.generation:
            new.close()
            return
        self._db.close()
        self._db, self._file = new._db, new._file

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        with self._explained():
            return self._db.execute(sql, values).fetchall()

    def _each(self, sql: str, values: Sequence[object] = ()) -> Iterator[Any]:
        with self._explained():
            # `yield from` would close the cursor with the iterator, perhaps after the file.
            for row in self._db.execute(sql, values):  # noqa: UP028
                yield row

    def damage(self, what: object) -> IndexProblem:
        """What to raise where `what` was found to be wrong; the next sync verifies everything."""
        seal.break_off(self.path.parent)
        return IndexProblem(
            f"{self.path} is damaged ({what}): bring it up to date with `python -m index FOLDER --check`, or if that "
            "does not help make it again with `python -m index FOLDER --rebuild`"
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors about the file into ours, with the remedy."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise Busy(f"{self.path} is being written to by another process: try again when it is done") from error
            if "decode" in str(error):  # what it says goes on with the text itself
                raise self.damage("a text in it is no text") from error
            raise IndexProblem(f"{self.path} cannot be used ({error}): check the disk and the permissions") from error
        except sqlite3.DatabaseError as error:
            raise self.damage(error) from error
        except (FileExistsError, NotADirectoryError) as error:
            raise IndexProblem(f"no index can lie in {self.path.parent}: it is no folder, name another") from error
        except OSError as error:
            raise IndexProblem(
                f"{self.path} cannot be used ({error.strerror}): check the disk and the permissions"
            ) from error


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of the same name, or None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _manifest_checksum(values: dict[str, str]) -> str:
    return checksum(*sorted(values.items())).hex()

"""The lock that lets one process at a time write to an index; the system lets go of it when the process ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import Busy, IndexProblem

NAME = "writer.lock"


@contextmanager
def only_writer(folder: Path, wait: float) -> Iterator[None]:
    """Hold the write lock of the index in `folder`, waiting at most `wait` seconds for another process.

    Raises:
        Busy: if another process holds it for longer.
        IndexProblem: if the folder cannot be written to.
    """
    # An empty SQLite file: the same lock on every system, and never a stale one.
    try:
        lock = sqlite3.connect(folder / NAME, timeout=wait, isolation_level=None)
    except sqlite3.OperationalError as error:
        raise _unusable(folder, error) from error
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise Busy(
                    f"another process is bringing the index in {folder} up to date: try again when it is done"
                ) from error
            raise _unusable(folder, error) from error
        except sqlite3.DatabaseError as error:
            raise IndexProblem(f"{folder / NAME} is damaged ({error}): remove that file") from error
        yield
    finally:
        lock.close()


def _unusable(folder: Path, error: Exception) -> IndexProblem:
    return IndexProblem(f"the index in {folder} cannot be written to ({error}): check the disk and the permissions")

"""Run as a process by test_faults.py: a sync that is killed at its n-th write, fsync or rename.

`python -m tests.dying CORPUS INDEX LOG N`; prints how many there were when N is beyond the last. A step lies
before and after each statement that writes to SQLite, each fsync, mkdir and removal and each file of FAISS, and after
each row given to SQLite or tantivy; what these libraries do inside of a call is cut by the kills at random moments.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import index.derived
import index.sync
from index import Index
from index.database import Database
from index.lexical import LexicalIndex
from index.vectors import VectorIndex
from tests.conftest import LetterEmbedder


class Logged(LetterEmbedder):
    """Writes down what it embeds."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def embed(self, texts: Sequence[str], progress: object = None) -> np.ndarray:
        with self.log.open("a", encoding="utf-8") as file:
            file.writelines(f"{text.splitlines()[-1]}\n" for text in texts)
        return super().embed(texts)


class Steps:
    """Counts, and ends the process at the chosen step as `kill -9` would."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.done = 0

    def step(self) -> None:
        self.done += 1
        if self.done == self.last:
            os.kill(os.getpid(), signal.SIGKILL)

    def before_and_after(self, owner: object, name: str) -> None:
        """A fault point before and after each call of a function."""
        real = getattr(owner, name)

        def stepped(*arguments: object, **named: object) -> object:
            self.step()
            done = real(*arguments, **named)
            self.step()
            return done

        setattr(owner, name, stepped)


class Statements:
    """A SQLite connection with a fault point before and after every statement that writes."""

    def __init__(self, db: object, steps: Steps) -> None:
        self._db, self._steps = db, steps

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)

    def execute(self, sql: str, *values: object) -> object:
        writes = not sql.lstrip().upper().startswith(("SELECT", "PRAGMA"))
        if writes:
            self._steps.step()
        done = self._db.execute(sql, *values)
        if writes:
            self._steps.step()
        return done

    def executemany(self, sql: str, rows: object) -> object:
        def stepped() -> object:
            for row in rows:
                yield row
                self._steps.step()

        return self._db.executemany(sql, stepped())


def main() -> None:
    corpus, place, log, last = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    index.sync.COMMIT_PASSAGES = 4
    steps = Steps(last)
    for owner, name in [(VectorIndex, "save"), *((os, n) for n in ("fsync", "mkdir", "rename", "rmdir", "unlink"))]:
        steps.before_and_after(owner, name)
    real_build = LexicalIndex.build.__func__

    def build(cls: type[LexicalIndex], contents: object, folder: Path | None = None) -> LexicalIndex:
        def stepped() -> object:
            for content in contents:
                steps.step()
                yield content

        made = real_build(cls, stepped(), folder)
        steps.step()
        return made

    LexicalIndex.build = classmethod(build)
    real_init = Database.__init__

    def init(self: Database, path: Path) -> None:
        real_init(self, path)
        self._db = Statements(self._db, steps)

    Database.__init__ = init
    Index(place, Logged(log)).sync(corpus)
    print(steps.done)


if __name__ == "__main__":
    main()

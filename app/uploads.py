"""The files that one person adds: a folder and an index of their own, asked beside the corpus, removed in the end.

Knows nothing of the page. What a browser sends is not trusted: names, sizes, numbers and types are checked here.
"""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import unicodedata
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from qa import MAX_BYTES, SUFFIXES, Pipeline, beside

MOST_FILES = 50
MOST_BYTES = 200_000_000
"""How many files, and of how many bytes together, one person may have added at a time."""

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff<>:"|?*\\/]+')
_LONGEST_NAME = 120


class Uploads:
    """One person's files; the folder is made with the first of them."""

    def __init__(self, corpus: Pipeline, root: Path) -> None:
        """Keep the files in a new folder below `root`, and ask them with the models of `corpus`."""
        self.pipeline: Pipeline | None = None
        self._corpus = corpus
        self._place = root / secrets.token_hex(16)
        self._changing = threading.Lock()
        weakref.finalize(self, shutil.rmtree, self._place, ignore_errors=True)  # when its session is dropped unclosed

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self._place / "files"

    def names(self) -> list[str]:
        """The files that can be asked, in order."""
        return [] if self.pipeline is None else [entry.path for entry in self.pipeline.index.documents()]

    def add(self, sent: Sequence[Path], progress: Callable[[str, int, int], object] | None = None) -> dict[str, str]:
        """Take copies of the files; returns the name of each that was refused, and why. The rest is indexed."""
        with self._changing:
            refused: dict[str, str] = {}
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in sent:
                name = safe_name(path.name)
                reason = self._refusal(path, name)
                if reason is None:
                    shutil.copyfile(path, self.folder / self._free(name))
                else:
                    refused[name] = reason
            unreadable = self._bring_up_to_date(progress)
            for name in unreadable:
                (self.folder / name).unlink(missing_ok=True)
            return refused | unreadable

    def remove(self, name: str) -> None:
        """Remove one file, if there is one of that name."""
        with self._changing:
            if name in self.names():
                (self.folder / name).unlink(missing_ok=True)
                self._bring_up_to_date(None)

    def close(self) -> None:
        """Remove everything."""
        with self._changing:
            if self.pipeline is not None:
                self.pipeline.index.close()
                self.pipeline = None
            shutil.rmtree(self._place, ignore_errors=True)

    def _bring_up_to_date(self, progress: Callable[[str, int, int], object] | None) -> dict[str, str]:
        if self.pipeline is None:
            self.pipeline = beside(self._corpus, self._place / "index")
        report = self.pipeline.index.sync(self.folder, progress=progress)
        return dict(report.unreadable)

    def _refusal(self, path: Path, name: str) -> str | None:
        if PurePosixPath(name).suffix.lower() not in SUFFIXES:
            return f"its type is none of {', '.join(sorted(SUFFIXES))}"
        try:
            size = path.stat().st_size
        except OSError:
            return "it did not arrive: add it again"
        kept = [p.stat().st_size for p in self.folder.iterdir()]
        if size > MAX_BYTES:
            return f"it is over {MAX_BYTES // 1_000_000} MB: split it"
        if len(kept) >= MOST_FILES:
            return f"there are {MOST_FILES} files already: remove some first"
        if size + sum(kept) > MOST_BYTES:
            return f"all files together would be over {MOST_BYTES // 1_000_000} MB: remove some first"
        if size > spare(self.folder):  # what others added may have filled it
            return "the server's disk has no room for it"
        return None

    def _free(self, name: str) -> str:
        """`name`, numbered where there is a file of that name."""
        stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
        number, free = 1, name
        while (self.folder / free).exists():
            number += 1
            free = f"{stem} ({number}){suffix}"
        return free


def spare(folder: Path) -> int:
    """How many bytes may be written into `folder` so that a tenth of its disk stays free, of a large one 1 GB."""
    disk = shutil.disk_usage(folder)
    return max(0, disk.free - min(disk.total // 10, 1_000_000_000))


def safe_name(name: str) -> str:
    """The last part of `name` as a plain file name that any system takes, its suffix kept."""
    last = unicodedata.normalize("NFC", re.split(r"[\\/]", name)[-1])
    clean = _UNSAFE.sub("_", last).strip().lstrip(".~$ ") or "file"
    stem, suffix = PurePosixPath(clean).stem, PurePosixPath(clean).suffix[:20]
    while len(stem.encode()) > _LONGEST_NAME:
        stem = stem[:-1]
    return f"{stem}{suffix}"

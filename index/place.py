"""Where the index of a corpus lies on disk, and removing it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, cast

import platformdirs

from index import seal
from index.errors import IndexProblem
from index.lock import only_writer

if TYPE_CHECKING:
    from index.index import Index


def index_folder(corpus: Path) -> Path:
    """Where the index of a corpus lies unless said otherwise: in the user's cache, named by its absolute path."""
    name = hashlib.sha256(str(corpus.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return platformdirs.user_cache_path("extractive-qa") / f"{corpus.resolve().name}-{name}"


def remove_index(folder: Path, *, wait: float = 60.0) -> None:
    """Remove what an index keeps in `folder`, and nothing else that may lie there; the lock itself stays.

    Raises:
        Busy: if another process is writing to it for longer than `wait` seconds.
        IndexProblem: if it may not be removed.
    """
    if not folder.is_dir():
        return
    with only_writer(folder, wait):
        try:
            for name in (*seal.FILES, "store.sqlite", "store.sqlite-wal", "store.sqlite-shm"):
                (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise IndexProblem(
                f"the index in {folder} cannot be removed ({error.strerror}): check its permissions"
            ) from error
        shutil.rmtree(folder / "derived", ignore_errors=True)


def open_cluster(corpus: str) -> Index:
    """What a cluster serves as `corpus`, `ray://HOST:PORT/NAME`; raises as `ClusterIndex.open` does."""
    from index.cluster import ClusterIndex  # here, so that who has no cluster loads nothing of it

    return cast("Index", ClusterIndex.open(corpus))  # its methods are those of an Index

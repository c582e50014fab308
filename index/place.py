"""Where the index of a corpus lies on disk, and removing it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import platformdirs


def index_folder(corpus: Path) -> Path:
    """Where the index of a corpus lies unless said otherwise: in the user's cache, named by its absolute path."""
    name = hashlib.sha256(str(corpus.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return platformdirs.user_cache_path("extractive-qa") / f"{corpus.resolve().name}-{name}"


def remove_index(folder: Path) -> None:
    """Remove what an index keeps in `folder`, and nothing else that may lie there."""
    for name in ("store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "writer.lock"):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "derived", ignore_errors=True)

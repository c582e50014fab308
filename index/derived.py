"""The FAISS and tantivy files that are made from the store: written whole, named by generation, never changed.

Anything about them that is missing, older or damaged is found out by their hash in the store's manifest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from index import seal
from index.errors import IndexProblem
from index.lexical import LexicalIndex
from index.schema import FORMAT
from index.store import Store
from index.vectors import VectorIndex


@dataclass(frozen=True)
class Derived:
    """Both indexes over one generation of the store."""

    name: str
    vectors: VectorIndex
    lexical: LexicalIndex


def write(store: Store, folder: Path) -> dict[str, str]:
    """Build both indexes from what the store holds (within its open transaction) into a new folder under `folder`.

    Returns:
        the manifest's values that name and prove them.

    Raises:
        IndexProblem: if they cannot be written.
    """
    name = f"{store.generation:08d}-{os.urandom(4).hex()}"
    place = folder / name
    try:
        place.mkdir(parents=True)
        VectorIndex.build(*store.vectors()).save(place / "vectors.faiss")
        LexicalIndex.build(store.contents(), place / "lexical")
        _flush(place)
        return {"derived": name, "derived_sha256": _sha256(place)}
    except (OSError, RuntimeError, ValueError) as error:  # all that FAISS and tantivy raise
        shutil.rmtree(place, ignore_errors=True)  # where the disk is full, it is to be less so
        raise IndexProblem(f"{place} cannot be written ({error}): check the disk and the permissions") from error


def load(store: Store, folder: Path) -> Derived:
    """Open the indexes of the store's generation; builds them in memory where the files cannot be trusted.

    Raises:
        IndexProblem: if there are files of a store in which nothing was ever committed, as of one cut to nothing.
    """
    if not store.generation and folder.is_dir() and any(folder.iterdir()):
        raise IndexProblem(
            f"{store.path} holds nothing, but files made from it lie beside it (it was emptied, or its first sync is "
            "not done): bring it up to date with `python -m index FOLDER`, or if that does not help make it again with "
            "`python -m index FOLDER --rebuild`"
        )
    name = store.manifest("derived") or ""
    place = folder / name
    if name and sound(store, folder):
        try:
            return Derived(name, VectorIndex.load(place / "vectors.faiss"), LexicalIndex.load(place / "lexical"))
        except IndexProblem:
            pass  # removed or damaged since it was checked: the store has all that is needed
    seal.break_off(folder.parent)  # the next sync makes them anew
    return Derived(name, VectorIndex.build(*store.vectors()), LexicalIndex.build(store.contents()))


def sound(store: Store, folder: Path) -> bool:
    """Whether the files on disk are those that were written for the store's generation."""
    place = folder / (store.manifest("derived") or "none")
    try:
        return place.is_dir() and _sha256(place) == store.manifest("derived_sha256")
    except OSError:
        return False


def clean(store: Store, folder: Path, *, keep: str | None) -> None:
    """Remove all but the current indexes and those of `keep`, which a reader may just be opening."""
    current = store.manifest("derived")
    for place in folder.iterdir() if folder.is_dir() else ():
        if place.name not in (current, keep):
            shutil.rmtree(place, ignore_errors=True)


def _files(place: Path) -> list[Path]:
    # tantivy's lock files come and go with its readers
    return sorted(p for p in place.rglob("*") if p.is_file() and not p.name.endswith(".lock"))


def _sha256(place: Path) -> str:
    digest = hashlib.sha256(FORMAT.encode())
    for path in _files(place):
        digest.update(path.relative_to(place).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _flush(place: Path) -> None:
    """Make sure that the files are on disk before the store says that they are."""
    for path in _files(place):
        with path.open("rb") as file:
            os.fsync(file.fileno())

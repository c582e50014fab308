"""The index over one folder of documents: opened, brought up to date, searched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index import derived, seal
from index.documents import Document
from index.embedder import DEFAULT_ENCODER, Embedder
from index.errors import BadQuery, WrongEmbedder
from index.fusion import fuse
from index.light import LIGHT, embedder_named
from index.lock import only_writer
from index.passages import Passage
from index.store import Entry, IndexedPassage, Store
from index.sync import RECIPE, Embedding, Progress, SyncReport, find_changes

DEPTH = 50
LONGEST_QUERY = 10_000
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Hit:
    """A passage that fits a query; a rank counts from 1 and is None where that ranking did not find it."""

    passage: IndexedPassage
    score: float
    dense_rank: int | None
    lexical_rank: int | None


class _Found(NamedTuple):
    """By id the rank in each ranking and the fused score, best first."""

    dense: dict[int, int]
    lexical: dict[int, int]
    fused: dict[int, float]


def sound_query(query: str, k: int) -> str:
    """The query as it is searched for, every character one that can be written.

    Raises:
        BadQuery: if the query is empty or too long, or `k` is less than 1.
    """
    if not query.strip():
        raise BadQuery("the query is empty: write a question or a few words")
    if len(query) > LONGEST_QUERY:
        raise BadQuery(f"the query has {len(query):,} characters: at most {LONGEST_QUERY:,} are searched for")
    if k < 1:
        raise BadQuery(f"k is {k}: it must be at least 1")
    return query.encode("utf-8", "replace").decode()  # half a surrogate pair is no character


class Index:
    """One folder on disk that holds the store and the indexes made from it; safe to use from several threads."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        """Open the index in `folder`, an empty one if there is none.

        Raises:
            WrongEmbedder: if it was made with another encoder.
            WrongVersion, IndexProblem: if it cannot be used.
        """
        self.folder = folder
        self.embedder = embedder
        self._store = Store(folder / "store.sqlite")
        self._lock = threading.RLock()
        self._derived: derived.Derived | None = None
        self._document = lru_cache(maxsize=256)(self._read_document)
        self._check_embedder(self._store)

    @classmethod
    def open(cls, folder: Path, *, encoder: str | None = None) -> Index:
        """Open the index in `folder`, with the encoder "light" or that of a sentence-transformers name or folder.

        By default that is the light one where the index was made with it, else the packaged one.
        """
        if encoder is None:
            with closing(Store(folder / "store.sqlite")) as store:
                made_with = store.manifest("embedder") or ""
            encoder = LIGHT if made_with.startswith(f"{LIGHT} ") else DEFAULT_ENCODER
        return cls(folder, embedder_named(encoder))

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            self._store.close()

    def sync(
        self,
        corpus: Path,
        *,
        progress: Progress | None = None,
        wait: float = WAIT_SECONDS,
        among: Callable[[str], bool] | None = None,
        check: bool = False,
    ) -> SyncReport:
        """Bring the index up to date with the files in `corpus`; the folder itself is never written to.

        Nothing is seen of it by a search before it is done. A sync that was stopped at any moment loses at most the
        vectors of the last `COMMIT_PASSAGES` passages; the next one does the rest. A file is read where the file system
        says that it may have changed, and all that the index holds is verified where anything but a sync may have
        written to it.

        Args:
            corpus: the folder of documents.
            progress: is told how far it is.
            wait: seconds to wait for another process that is syncing the same index.
            among: says of a document's path whether it belongs into this index; by default all do.
            check: read every file and verify everything, whatever the file system says.

        Raises:
            BadCorpus: if `corpus` is no folder.
            Busy: if another process is syncing for longer than `wait`.
        """
        started = time.monotonic()
        # A connection of its own, so that searches in other threads go on meanwhile.
        with only_writer(self.folder, wait), closing(Store(self.folder / "store.sqlite")) as store:
            self._check_embedder(store)
            if store.manifest("embedder") is None:  # before the first vector is kept
                with store.transaction():
                    store.set_manifest(embedder=self._embedder)
            sealed = not check and seal.holds(self.folder)
            embedding = Embedding(store, self.embedder)
            changes = find_changes(
                store, corpus, progress, among, read=embedding.add, read_all=check, verify=not sealed
            )
            embedding.finish(progress)
            before = store.manifest("derived")
            with store.transaction():
                for path in changes.gone:
                    store.remove(path)
                for document in changes.documents:
                    store.put(document, embedding.passages[document.path])
                store.set_stamps(changes.stamps)
                store.set_unreadable(changes.unreadable)
                store.set_manifest(
                    corpus=str(corpus.resolve()),
                    recipe=RECIPE,
                    synced=datetime.now(UTC).isoformat(timespec="seconds"),
                )
                if changes.documents or changes.gone or not (sealed or derived.sound(store, self._derived_folder)):
                    store.drop_unused_vectors()
                    store.set_manifest(generation=str(store.generation + 1))
                    store.set_manifest(**derived.write(store, self._derived_folder))
            derived.clean(store, self._derived_folder, keep=before)
            if store.checkpoint():
                seal.put(self.folder)
            return SyncReport(
                added=changes.added,
                changed=changes.changed,
                removed=changes.removed,
                renamed=changes.renamed,
                unreadable=tuple(changes.unreadable.items()),
                documents=store.count("documents"),
                passages=store.count("passages"),
                embedded=embedding.embedded,
                seconds=time.monotonic() - started,
            )

    def search(self, query: str, k: int = 10, *, documents: Collection[str] | None = None) -> list[Hit]:
        """Find the `k` passages that fit a query best, by meaning and by words.

        Both rankings are followed `DEPTH` deep; the order is the same for the same corpus, however it was indexed.
        Given `documents`, only those paths are searched; one that the index does not have holds nothing.

        Raises:
            BadQuery: if the query is empty or too long, or `k` is less than 1.
        """
        query, vector = self._embedded(query, k)
        with self._lock, self._store.snapshot():
            found = self._rank(query, vector, k, documents)
            return self._hits(found, list(found.fused)[:k])

    def rankings(self, query: str, k: int = 10) -> tuple[list[Hit], list[Hit]]:
        """The first `k` by meaning alone and the first `k` by words alone: what `search` fuses; raises as it does."""
        query, vector = self._embedded(query, k)
        with self._lock, self._store.snapshot():
            found = self._rank(query, vector, k, None)
            return self._hits(found, list(found.dense)[:k]), self._hits(found, list(found.lexical)[:k])

    def document(self, path: str) -> Document:
        """The document of that path as it was indexed.

        Raises:
            BadQuery: if the index has none.
        """
        with self._lock, self._store.snapshot():
            return self._document(path, self._store.manifest("derived"))[0]

    def documents(self) -> list[Entry]:
        """All documents, in order of their paths, without their texts."""
        with self._lock, self._store.snapshot():
            return self._store.entries()

    def unreadable(self) -> dict[str, str]:
        """Path and reason of the files that the last sync could not read."""
        with self._lock:
            return self._store.unreadable()

    @property
    def corpus(self) -> Path | None:
        """The folder that the last sync read, or None before the first."""
        with self._lock:
            folder = self._store.manifest("corpus")
        return None if folder is None else Path(folder)

    @property
    def synced(self) -> datetime | None:
        """When the last sync ended, or None before the first; None as well where an older version did it."""
        with self._lock:
            time = self._store.manifest("synced")
        return None if time is None else datetime.fromisoformat(time)

    def __len__(self) -> int:
        with self._lock:
            return self._store.count("passages")

    @property
    def _embedder(self) -> str:
        return f"{self.embedder.label} {self.embedder.fingerprint}"

    def _check_embedder(self, store: Store) -> None:
        made_with = store.manifest("embedder")
        if made_with not in (None, self._embedder):
            raise WrongEmbedder(
                f"the index in {self.folder} was made with the encoder {made_with}, not {self._embedder}: open it with "
                "that one, or make it again: `python -m index FOLDER --rebuild`"
            )

    def _embedded(self, query: str, k: int) -> tuple[str, NDArray[np.float32]]:
        sound = sound_query(query, k)
        return sound, np.asarray(self.embedder.embed([sound])[0], dtype=np.float32)

    def _rank(self, query: str, vector: NDArray[np.float32], k: int, only: Collection[str] | None) -> _Found:
        indexes, depth = self._current(), max(DEPTH, k)
        among, passages = (None, None) if only is None else self._store.ids_of(only)
        dense, lexical = indexes.vectors.search(vector, depth, passages), indexes.lexical.search(query, depth, among)
        cosines = dict(dense)
        unseen = [number for number, _ in lexical if number not in cosines]
        cosines |= zip(unseen, indexes.vectors.similarity(vector, unseen), strict=True)
        ranks = [{number: rank for rank, (number, _) in enumerate(ranking, 1)} for ranking in (dense, lexical)]
        return _Found(ranks[0], ranks[1], dict(fuse(cosines, dict(lexical), weight=self.embedder.fusion_weight)))

    def _hits(self, ranked: _Found, numbers: list[int]) -> list[Hit]:
        found = self._passages(numbers)
        return [Hit(found[n], ranked.fused[n], ranked.dense.get(n), ranked.lexical.get(n)) for n in numbers]

    def _passages(self, numbers: Sequence[int]) -> dict[int, IndexedPassage]:
        """The passages of those ids, as the checksums of their documents prove them."""
        name, found = self._store.manifest("derived"), {}
        for number, (path, _) in self._store.passages(numbers).items():
            document, passages = self._document(path, name)
            if number not in passages:
                raise self._store.damage(f"passage {number} is not of {path!r}")
            p = passages[number]
            found[number] = IndexedPassage(number, document, p.ordinal, p.start, p.end, p.heading)
        return found

    def _current(self) -> derived.Derived:
        """The indexes of the generation that the snapshot shows."""
        if self._derived is None or self._derived.name != self._store.manifest("derived"):
            self._check_embedder(self._store)  # another process may have made the index anew, with another
            self._derived = derived.load(self._store, self._derived_folder)
        return self._derived

    def _read_document(self, path: str, generation: str | None) -> tuple[Document, dict[int, Passage]]:
        """`generation`, a name that no other has, makes the cache forget a document when the corpus changes."""
        found = self._store.document(path)
        if found is None:
            raise BadQuery(f"there is no document {path!r} in the index")
        return found

    @property
    def _derived_folder(self) -> Path:
        return self.folder / "derived"

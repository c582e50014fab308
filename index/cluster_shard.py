"""One index of several that together hold a corpus, and how their rankings become that of one index over all of it.

Knows nothing of Ray, or of where the other shards are. A search asks each shard twice: for the nearest vectors and how
often the query's words stand in it; then, with the counts of all, for its best passages by words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.cluster_lexical import SharedLexical, Statistics
from index.embedder import Embedder
from index.fusion import fuse
from index.index import Index
from index.store import IndexedPassage, stable_id


def shard_of(path: str, shards: int) -> int:
    """Which of so many shards, counted from 0, the document of that path belongs to."""
    return stable_id(path.encode("utf-8", "replace").decode()) % shards


def shard_folder(folder: Path, number: int) -> Path:
    """Where that shard's index lies in the folder of a cluster's index."""
    return folder / f"shard-{number:04d}"


@dataclass(frozen=True)
class Survey:
    """A shard's first answer: its generation's name, its nearest passages as (id, cosine), and its `Statistics`."""

    generation: str
    dense: tuple[tuple[int, float], ...]
    statistics: Statistics


@dataclass(frozen=True)
class Scored:
    """A shard's second answer: its best passages by words, and all their cosines.

    `lexical` has (id, BM25 in the whole corpus, path, ordinal): one index cuts equal scores off by their places.
    """

    lexical: tuple[tuple[int, float, str, int], ...]
    cosines: Mapping[int, float]


@dataclass(frozen=True)
class Ranking:
    """Passages in order, best first, with their fused scores, and by id the rank in each ranking, counted from 1."""

    fused: tuple[tuple[int, float], ...]
    dense: Mapping[int, int]
    lexical: Mapping[int, int]


class Shard(Index):
    """An index over some of a corpus' documents that can be searched as a part of the whole."""

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        """Open the index in `folder`; raises as `Index` does."""
        super().__init__(folder, embedder)
        self._shared: tuple[str, SharedLexical, tuple[int, int]] | None = None

    def load(self) -> None:
        """Load what a search needs; else the first does."""
        with self._lock, self._store.snapshot():
            self._counted()

    def survey(
        self, query: str, vector: NDArray[np.float32], depth: int, documents: Collection[str] | None = None
    ) -> Survey:
        """The `depth` passages nearest to a unit vector [d], and the counts of the query's words.

        Given `documents`, only those paths are searched; the counts are of all.
        """
        with self._lock, self._store.snapshot():
            indexes = self._current()
            among = None if documents is None else self._store.ids_of(documents)[1]
            dense = indexes.vectors.search(vector, depth, among)
            lexical = self._lexical()
            return Survey(indexes.name, tuple(dense), self._statistics(lexical.words(query)))

    def score(
        self,
        generation: str,
        everywhere: Statistics,
        vector: NDArray[np.float32],
        depth: int,
        documents: Collection[str] | None = None,
    ) -> Scored | None:
        """The `depth` best passages by words, weighed as in the whole corpus; None if the shard changed meanwhile.

        Args:
            generation: the one that `survey` answered for.
            everywhere: the statistics of all shards together.
            vector: the query's, [d], of length 1.
            depth: how many.
            documents: the only paths to search.
        """
        with self._lock, self._store.snapshot():
            indexes = self._current()
            if indexes.name != generation:
                return None
            among = None if documents is None else self._store.ids_of(documents)[0]
            here = self._statistics(everywhere.frequencies)
            lexical = self._lexical().best(everywhere, here, depth, self._store.contents_of, among)
            numbers = [number for number, _ in lexical]
            places = self._store.passages(numbers)
            placed = tuple((number, score, places[number][0], places[number][1].ordinal) for number, score in lexical)
            return Scored(placed, dict(zip(numbers, indexes.vectors.similarity(vector, numbers), strict=True)))

    def passages(self, generation: str, numbers: Sequence[int]) -> dict[int, IndexedPassage] | None:
        """The passages of those ids, which `generation` has; None if the shard changed meanwhile."""
        with self._lock, self._store.snapshot():
            name = self._current().name
            if name != generation:
                return None
            return self._passages(numbers)

    def count_words(self) -> None:
        """Count the words of the corpus and keep that, so that opening the shard need not."""
        with self._lock, self._store.snapshot():
            name, _, words = self._counted()
            said = f"{name} {words[0]} {words[1]}"
            if said == self._store.manifest("words"):
                return
        with self._lock, self._store.transaction():
            self._store.set_manifest(words=said)

    def known(self) -> tuple[dict[str, str], NDArray[np.bytes_]]:
        """The sha256 of each document by its path, and the sorted hashes [n] of the contents that have a vector."""
        with self._lock:
            contents = np.array(sorted(self._store.known_contents()), dtype="S32")
            return {entry.path: entry.sha256 for entry in self._store.entries()}, contents

    def add_vectors(self, contents: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep vectors [n, d] of contents that the next sync will find."""
        with self._lock, self._store.transaction():
            self._store.set_manifest(embedder=f"{self.embedder.label} {self.embedder.fingerprint}")
            self._store.add_vectors(contents, vectors)

    def _lexical(self) -> SharedLexical:
        return self._counted()[1]

    def _statistics(self, words: Iterable[str]) -> Statistics:
        _, lexical, counts = self._counted()
        return Statistics(len(lexical), counts, lexical.frequencies(words))

    def _counted(self) -> tuple[str, SharedLexical, tuple[int, int]]:
        """The current generation's name, its lexical index and how many words its passages have in each field."""
        indexes = self._current()
        if self._shared is None or self._shared[0] != indexes.name:
            lexical = SharedLexical.over(indexes.lexical)
            name, *counts = (self._store.manifest("words") or "none").split()
            words = (int(counts[0]), int(counts[1])) if name == indexes.name else lexical.count(self._store.contents())
            self._shared = (indexes.name, lexical, words)
        return self._shared


def merge(surveys: Iterable[Survey], scored: Iterable[Scored], depth: int, weight: float) -> Ranking:
    """The ranking that one index over all shards gives, followed `depth` deep as there, from what each found.

    `weight` is the share of the cosine, `fusion_weight` of the encoder that the shards were built with.
    """
    dense = _best((pair for survey in surveys for pair in survey.dense), depth)
    answers = list(scored)
    placed = sorted((one for answer in answers for one in answer.lexical), key=lambda one: (-one[1], one[2], one[3]))
    lexical = _best(((number, score) for number, score, _, _ in placed[:depth]), depth)
    found, cosines = {number for number, _ in lexical}, dict(dense)
    unseen = {number: c for answer in answers for number, c in answer.cosines.items() if number not in cosines}
    cosines |= {number: cosine for number, cosine in unseen.items() if number in found}
    dense_ranks, lexical_ranks = (
        {number: rank for rank, (number, _) in enumerate(ranking, 1)} for ranking in (dense, lexical)
    )
    return Ranking(tuple(fuse(cosines, dict(lexical), weight=weight)), dense_ranks, lexical_ranks)


def _best(pairs: Iterable[tuple[int, float]], count: int) -> list[tuple[int, float]]:
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:count]

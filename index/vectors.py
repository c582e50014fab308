"""Dense search by FAISS. Knows ids and vectors, nothing of passages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import IndexProblem

EXACT_UP_TO = 200_000
"""Vectors; beyond, a search looks only into the `PROBED` nearest lists of vectors, and finds nearly all."""
PROBED = 600
_BLOCK = 65_536


class VectorIndex:
    """Search by inner product over half-precision vectors, exact while they are few; built whole and never changed."""

    def __init__(self, index: Any) -> None:
        """Take a FAISS index with ids; `build` and `load` make one."""
        self._index = index

    @classmethod
    def build(cls, ids: NDArray[np.int64], vectors: NDArray[np.floating[Any]]) -> VectorIndex:
        """Index unit vectors [n, d] under their ids [n]."""
        import faiss

        if len(ids) != len(vectors):
            raise ValueError(f"{len(ids)} ids and {len(vectors)} vectors: they must agree")
        # The store keeps float16, so float16 here loses nothing, and takes half the memory.
        index = _exact(vectors) if len(ids) <= EXACT_UP_TO else _in_lists(vectors)
        for first in range(0, len(ids), _BLOCK):
            block = slice(first, first + _BLOCK)
            index.add_with_ids(vectors[block].astype(np.float32), ids[block])
        if isinstance(index, faiss.IndexIVF):
            # finds a vector by its id; kept in the file; FAISS' stub does not know it
            index.set_direct_map_type(faiss.DirectMap.Hashtable)  # type: ignore[attr-defined]
        return cls(index)

    @classmethod
    def load(cls, path: Path) -> VectorIndex:
        """Read an index that `save` wrote.

        Raises:
            IndexProblem: if the file is missing or damaged.
        """
        import faiss

        try:
            return cls(faiss.read_index(str(path)))
        except RuntimeError as error:  # all that FAISS raises
            raise IndexProblem(f"{path} cannot be read as a FAISS index") from error

    def save(self, path: Path) -> None:
        """Write the index to a file that nobody has open."""
        import faiss

        faiss.write_index(self._index, str(path))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def exact(self) -> bool:
        """Whether a search compares with every vector."""
        return not hasattr(self._index, "nlist")

    def search(
        self, vector: NDArray[np.float32], k: int, only: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """The `k` nearest, of all or of the ids `only`, as (id, cosine), best first, ties by id.

        Among `only` they are always exact: the lists that are near may hold none of those.
        """
        import faiss

        k = min(k, len(self) if only is None else len(only))
        if k < 1:
            return []
        asked: dict[str, Any] = {}
        if only is not None:
            asked["sel"] = faiss.IDSelectorBatch(only)
        if not self.exact:
            asked["nprobe"] = PROBED if only is None else self._index.nlist
        kind: Any = faiss.SearchParameters if self.exact else faiss.SearchParametersIVF
        with _one_thread():
            scores, ids = self._index.search(vector[None, :], k, params=kind(**asked) if asked else None)
        pairs = zip(ids[0].tolist(), scores[0].tolist(), strict=True)
        # FAISS fills up with -1 where there are fewer.
        return sorted((pair for pair in pairs if pair[0] >= 0), key=lambda pair: (-pair[1], pair[0]))

    def similarity(self, vector: NDArray[np.float32], ids: list[int]) -> list[float]:
        """Cosine of the vector with those of `ids`."""
        if not ids:
            return []
        return [float(s) for s in np.stack([self._index.reconstruct(i) for i in ids]) @ vector]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Has FAISS use this thread alone, as it divides a search by queries: more would only be woken and waited for."""
    import faiss

    threads = faiss.omp_get_max_threads()  # of this thread; torch has a library of its own for its threads
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def _exact(vectors: NDArray[np.floating[Any]]) -> Any:
    import faiss

    flat = faiss.IndexScalarQuantizer(vectors.shape[1] or 1, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    if len(vectors):
        flat.train(vectors[:1].astype(np.float32))  # there is nothing to learn for float16, but FAISS asks for it
    return faiss.IndexIDMap2(flat)


def _in_lists(vectors: NDArray[np.floating[Any]]) -> Any:
    """An empty index whose lists are the neighbourhoods that k-means finds in a sample of the vectors."""
    import faiss

    lists = 2 * isqrt(len(vectors))
    index: Any = faiss.index_factory(vectors.shape[1], f"IVF{lists},SQfp16", faiss.METRIC_INNER_PRODUCT)
    index.by_residual = False  # the vectors as they are, so that their scores are those of exact search
    index.cp.spherical = True  # else long centroids attract far vectors
    sample = np.random.default_rng(0).choice(len(vectors), min(len(vectors), 40 * lists), replace=False)
    index.train(vectors[np.sort(sample)].astype(np.float32))
    return index

"""Dense search by FAISS. Knows ids and vectors, nothing of passages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import IndexProblem


class VectorIndex:
    """Exact search by inner product over half-precision vectors; it is built whole and never changed."""

    def __init__(self, index: Any) -> None:
        """Take a FAISS index with ids; `build` and `load` make one."""
        self._index = index

    @classmethod
    def build(cls, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> VectorIndex:
        """Index unit vectors [n, d] under their ids [n]."""
        import faiss

        if len(ids) != len(vectors):
            raise ValueError(f"{len(ids)} ids and {len(vectors)} vectors: they must agree")
        # The store keeps float16, so float16 here loses nothing, and takes half the memory.
        flat = faiss.IndexScalarQuantizer(
            vectors.shape[1] or 1, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        index = faiss.IndexIDMap2(flat)
        if len(ids):
            index.train(vectors)
            index.add_with_ids(vectors, ids)
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

    def search(
        self, vector: NDArray[np.float32], k: int, only: NDArray[np.int64] | None = None
    ) -> list[tuple[int, float]]:
        """The `k` nearest, of all or of the ids `only`, as (id, cosine), best first, ties by id."""
        import faiss

        k = min(k, len(self) if only is None else len(only))
        if k < 1:
            return []
        chosen = None
        if only is not None:  # its stub does not know that the wrapper takes fields by name, and keeps them alive
            chosen = faiss.SearchParameters(sel=faiss.IDSelectorBatch(only))  # type: ignore[call-arg]
        scores, ids = self._index.search(vector[None, :], k, params=chosen)
        pairs = zip(ids[0].tolist(), scores[0].tolist(), strict=True)
        # FAISS fills up with -1 where `only` names ids that it does not have.
        return sorted((pair for pair in pairs if pair[0] >= 0), key=lambda pair: (-pair[1], pair[0]))

    def similarity(self, vector: NDArray[np.float32], ids: list[int]) -> list[float]:
        """Cosine of the vector with those of `ids`."""
        if not ids:
            return []
        return [float(s) for s in np.stack([self._index.reconstruct(i) for i in ids]) @ vector]

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import IndexProblem
from index.vectors import VectorIndex


def unit(rng: np.random.Generator, n: int, d: int = 16) -> np.ndarray:
    vectors = rng.normal(size=(n, d)).astype(np.float16).astype(np.float32)
    return vectors


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 10), st.integers(0, 2**32 - 1))
def test_search_finds_what_brute_force_finds(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, query = unit(rng, n), unit(rng, 1)[0]
    ids = rng.permutation(2**60 + np.arange(n)).astype(np.int64)
    found = VectorIndex.build(ids, vectors).search(query, k)
    exact = sorted(zip((vectors @ query).tolist(), ids.tolist(), strict=True), key=lambda p: (-p[0], p[1]))[:k]
    assert [number for number, _ in found] == [number for _, number in exact]
    assert [s for _, s in found] == pytest.approx([s for s, _ in exact], abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 2**32 - 1), st.data())
def test_search_among_some_ids_finds_what_brute_force_finds(n: int, k: int, seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    vectors, query = unit(rng, n), unit(rng, 1)[0]
    ids = rng.permutation(2**60 + np.arange(n)).astype(np.int64)
    chosen = data.draw(st.sets(st.sampled_from([*ids.tolist(), 5, 6])))  # 5 and 6 are in no index
    found = VectorIndex.build(ids, vectors).search(query, k, np.array(sorted(chosen), np.int64))
    every = sorted(zip((vectors @ query).tolist(), ids.tolist(), strict=True), key=lambda p: (-p[0], p[1]))
    assert [number for number, _ in found] == [number for _, number in every if number in chosen][:k]


def test_equal_vectors_come_in_order_of_their_ids() -> None:
    index = VectorIndex.build(np.array([30, 10, 20]), np.ones((3, 4), np.float32))
    assert [number for number, _ in index.search(np.ones(4, np.float32), 3)] == [10, 20, 30]


def test_similarity_is_the_cosine_with_those_ids() -> None:
    index = VectorIndex.build(np.array([7, 8]), np.eye(2, dtype=np.float32))
    assert index.similarity(np.array([0.6, 0.8], np.float32), [8, 7]) == pytest.approx([0.8, 0.6])
    assert index.similarity(np.array([0.6, 0.8], np.float32), []) == []


def test_an_index_comes_back_from_disk(tmp_path: Path) -> None:
    VectorIndex.build(np.array([5]), np.ones((1, 4), np.float32)).save(tmp_path / "v")
    assert VectorIndex.load(tmp_path / "v").search(np.ones(4, np.float32), 1)[0][0] == 5


def test_an_empty_index_finds_nothing() -> None:
    assert (
        VectorIndex.build(np.empty(0, np.int64), np.empty((0, 0), np.float32)).search(np.ones(4, np.float32), 3) == []
    )


def test_a_truncated_or_missing_file_is_an_index_problem(tmp_path: Path) -> None:
    path = tmp_path / "v"
    VectorIndex.build(np.arange(9), np.ones((9, 64), np.float32)).save(path)
    path.write_bytes(path.read_bytes()[:200])
    for broken in (path, tmp_path / "none"):
        with pytest.raises(IndexProblem, match="cannot be read"):
            VectorIndex.load(broken)


def test_beyond_its_limit_exact_search_gives_way_to_lists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("index.vectors.EXACT_UP_TO", 900)
    rng = np.random.default_rng(0)
    vectors = unit(rng, 901)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = rng.permutation(2**60 + np.arange(901)).astype(np.int64)
    below, above = VectorIndex.build(ids[:900], vectors[:900]), VectorIndex.build(ids, vectors)
    assert below.exact and not above.exact and len(above) == 901
    above.save(tmp_path / "v")
    above = VectorIndex.load(tmp_path / "v")
    # as many as are searched are all lists: the same neighbours and scores as exact search, from either side
    for query in vectors[::90]:
        found, exact = above.search(query, 10), sorted(zip(-(vectors @ query), ids.tolist(), strict=True))[:10]
        assert [number for number, _ in found] == [number for _, number in exact]
        assert [s for _, s in found] == pytest.approx([-s for s, _ in exact], abs=2e-3)
        assert above.similarity(query, [n for n, _ in found]) == pytest.approx([s for _, s in found], abs=1e-5)


def test_few_lists_find_nearly_all_neighbours_and_all_of_those_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.vectors.EXACT_UP_TO", 0)
    monkeypatch.setattr("index.vectors.PROBED", 12)
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(60, 16))
    vectors = (centres[rng.integers(60, size=3000)] + 0.3 * rng.normal(size=(3000, 16))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index, chosen = VectorIndex.build(np.arange(3000), vectors), np.arange(0, 3000, 100)
    hits = 0
    for query in vectors[1::150]:
        exact = np.argsort(-(vectors @ query), kind="stable")[:10]
        hits += len({number for number, _ in index.search(query, 10)} & set(exact.tolist()))
        # the nearest lists hold few of these or none
        among = [number for number, _ in index.search(query, 30, chosen)]
        assert sorted(among) == chosen.tolist()
        assert among[:5] == chosen[np.argsort(-(vectors[chosen] @ query), kind="stable")[:5]].tolist()
    assert hits >= 0.98 * 200

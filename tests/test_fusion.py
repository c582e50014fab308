from __future__ import annotations

import pytest

from index.fusion import fuse


def test_the_sum_weighs_cosine_against_bm25_over_the_best() -> None:
    fused = dict(fuse({1: 0.8, 2: 0.4}, {2: 10.0, 3: 5.0}, weight=0.5))
    assert fused == pytest.approx({1: 0.4, 2: 0.7, 3: 0.25})


def test_best_comes_first_and_ties_go_by_id() -> None:
    assert [number for number, _ in fuse({9: 0.5, 3: 0.5, 5: 0.6}, {})] == [5, 3, 9]


def test_without_any_lexical_hit_the_order_is_that_of_the_cosine() -> None:
    assert [number for number, _ in fuse({1: 0.1, 2: 0.9}, {})] == [2, 1]


def test_nothing_found_is_nothing() -> None:
    assert fuse({}, {}) == []

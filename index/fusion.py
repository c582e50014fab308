"""Two rankings to one. Pure."""

from __future__ import annotations

from collections.abc import Mapping

DENSE_WEIGHT = 0.7


def fuse(
    dense: Mapping[int, float], lexical: Mapping[int, float], *, weight: float = DENSE_WEIGHT
) -> list[tuple[int, float]]:
    """The convex sum of cosine and BM25, BM25 divided by the query's best.

    Source: Bruch et al. 2023, "An Analysis of Fusion Functions for Hybrid Retrieval", section 4 (convex combination).

    Args:
        dense: cosine by id.
        lexical: BM25 by id; an id that is missing counts as 0.
        weight: share of the cosine, 0 to 1.

    Returns:
        (id, score), best first, ties by id; scores are at most 1.
    """
    best = max(lexical.values(), default=0.0) or 1.0
    scores = {
        number: weight * dense.get(number, 0.0) + (1 - weight) * lexical.get(number, 0.0) / best
        for number in dense.keys() | lexical.keys()
    }
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qa.spans import best_spans, whole_words

logits = st.integers(0, 12).flatmap(
    lambda n: st.tuples(
        arrays(np.float32, n, elements=st.floats(-9, 9, width=32)),
        arrays(np.float32, n, elements=st.floats(-9, 9, width=32)),
    )
)


@given(logits, st.integers(1, 5))
def test_the_best_span_is_that_of_brute_force(pair: tuple[np.ndarray, np.ndarray], longest: int) -> None:
    start, end = pair
    every = [
        (float(start[a] + end[b]), -a, -(b - a))
        for a in range(len(start))
        for b in range(a, min(a + longest, len(start)))
    ]
    found = best_spans(start, end, longest=longest, count=1)
    if not every:
        assert found == []
    else:
        score, a, width = max(every)
        assert found == [(-a, -a - width, pytest.approx(score))]


@given(logits, st.integers(1, 5))
def test_spans_never_overlap_and_come_best_first(pair: tuple[np.ndarray, np.ndarray], longest: int) -> None:
    found = best_spans(*pair, longest=longest, count=5)
    assert [s for _, _, s in found] == sorted((s for _, _, s in found), reverse=True)
    places = [i for a, b, _ in found for i in range(a, b + 1)]
    assert len(places) == len(set(places))


def test_logits_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="must agree"):
        best_spans(np.zeros(2, np.float32), np.zeros(3, np.float32), longest=3, count=1)


@pytest.mark.parametrize(
    ("text", "start", "end", "expected"),
    [
        ("the dams broke", 4, 7, "dams"),
        ("the dams broke", 5, 8, "dams"),
        ("cost $1,200.", 6, 11, "1,200"),
        ("Müllers Haus", 1, 3, "Müllers"),
        ("end", 0, 3, "end"),
        ("(a)", 0, 1, "("),
    ],
)
def test_a_span_is_widened_to_whole_words(text: str, start: int, end: int, expected: str) -> None:
    a, b = whole_words(text, start, end)
    assert text[a:b] == expected

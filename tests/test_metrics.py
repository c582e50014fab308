from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.metrics import auroc, ece, exact_match, f1, mrr_at, normalise, recall_at


def test_case_articles_and_punctuation_do_not_count() -> None:
    assert normalise("The  U.S. President's plan!") == "us presidents plan"
    assert exact_match("the Dam.", ["dam", "weir"]) == 1.0


def test_f1_is_the_best_overlap_of_words() -> None:
    assert f1("northern dam gate", ["the dam", "weir"]) == pytest.approx(0.5)
    assert f1("weir", ["the dam", "weir"]) == 1.0
    assert f1("lock", ["the dam", "weir"]) == 0.0


def test_saying_nothing_is_right_only_where_there_is_no_answer() -> None:
    assert (exact_match("", []), f1("", [])) == (1.0, 1.0)
    assert (exact_match("x", []), f1("x", [])) == (0.0, 0.0)
    assert f1("", ["dam"]) == 0.0


words = st.text(alphabet="abc the.,", max_size=12)


@settings(deadline=None)  # the first call imports torchmetrics
@given(
    st.lists(
        st.tuples(words, st.lists(words.filter(lambda w: normalise(w)), min_size=1, max_size=3)), min_size=1, max_size=6
    )
)
def test_em_and_f1_agree_with_torchmetrics(pairs: list[tuple[str, list[str]]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchmetrics.functional.text import squad

    predictions = [{"id": str(i), "prediction_text": p} for i, (p, _) in enumerate(pairs)]
    targets = [
        {"id": str(i), "answers": {"text": golds, "answer_start": [0] * len(golds)}}
        for i, (_, golds) in enumerate(pairs)
    ]
    reference = squad(predictions, targets)
    assert 100 * np.mean([exact_match(p, g) for p, g in pairs]) == pytest.approx(
        float(reference["exact_match"]), abs=1e-3
    )
    assert 100 * np.mean([f1(p, g) for p, g in pairs]) == pytest.approx(float(reference["f1"]), abs=1e-3)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(1, 20)), min_size=1, max_size=20))
def test_recall_and_mrr_agree_with_ir_measures(ranks: list[int | None]) -> None:
    import ir_measures
    from ir_measures import RR, R

    qrels = [ir_measures.Qrel(str(q), "gold", 1) for q in range(len(ranks))]
    run = []
    for q, rank in enumerate(ranks):
        run += [
            ir_measures.ScoredDoc(str(q), "gold" if place == rank else f"d{place}", -float(place))
            for place in range(1, 21)
        ]
    reference = ir_measures.calc_aggregate([R @ 5, RR @ 10], qrels, run)
    assert recall_at(ranks, 5) == pytest.approx(reference[R @ 5])
    assert mrr_at(ranks, 10) == pytest.approx(reference[RR @ 10])


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auroc_is_the_share_of_pairs_in_the_right_order(pairs: list[tuple[int, bool]]) -> None:
    ups = [s for s, positive in pairs if positive]
    downs = [s for s, positive in pairs if not positive]
    scores, labels = zip(*pairs, strict=True)
    if not ups or not downs:
        with pytest.raises(ValueError, match="both classes"):
            auroc(scores, labels)
    else:
        by_hand = np.mean([(u > d) + 0.5 * (u == d) for u in ups for d in downs])
        assert auroc(scores, labels) == pytest.approx(by_hand)


def test_ece_is_zero_for_the_honest_and_large_for_the_boastful() -> None:
    assert ece([0.75] * 4, [1, 1, 1, 0]) == pytest.approx(0.0)
    assert ece([0.95] * 4, [1, 0, 0, 0]) == pytest.approx(0.7)
    assert ece([0.05, 0.95], [0, 1]) == pytest.approx(0.05)

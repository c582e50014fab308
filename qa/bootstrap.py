"""How far the figures can be trusted: 95 % intervals by resampling the questions. Knows nothing of files or HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index import Index
from qa.metrics import auroc, ece, exact_match, f1, mrr_at, normalise, recall_at
from qa.outcomes import RETRIEVED, Outcome, holds

RESAMPLES = 1000
SHARE = 0.95

Statistic = Callable[[NDArray[np.int64]], float]
"""A figure of the questions at these positions; nan where they have none."""


@dataclass(frozen=True)
class Interval:
    """A figure and the range [low, high] that it would lie in for most other samples of such questions."""

    figure: float
    low: float
    high: float


def interval(statistic: Statistic, count: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The figure of questions 0 to `count` - 1 with its 95 % interval.

    The percentile interval of Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3. Resamples
    without the figure (nan) do not count. A figure that resampling shifts, as ECE, which grows by it, can lie outside:
    then the interval is widened to hold it.

    Raises:
        ValueError: if there is no question.
    """
    if count < 1:
        raise ValueError(f"an interval needs a question at least, got {count}")
    draw = np.random.default_rng(seed)
    drawn = [statistic(draw.integers(0, count, count)) for _ in range(resamples)]
    figure = statistic(np.arange(count))
    kept = [value for value in drawn if not np.isnan(value)] or [figure]
    low, high = np.quantile(kept, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return Interval(figure, min(float(low), figure), max(float(high), figure))


def mean_interval(values: Sequence[float], *, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The mean of one value a question, with its 95 % interval; raises as `interval`."""
    array = np.asarray(values, dtype=float)
    return interval(lambda at: float(array[at].mean()), len(array), resamples=resamples, seed=seed)


def intervals_of(outcomes: Sequence[Outcome], *, null_margin: float) -> dict[str, dict[str, Interval]]:
    """The intervals of the figures of `outcomes.figures_of` that are made of questions, by the same names."""
    answerable = [o for o in outcomes if o.answerable]
    read = [o for o in outcomes if o.gold_margin is not None]
    found: dict[str, dict[str, Interval]] = {}
    if answerable:
        found["retrieval"] = {
            **{f"recall@{k}": mean_interval([recall_at([o.rank], k) for o in answerable]) for k in (1, 5, 10)},
            "mrr@10": mean_interval([mrr_at([o.rank], 10) for o in answerable]),
        }
    if read:
        forced = all(o.answerable for o in read)
        texts = [o.gold_text if forced or (o.gold_margin or 0.0) >= null_margin else "" for o in read]
        found["reader"] = _matches(texts, read)
    if answerable:
        found["answers"] = {
            **_matches([o.text for o in answerable], answerable),
            "sentence_hit": mean_interval([_in_sentence(o) for o in answerable]),
            "answered": mean_interval([float(bool(o.text)) for o in answerable]),
        }
    if len(answerable) < len(outcomes):
        found["no_answer"] = _no_answer(outcomes)
    if outcomes:
        sure = np.array([o.examination.answer.confidence for o in outcomes])
        right = np.array([float(o.right) for o in outcomes])
        found["calibration"] = {"ece": interval(lambda at: ece(sure[at].tolist(), right[at].tolist()), len(outcomes))}
    return found


def stages(outcomes: Sequence[Outcome], index: Index) -> list[tuple[str, str, Interval]]:
    """What each stage brings, over the answerable questions: its name, that of a figure, and the figure."""
    answerable = [o for o in outcomes if o.answerable]
    both = [index.rankings(o.examination.question, RETRIEVED) for o in answerable]
    ranks: dict[str, list[int | None]] = {"fused": [o.rank for o in answerable]}
    for name, hits in (("dense", [dense for dense, _ in both]), ("lexical", [lexical for _, lexical in both])):
        ranks[name] = [
            next((rank for rank, hit in enumerate(found, 1) if holds(hit, o.question)), None)
            for o, found in zip(answerable, hits, strict=True)
        ]
    rows = []
    for name in ("dense", "lexical", "fused"):
        rows.append((name, "recall@5", mean_interval([recall_at([rank], 5) for rank in ranks[name]])))
        rows.append((name, "mrr@10", mean_interval([mrr_at([rank], 10) for rank in ranks[name]])))
    rows.append(("read", "best span right", mean_interval([float(o.right) for o in answerable])))
    rows.append(("decided", "right and given", mean_interval([float(o.right and bool(o.text)) for o in answerable])))
    return rows


def _matches(texts: Sequence[str], outcomes: Sequence[Outcome]) -> dict[str, Interval]:
    pairs = [(text, o.question.answers) for text, o in zip(texts, outcomes, strict=True)]
    return {"em": mean_interval([exact_match(*p) for p in pairs]), "f1": mean_interval([f1(*p) for p in pairs])}


def _in_sentence(outcome: Outcome) -> float:
    sentence = normalise(outcome.examination.answer.sentence or "")
    return float(any(sentence and normalise(gold) in sentence for gold in outcome.question.answers))


def _no_answer(outcomes: Sequence[Outcome]) -> dict[str, Interval]:
    """As `outcomes._no_answer`, each figure over the same resamples."""
    silent = np.array([not o.text for o in outcomes])
    unanswerable = np.array([not o.answerable for o in outcomes])
    doubts = np.array([-o.examination.answer.confidence for o in outcomes])

    def share(at: NDArray[np.int64], of: NDArray[np.bool_], *, none: float) -> float:
        return float((silent & unanswerable)[at].sum() / of[at].sum()) if of[at].any() else none

    def harmonic(at: NDArray[np.int64]) -> float:
        total = int(silent[at].sum() + unanswerable[at].sum())
        return float(2 * (silent & unanswerable)[at].sum() / total) if total else float("nan")

    def ranked(at: NDArray[np.int64]) -> float:
        both = unanswerable[at].any() and not unanswerable[at].all()
        return auroc(doubts[at].tolist(), unanswerable[at].tolist()) if both else float("nan")

    statistics: dict[str, Statistic] = {
        "precision": lambda at: share(at, silent, none=0.0),
        "recall": lambda at: share(at, unanswerable, none=float("nan")),
        "f1": harmonic,
    }
    if not unanswerable.all():
        statistics["auroc"] = ranked
    return {name: interval(statistic, len(outcomes)) for name, statistic in statistics.items()}

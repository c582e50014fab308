"""Figures of merit as pure functions: EM, F1, recall@k, MRR, AUROC, ECE."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Lower-case and drop punctuation, articles and extra blanks, as SQuAD's evaluation does.

    Source: `normalize_answer` of the SQuAD 2.0 evaluation script (Rajpurkar et al. 2018).
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """1.0 if the prediction is one of the answers after `normalise`, else 0.0.

    No answers means that there is none: then an empty prediction is right.
    """
    return max((float(normalise(prediction) == normalise(a)) for a in answers), default=float(not prediction))


def f1(prediction: str, answers: Sequence[str]) -> float:
    """Word-overlap F1 of the prediction with the nearest answer, after `normalise`, 0 to 1.

    Source: `compute_f1` of the SQuAD 2.0 evaluation script. No answers: as in `exact_match`.
    """
    return max(
        (_f1(normalise(prediction).split(), normalise(a).split()) for a in answers), default=float(not prediction)
    )


def _f1(ours: list[str], gold: list[str]) -> float:
    if not ours or not gold:
        return float(ours == gold)
    common = sum((Counter(ours) & Counter(gold)).values())
    return 2 * common / (len(ours) + len(gold))


def recall_at(ranks: Sequence[int | None], k: int) -> float:
    """Share of queries whose first relevant passage has a rank (from 1) of at most `k`; None = not found."""
    return _mean([float(rank is not None and rank <= k) for rank in ranks])


def mrr_at(ranks: Sequence[int | None], k: int) -> float:
    """Mean reciprocal rank of the first relevant passage, cut at `k` (Voorhees 1999)."""
    return _mean([1 / rank if rank is not None and rank <= k else 0.0 for rank in ranks])


def auroc(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """Chance that a positive scores above a negative, ties counting half (Mann-Whitney U).

    Raises:
        ValueError: if there is no positive or no negative.
    """
    values, labels = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    ups, downs = int(labels.sum()), int((~labels).sum())
    if not ups or not downs:
        raise ValueError(f"AUROC needs both classes, got {ups} positive and {downs} negative")
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    return float((mean_rank[inverse][labels].sum() - ups * (ups + 1) / 2) / (ups * downs))


def ece(confidences: Sequence[float], right: Sequence[float], *, bins: int = 10) -> float:
    """Expected calibration error over equal-width bins: |mean confidence - share right|, weighted by size.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 5.
    """
    sure, hits = np.asarray(confidences, dtype=float), np.asarray(right, dtype=float)
    if not len(sure):
        return 0.0
    place = np.clip((sure * bins).astype(int), 0, bins - 1)
    gaps = [abs(sure[place == b].mean() - hits[place == b].mean()) * (place == b).sum() for b in np.unique(place)]
    return float(sum(gaps) / len(sure))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else 0.0

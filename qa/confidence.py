"""The one decision of a question: how likely the best span is right, and whether to answer at all.

A logistic regression on a few named features of the best group of candidates. The coefficients are a small file beside
the reader's weights; `python -m qa.calibrate` fits them anew.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.progress import write
from qa.candidates import Candidate, originals

CONFIDENCE = Path(__file__).parent / "reader" / "confidence.json"
FEATURES = ("margin", "gap", "retrieval", "sources", "lexical_first", "dense_first")


@dataclass(frozen=True)
class Confidence:
    """Coefficients by feature, intercept, and the threshold below which the answer is "the documents do not say".

    `null_margin` is the reader's margin, in logits, below which a single passage counts as not answering.
    """

    coefficients: Mapping[str, float]
    intercept: float
    threshold: float
    null_margin: float

    @classmethod
    def load(cls, path: Path = CONFIDENCE) -> Confidence:
        """Read the file that `save` wrote."""
        fields = json.loads(path.read_text(encoding="utf-8"))
        return cls(fields["coefficients"], fields["intercept"], fields["threshold"], fields["null_margin"])

    def save(self, path: Path) -> None:
        """Write the coefficients as JSON.

        Raises:
            BadInput: if `path` cannot be written.
        """
        fields = {
            "coefficients": dict(self.coefficients),
            "intercept": self.intercept,
            "threshold": self.threshold,
            "null_margin": self.null_margin,
        }
        write(path, json.dumps(fields, indent=2) + "\n")

    def probability(self, features: Mapping[str, float]) -> float:
        """The probability, 0 to 1, that the best candidate is right."""
        logit = self.intercept + sum(weight * features[name] for name, weight in self.coefficients.items())
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


def features(groups: Sequence[Sequence[Candidate]]) -> dict[str, float]:
    """What is known about the best group of candidates, by the names in `FEATURES`.

    margin: the reader's span over its null score, in logits, of the best candidate.
    gap: the best candidate's score less that of the best of another group; 10 where there is none.
    retrieval: the retriever's score of the best candidate's passage.
    sources: how many documents hold the same answer, less one, near copies not counted.
    lexical_first, dense_first: 1 if that ranking put the passage first.
    """
    best = groups[0][0]
    return {
        "margin": best.margin,
        "gap": min(10.0, best.score - groups[1][0].score) if len(groups) > 1 else 10.0,
        "retrieval": best.hit.score,
        "sources": min(3.0, originals(groups[0]).count(None) - 1.0),
        "lexical_first": float(best.hit.lexical_rank == 1),
        "dense_first": float(best.hit.dense_rank == 1),
    }

"""Fits the confidence to questions whose answers are known: `python -m qa.calibrate QUESTIONS...`.

Each file of SQuAD-shaped questions becomes a corpus of its contexts, of which a share is left out: questions on those,
questions of the other files and the files' own unanswerable ones are what the documents do not answer. A probability
holds for a certain mixture of questions, so the mixture is stated: `--answerable` says which share of what people ask
the documents answer, and questions of the other kind are left out at random until it does.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index import BadInput, Progress, QAError
from index.progress import Parser, progress_bar, tell, tell_error, visible, write
from qa.confidence import CONFIDENCE, FEATURES, Confidence
from qa.evaluate import corpus_for, need_matplotlib
from qa.metrics import auroc, ece, f1
from qa.outcomes import Outcome, ask_all
from qa.pipeline import PASSAGES, Pipeline, reader_files
from qa.questions import Conversation, read_questions

THRESHOLD = 0.4
ANSWERABLE = 2 / 3
LEFT_OUT = 0.25
FOREIGN = 0.1
FOLDS = 5


@dataclass(frozen=True)
class Record:
    """One question as the fit sees it; `alone` is the reader's margin and F1 on its gold passage, if it has one."""

    features: dict[str, float]
    right: bool
    answerable: bool
    alone: tuple[float, float] | None


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 done, 2 bad input, 130 stopped."""
    options = _parser().parse_args(arguments)
    try:
        if options.plots:
            need_matplotlib("--plots")
        files = [read_questions(path) for path in options.questions]
        if any(q.context is None for turns in sum(files, []) for q in turns):
            raise BadInput("calibration needs SQuAD-shaped questions; some have no context")
        out = options.out or reader_files(options.reader)[0].parent / CONFIDENCE.name
        for path in filter(None, (out, options.records)):
            if not path.parent.is_dir():  # said now, not after all questions were asked
                raise BadInput(f"{path} cannot be written: there is no folder {path.parent}")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        with progress_bar() as progress:
            records = collect(files, k=options.k, reader=options.reader, seed=options.seed, progress=progress)
        if options.records:  # first, as they took the longest
            write(options.records, json.dumps([vars(r) for r in records]))
        asked = balanced(records, options.answerable, seed=options.seed)
        sure = cross_validated(asked, options.features, seed=options.seed)
        replace(fit(asked, options.features), null_margin=best_null_margin(records)).save(out)
        if options.plots:
            draw(asked, sure, options.plots)
    except QAError as error:
        tell_error("qa.calibrate", error)
        return 2
    except KeyboardInterrupt:
        return 130
    tell("\n".join(f"{name:<32}{value:>10.3f}" for name, value in figures_of(asked, sure).items()))
    tell(f"wrote {visible(out)}")
    return 0


def collect(
    files: Sequence[list[Conversation]],
    *,
    k: int = PASSAGES,
    reader: Path | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> list[Record]:
    """Ask every question of every file, some of them of a corpus that does not answer them."""
    rng = random.Random(seed)
    records: list[Record] = []
    for number, own in enumerate(files):
        contexts = sorted({q.context or "" for turns in own for q in turns})
        left_out = set(rng.sample(contexts, int(LEFT_OUT * len(contexts))))
        kept = [t for t in own if t[0].context not in left_out]
        foreign = [t for i, other in enumerate(files) if i != number for t in other]
        strangers = [t for t in own if t[0].context in left_out]
        strangers += rng.sample(foreign, min(len(foreign), int(FOREIGN * len(own))))
        with corpus_for(kept, None) as (asked, corpus, scratch):
            pipeline = Pipeline.open(corpus, index=scratch, reader=reader, threshold=0.0, progress=progress)
            unanswered = [tuple(replace(q, answers=(), starts=(), context=None) for q in t) for t in strangers]
            outcomes = ask_all([*asked, *unanswered], pipeline, k=k, progress=progress)
        records += [_record(o) for o in outcomes if o.examination.best is not None]
    return records


def balanced(records: Sequence[Record], answerable: float, *, seed: int = 1) -> list[Record]:
    """As many of the records, at random, as hold a share of `answerable` (0 to 1) answerable ones.

    Raises:
        BadInput: if the share is no share, or cannot be had from these records.
    """
    if not 0 < answerable < 1:
        raise BadInput(f"--answerable is {answerable}: it must lie between 0 and 1")
    kinds = [[r for r in records if r.answerable is kind] for kind in (True, False)]
    if not all(kinds):
        raise BadInput("a fit needs questions that the documents answer and questions that they do not")
    total = min(len(kinds[0]) / answerable, len(kinds[1]) / (1 - answerable))
    rng = random.Random(seed)
    return [
        r
        for kind, share in zip(kinds, (answerable, 1 - answerable), strict=True)
        for r in rng.sample(kind, round(total * share))
    ]


def fit(records: Sequence[Record], names: Sequence[str] = FEATURES) -> Confidence:
    """Logistic regression of "the best span is right" on the named features, and the best null margin.

    Raises:
        BadInput: if all of the questions, or none, are answered right.
    """
    from sklearn.linear_model import LogisticRegression

    right = np.array([r.right for r in records])
    if right.all() or not right.any():
        raise BadInput(f"{right.sum()} of {len(right)} best spans are right: a fit needs both kinds")
    model = LogisticRegression(C=10.0, max_iter=1000).fit(_matrix(records, names), right)
    coefficients = {name: round(float(c), 4) for name, c in zip(names, model.coef_[0], strict=True)}
    return Confidence(coefficients, round(float(model.intercept_[0]), 4), THRESHOLD, best_null_margin(records))


def cross_validated(
    records: Sequence[Record], names: Sequence[str] = FEATURES, *, seed: int = 1
) -> NDArray[np.float64]:
    """For each record the probability, 0 to 1, that a confidence fitted on the other folds gives it."""
    order = list(range(len(records)))
    random.Random(seed).shuffle(order)
    sure: NDArray[np.float64] = np.zeros(len(records))
    for fold in range(FOLDS):
        held = order[fold::FOLDS]
        inside = set(held)
        confidence = fit([records[i] for i in order if i not in inside], names)
        for i in held:
            sure[i] = confidence.probability(records[i].features)
    return sure


def figures_of(records: Sequence[Record], sure: NDArray[np.float64]) -> dict[str, float]:
    """What the probabilities `sure` of the records are worth; shares lie between 0 and 1."""
    right = np.array([r.right for r in records])
    answerable = np.array([r.answerable for r in records])
    given = sure >= THRESHOLD
    return {
        "questions": float(len(records)),
        "AUROC, the answer is right": auroc(sure.tolist(), right.tolist()),
        "ECE": ece(sure.tolist(), right.astype(float).tolist()),
        "AUROC, the corpus answers": auroc(sure.tolist(), answerable.tolist()),
        "answered": float(given.mean()),
        "right of the answers given": float(right[given].mean()) if given.any() else 0.0,
        "abstention precision": float((~answerable[~given]).mean()) if (~given).any() else 0.0,
        "abstention recall": float((~given[~answerable]).mean()) if (~answerable).any() else 0.0,
    }


def draw(records: Sequence[Record], sure: NDArray[np.float64], folder: Path) -> None:
    """Draw reliability.svg and risk.svg, risk against coverage, into `folder`."""
    from qa import plots

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--plots {folder}: {error.strerror}") from error
    right = [r.right for r in records]
    drawn = {
        "reliability": plots.reliability(sure.tolist(), right),
        "risk": plots.risk_curve(sure.tolist(), right, threshold=THRESHOLD),
    }
    for name, svg in drawn.items():
        write(folder / f"{name}.svg", plots.standalone(svg))


def _matrix(records: Sequence[Record], names: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[r.features[name] for name in names] for r in records])


def best_null_margin(records: Sequence[Record]) -> float:
    """The reader's margin below which saying nothing gives the best F1 on gold passages; 0 where all have an answer."""
    alone = [(*r.alone, r.answerable) for r in records if r.alone is not None]
    if all(answerable for _, _, answerable in alone):
        return 0.0
    margins, scores, answerable = (np.array(column) for column in zip(*alone, strict=True))
    grid = np.arange(-10, 10.25, 0.25)
    totals = [np.where(margins < t, ~answerable, np.where(answerable, scores, 0.0)).mean() for t in grid]
    return float(grid[int(np.argmax(totals))])


def _record(outcome: Outcome) -> Record:
    question, alone = outcome.question, None
    if question.context is not None and outcome.gold_margin is not None:
        alone = (outcome.gold_margin, f1(outcome.gold_text, question.answers))
    return Record(outcome.examination.features, outcome.right, outcome.answerable, alone)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m qa.calibrate", description="Fit the confidence to questions whose answers are known."
    )
    parser.add_argument("questions", type=Path, nargs="+", help="SQuAD-shaped files")
    parser.add_argument(
        "--reader", type=Path, metavar="DIR", help="a folder that qa.train wrote (default: the packaged one)"
    )
    parser.add_argument("--out", type=Path, help=f"default: {CONFIDENCE.name} beside the weights")
    parser.add_argument("--k", type=int, default=PASSAGES, help="how many passages are read at most")
    parser.add_argument("--features", nargs="+", choices=FEATURES, default=list(FEATURES), metavar="NAME")
    parser.add_argument(
        "--answerable",
        type=float,
        default=ANSWERABLE,
        help="share that the documents answer (default: 2/3)",
    )
    parser.add_argument("--records", type=Path, metavar="FILE", help="write the features of every question there")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw reliability and risk against coverage there")
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())

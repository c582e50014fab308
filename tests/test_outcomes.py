"""The figures, on outcomes small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from index import Anchor, Document, Hit, IndexedPassage, SyncReport
from index.documents import Block
from qa import Answer, Citation, Excerpt
from qa.candidates import Candidate
from qa.outcomes import Outcome, ask_all, figures_of, holds
from qa.pipeline import Examination, Pipeline
from qa.questions import Question

TEXT = "Ilse Brandt found cracks on Monday."
DOCUMENT = Document("dam.txt", "0" * 64, "Dam", None, TEXT, (Block(0, len(TEXT), "paragraph"),))
HIT = Hit(IndexedPassage(1, DOCUMENT, 0, 0, len(TEXT), ""), 0.9, 1, 1)
SYNCED = SyncReport((), (), (), (), (), 1, 7, 7, 0.5)


def outcome(
    best: str,
    sure: float,
    answers: tuple[str, ...],
    *,
    given: bool = True,
    rank: int | None = 1,
    alone: float | None = None,
) -> Outcome:
    start = TEXT.index(best)
    span = (start, start + len(best))
    citation = Citation(
        1, "dam.txt", "Dam", None, *span, best, 0, len(TEXT), TEXT, Excerpt(0, len(TEXT), TEXT),
        Anchor(1, None, None, 1), DOCUMENT.sha256, "no-such-folder",
    )  # fmt: skip
    candidate = Candidate(DOCUMENT, DOCUMENT.blocks[0], *span, 1.0, HIT)
    question = Question("Who?", answers, "dam.txt")
    answer = Answer("Who?", best if given else None, TEXT if given else None, sure, (citation,) if given else ())
    examination = Examination(answer, "Who?", (HIT,), (), {}, candidate)
    return Outcome(question, examination, rank, best, alone, 0.1)


GOLD = ("Ilse Brandt",)
FOUR = [
    outcome("Ilse Brandt", 0.9, GOLD),
    outcome("Brandt", 0.7, GOLD, rank=2),
    outcome("Monday", 0.2, GOLD, given=False, rank=None),
    outcome("cracks", 0.6, ()),
]


def test_the_figures_are_those_counted_by_hand() -> None:
    figures = figures_of(FOUR, SYNCED, null_margin=0.0)
    assert figures["questions"] == 4 and figures["passages"] == 7
    assert figures["retrieval"] == pytest.approx(
        {"recall@1": 1 / 3, "recall@5": 2 / 3, "recall@10": 2 / 3, "mrr@10": 0.5}
    )
    assert figures["answers"] == pytest.approx(
        {"em": 1 / 3, "f1": (1 + 2 / 3) / 3, "sentence_hit": 2 / 3, "answered": 2 / 3}
    )
    assert figures["no_answer"] == pytest.approx({"precision": 0.0, "recall": 0.0, "f1": 0.0, "auroc": 2 / 3})
    assert figures["citations"] == {"verified": 0.0, "supported": pytest.approx(2 / 3)}
    assert figures["calibration"]["ece"] == pytest.approx((0.1 + 0.3 + 0.2 + 0.6) / 4)
    assert figures["latency_ms"] == pytest.approx({"p50": 100.0, "p95": 100.0})
    assert figures["index"]["passages_per_second"] == 14.0


def test_what_does_not_apply_is_left_out() -> None:
    figures = figures_of(FOUR[:3], replace(SYNCED, embedded=0), null_margin=0.0)
    assert not {"no_answer", "reader", "index"} & figures.keys()
    only_silent = figures_of([outcome("cracks", 0.6, (), given=False)], SYNCED, null_margin=0.0)
    assert not {"retrieval", "answers", "citations"} & only_silent.keys()
    assert only_silent["no_answer"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_the_reader_is_scored_as_squad_2_when_some_have_no_answer() -> None:
    answered, silent = outcome("Ilse Brandt", 0.9, GOLD, alone=2.0), outcome("cracks", 0.1, (), alone=-2.0)
    assert figures_of([answered, silent], SYNCED, null_margin=0.0)["reader"] == {"em": 1.0, "f1": 1.0}
    assert figures_of([answered, silent], SYNCED, null_margin=5.0)["reader"] == {"em": 0.5, "f1": 0.5}
    assert figures_of([answered], SYNCED, null_margin=5.0)["reader"] == {"em": 1.0, "f1": 1.0}, "all have an answer"


def test_a_gold_passage_is_of_the_right_document_and_holds_an_answer() -> None:
    assert holds(HIT, Question("?", GOLD, "dam.txt")) and holds(HIT, Question("?", GOLD))
    assert not holds(HIT, Question("?", GOLD, "other.txt")) and not holds(HIT, Question("?", ("Jon",), "dam.txt"))
    assert Path(HIT.passage.document.path).name == "dam.txt"


def test_without_history_every_turn_is_asked_by_itself(seeds: Pipeline) -> None:
    turns = (Question("Which airports did Lukashenko say had been seized?", ("Almaty",)), Question("Who said so?", ()))
    with_it = ask_all([turns], seeds)
    without = ask_all([turns], seeds, history=False)
    assert with_it[1].examination.question != "Who said so?" and "airports" in with_it[1].examination.question
    assert without[1].examination.question == "Who said so?"

"""Feedback is kept as questions that the evaluation reads."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from test_answer import TEXT, answer, cite

from qa import Answer, BadQuery, feedback_file, keep_feedback
from qa.feedback import LONGEST_REMARK
from qa.questions import read_questions


@pytest.fixture
def found(tmp_path: Path) -> Answer:
    (tmp_path / "dam news.txt").write_text(TEXT)
    return answer(cite(tmp_path, "Ilse Brandt"))


def test_what_was_right_becomes_a_test_question_and_what_was_wrong_waits(tmp_path: Path, found: Answer) -> None:
    file = tmp_path / "new" / "feedback.jsonl"
    none = Answer("And why?", None, None, 0.1, (), understood_as="Why did Ilse Brandt?")
    keep_feedback(file, found, right=True, remark=" good\nindeed ")
    keep_feedback(file, none, right=True)
    keep_feedback(file, found, right=False, remark="it was <Bob> \ud800")
    kept = [(q[0].question, q[0].answers, q[0].document) for q in read_questions(file)]
    assert kept == [(found.question, ("Ilse Brandt",), "dam news.txt"), ("Why did Ilse Brandt?", (), None)]
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert lines[0]["remark"] == "good\nindeed"
    assert (lines[2]["answers"], lines[2]["given"], lines[2]["thumb"]) == (None, "Ilse Brandt", "down")


def test_a_remark_without_end_is_refused(tmp_path: Path, found: Answer) -> None:
    with pytest.raises(BadQuery, match="2,001 characters"):
        keep_feedback(tmp_path / "f.jsonl", found, right=True, remark="x" * (LONGEST_REMARK + 1))
    assert not (tmp_path / "f.jsonl").exists()


def test_many_people_at_once_leave_whole_lines(tmp_path: Path, found: Answer) -> None:
    file = tmp_path / "feedback.jsonl"
    threads = [
        threading.Thread(target=lambda: [keep_feedback(file, found, right=True, remark="x" * 500) for _ in range(20)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_questions(file)) == 160


def test_each_corpus_has_a_file_of_its_own_outside_of_it(tmp_path: Path) -> None:
    assert feedback_file(tmp_path / "a") != feedback_file(tmp_path / "b")
    assert tmp_path not in feedback_file(tmp_path / "a").parents

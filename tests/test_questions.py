from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from index import BadQuestions
from qa.questions import read_questions


def write(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_plain_questions_and_conversations_are_read(tmp_path: Path) -> None:
    turns = {"turns": [{"question": "Who?", "answers": ["Ann"]}, {"question": "Why?", "answers": []}]}
    found = read_questions(
        write(tmp_path / "q.jsonl", {"question": "What?", "answers": ["x"], "document": "a.txt"}, turns)
    )
    assert [len(c) for c in found] == [1, 2]
    assert (found[0][0].question, found[0][0].answers, found[0][0].document) == ("What?", ("x",), "a.txt")
    assert found[1][1].answers == ()


def test_a_question_whose_right_answers_are_not_known_is_skipped(tmp_path: Path) -> None:
    file = write(tmp_path / "q.jsonl", {"question": "Who?", "answers": None}, {"question": "Why?", "answers": []})
    assert [turns[0].question for turns in read_questions(file)] == ["Why?"]


def test_squad_json_is_read_with_its_unanswerable_questions(tmp_path: Path) -> None:
    qas = [
        {
            "id": "1",
            "question": "Who built it?",
            "answers": [{"text": "Ann", "answer_start": 12}],
            "is_impossible": False,
        },
        {"id": "2", "question": "Who broke it?", "answers": [], "plausible_answers": [], "is_impossible": True},
    ]
    article = {"title": "The_Dam", "paragraphs": [{"context": "It was built Ann", "qas": qas}]}
    article["paragraphs"][0]["context"] = "Built there Ann did."
    found = read_questions(write(tmp_path / "squad.json", {"version": "v2.0", "data": [article]}))
    first, second = found[0][0], found[1][0]
    assert (first.title, first.answers, first.starts) == ("The Dam", ("Ann",), (12,))
    assert second.answers == () and second.context == "Built there Ann did."


def test_gzipped_squad_lines_are_read(tmp_path: Path) -> None:
    line = {"title": "T", "context": "Ann did it.", "question": "Who?", "answers": [{"text": "Ann", "start": 0}]}
    path = tmp_path / "lines.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(line).encode()))
    assert read_questions(path)[0][0].context == "Ann did it."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no question"),
        (b'{"question": "Who?", "answers": null}', "no question with known answers"),
        (b"not json", "line 1"),
        (b'{"question": "Who?", "answers": ["x"]}\n{"question": "Why?"}', "line 2: there is no 'answers'"),
        (b'{"question": "Who?", "answers": "Ann"}', "list of strings"),
        (b'{"question": "  ", "answers": []}', "a text was expected"),
        (b'{"turns": []}', "without turns"),
        (b'{"context": "Ann did.", "question": "Who?", "answers": [{"text": "Bob", "start": 0}]}', "does not stand"),
        (b'{"data": [{"paragraphs": 3}]}', "no SQuAD JSON"),
        (b"\xff\xfe\x00bad", "cannot be read"),
        (b"\x1f\x8bbroken", "cannot be read"),
        (b"[1, 2]", "line 1"),
    ],
)
def test_a_bad_file_is_refused_with_place_and_shape(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadQuestions, match=said):
        read_questions(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadQuestions, match="cannot be read"):
        read_questions(tmp_path / "none.jsonl")

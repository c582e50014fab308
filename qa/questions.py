"""Reads files of test or training questions, in the shapes that people have them in."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index import BadQuestions

SHAPES = (
    'one JSON object a line: {"question": …, "answers": […]}, {"turns": [{"question": …, "answers": […]}, …]} or '
    '{"title": …, "context": …, "question": …, "answers": [{"text": …, "start": …}]}, or one SQuAD JSON file'
)


@dataclass(frozen=True)
class Question:
    """A question with its right answers; none means that the documents do not answer it.

    `document` is the file name that holds the answer, where the file of questions says so. `context`, `title` and
    `starts` (where each answer begins in the context) are set for SQuAD-shaped questions only.
    """

    question: str
    answers: tuple[str, ...]
    document: str | None = None
    title: str = ""
    context: str | None = None
    starts: tuple[int, ...] = ()


Conversation = tuple[Question, ...]


def read_questions(path: Path) -> list[Conversation]:
    """Read a file of questions (JSONL or SQuAD 1.1/2.0 JSON, gzipped or not); a lone question is one turn.

    A line whose `answers` is null is skipped: its right answers are not known yet (`qa.feedback` writes such lines).

    Raises:
        BadQuestions: if the file cannot be read, or a line has none of the known shapes; names the line.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise BadQuestions(f"{path}: cannot be read as questions ({error}); wanted is {SHAPES}") from error
    found = list(_squad(text, path)) if _is_squad(text) else list(_lines(text, path))
    if not found:
        raise BadQuestions(f"{path}: holds no question with known answers; wanted is {SHAPES}")
    return found


def _is_squad(text: str) -> bool:
    head = text.lstrip()[:2000]
    return head.startswith("{") and '"data"' in head and '"question"' not in head.split('"data"')[0]


def _squad(text: str, path: Path) -> Iterator[Conversation]:
    try:
        for article in json.loads(text)["data"]:
            for paragraph in article["paragraphs"]:
                for entry in paragraph["qas"]:
                    gold = [] if entry.get("is_impossible") else entry["answers"]
                    answers = [{"text": a["text"], "start": a["answer_start"]} for a in gold]
                    yield (
                        _with_context({**entry, **paragraph, "title": article.get("title", ""), "answers": answers}),
                    )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise BadQuestions(f"{path}: is no SQuAD JSON file ({_why(error)}); wanted is {SHAPES}") from error


def _lines(text: str, path: Path) -> Iterator[Conversation]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                entry = json.loads(line)
                if "answers" not in entry or entry["answers"] is not None:
                    yield _conversation(entry)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
                raise BadQuestions(f"{path}, line {number}: {_why(error)}; wanted is {SHAPES}") from error


def _conversation(entry: dict[str, Any]) -> Conversation:
    if "turns" in entry:
        if not entry["turns"]:
            raise ValueError("a conversation without turns")
        return tuple(_plain(turn, entry.get("document")) for turn in entry["turns"])
    return (_with_context(entry) if "context" in entry else _plain(entry, None),)


def _plain(entry: dict[str, Any], document: str | None) -> Question:
    answers = entry["answers"]
    if not isinstance(answers, list) or not all(isinstance(a, str) for a in answers):
        raise ValueError(f"answers must be a list of strings, got {answers!r}")
    return Question(_text(entry["question"]), tuple(answers), entry.get("document", document))


def _with_context(entry: dict[str, Any]) -> Question:
    context = _text(entry["context"])
    answers = tuple(_text(a["text"]) for a in entry["answers"])
    starts = tuple(int(a["start"]) for a in entry["answers"])
    for text, start in zip(answers, starts, strict=True):
        if context[start : start + len(text)] != text:
            raise ValueError(f"the answer {text!r} does not stand at character {start} of its context")
    title = str(entry.get("title", "")).replace("_", " ")
    return Question(_text(entry["question"]), answers, None, title, context, starts)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"a text was expected, got {value!r}")
    return value


def _why(error: Exception) -> str:
    return f"there is no {error}" if isinstance(error, KeyError) else str(error)

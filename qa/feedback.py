"""What people think of answers, kept as test questions: one JSON object a line, which `qa.evaluate` reads.

A thumb up says that the answer given (or that there is none) is right: it becomes the line's `answers`. A thumb down
says only that it is wrong: `answers` is null, which `qa.questions` skips, until somebody writes the right ones there.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

from index import BadQuery, index_folder
from qa.answer import Answer

LONGEST_REMARK = 2000


def feedback_file(corpus: Path) -> Path:
    """Where the feedback on the answers from a corpus lies unless said otherwise: in the user's data folder."""
    return platformdirs.user_data_path("extractive-qa") / index_folder(corpus).name / "feedback.jsonl"


def keep_feedback(file: Path, answer: Answer, *, right: bool, remark: str = "") -> None:
    """Append one line about `answer` to `file`, in one write, so that lines of several threads never mix.

    Raises:
        BadQuery: if the remark is too long.
    """
    remark = remark.strip()
    if len(remark) > LONGEST_REMARK:
        raise BadQuery(f"the remark has {len(remark):,} characters: at most {LONGEST_REMARK:,} are kept")
    line = json.dumps(_line(answer, right, remark), ensure_ascii=False) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(opened, line.encode("utf-8", "replace"))
    finally:
        os.close(opened)


def _line(answer: Answer, right: bool, remark: str) -> dict[str, Any]:
    sources = sorted({c.document for c in answer.citations})
    return {
        # The completed question: it has to stand on its own where the conversation is gone.
        "question": answer.understood_as or answer.question,
        "answers": list(dict.fromkeys(c.text for c in answer.citations)) if right else None,
        "document": sources[0] if len(sources) == 1 else None,
        "thumb": "up" if right else "down",
        "given": answer.text,
        "confidence": answer.confidence,
        "remark": remark,
        "asked_as": answer.question,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }

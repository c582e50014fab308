"""Many people at once, and many questions one after the other: `pytest -m soak tests/test_load.py -s`."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest
from app_process import free_port, running
from gradio_client import Client
from gradio_client.utils import QueueError
from test_app_fakes import GRADIO_WARNINGS

from qa import Pipeline
from qa.questions import read_questions
from tests.conftest import ROOT

pytestmark = GRADIO_WARNINGS

PEOPLE = 50
SECONDS = 300
THINKING = (2.0, 8.0)
"""How many seconds a person reads an answer before the next question."""
SOAKED = 10_000
GROWTH = 20.0
"""MB by which memory may grow: by 2 KB a question alone, by 10 KB with people on the server. What the models take for a
shape of their input they take within the first minute, or the first 1,000 questions."""


@dataclass
class Seen:
    """What came back to all people, and how long each answer took."""

    seconds: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def resources(process: int | str) -> tuple[float, int, int]:
    """Resident memory in MB, open files and threads of a process."""
    folder = Path("/proc") / str(process)
    fields = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024, len(os.listdir(folder / "fd")), int(fields["Threads"])


def grown(found: Sequence[tuple[float, int, int]]) -> set[str]:
    """What the readings of a process say that it has not given back since the second of them."""
    (memory, files, threads), (memory_now, files_now, threads_now) = found[1], found[-1]
    more = {"memory": memory_now - memory > GROWTH, "files": files_now > files, "threads": threads_now > threads}
    return {name for name, is_more in more.items() if is_more}


def person(address: str, expected: dict[str, str | None], seen: Seen, seed: int, end: float) -> None:
    rng, one = random.Random(seed), Client(address, verbose=False, analytics_enabled=False)
    while time.monotonic() < end:
        question, asked = rng.choice(sorted(expected)), time.monotonic()
        try:
            answer = one.predict(question, api_name="/ask")
            same = answer["question"] == question and answer["text"] == expected[question]
            outcome = "answered" if same else "wrong"
        except QueueError:
            outcome = "busy"
        except Exception as error:  # noqa: BLE001 - whatever else comes back is counted
            outcome = repr(error)
        with seen.lock:
            seen.outcomes[outcome] += 1
            if outcome == "answered":
                seen.seconds.append(time.monotonic() - asked)
        time.sleep(rng.uniform(*THINKING))


@pytest.mark.soak
def test_fifty_people_at_once_get_their_own_answers_or_are_told_that_it_is_busy(tmp_path: Path) -> None:
    corpus = ROOT / "tests" / "corpus"
    alone = Pipeline.open(corpus, index=tmp_path / "alone")
    questions = [turns[0].question for turns in read_questions(ROOT / "tests" / "news.jsonl") if len(turns) == 1]
    expected = {q: alone.ask(q).text for q in questions}
    seen = Seen()
    with running(corpus, tmp_path, free_port()) as server:
        Client(server.address, verbose=False, analytics_enabled=False).predict(questions[0], api_name="/ask")
        end = time.monotonic() + SECONDS
        people = [
            threading.Thread(target=person, args=(server.address, expected, seen, seed, end)) for seed in range(PEOPLE)
        ]
        for one in people:
            one.start()
        over_time = watched(lambda: any(one.is_alive() for one in people), server.process.pid)
        for one in people:
            one.join(120)
        assert not any(one.is_alive() for one in people), "a question was never answered"
    p50, p95, p99 = np.percentile(seen.seconds, [50, 95, 99])
    print(f"\n{dict(seen.outcomes)} in {SECONDS} s: {len(seen.seconds) / SECONDS:.1f} answers/s")
    print(f"seconds p50 {p50:.2f}, p95 {p95:.2f}, p99 {p99:.2f}; memory (MB), files, threads: {over_time}")
    assert set(seen.outcomes) <= {"answered", "busy"} and seen.outcomes["answered"] > PEOPLE
    assert grown(over_time) <= {"threads"}, "memory after the first minute stays, open files are those of connections"


def watched(going_on: Callable[[], bool], process: int) -> list[tuple[float, int, int]]:
    """The resources of a process once a minute."""
    found, begun = [resources(process)], time.monotonic()
    while going_on():
        time.sleep(1)
        if going_on() and time.monotonic() - begun >= 60 * len(found):
            found.append(resources(process))
    return [*found, resources(process)]


@pytest.mark.soak
def test_ten_thousand_questions_leave_nothing_behind(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"  # each paragraph an article of its own: short to read, so that 10,000 take minutes
    corpus.mkdir()
    for article in sorted((ROOT / "tests" / "corpus").iterdir()):
        title, *lines = article.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(line for line in lines if len(line) > 60):
            (corpus / f"{article.stem}-{number:02}.txt").write_text(f"{title}\n\n{line}\n", encoding="utf-8")
    pipeline = Pipeline.open(corpus, index=tmp_path / "index")
    questions = [q.question for turns in read_questions(ROOT / "tests" / "news.jsonl") for q in turns]
    first = {q: json.dumps(pipeline.ask(q).to_dict()) for q in questions}
    found, begun = [resources("self")], time.monotonic()
    cited = 0
    for number in range(SOAKED):
        question = questions[number % len(questions)]
        answer = pipeline.ask(question)
        assert json.dumps(answer.to_dict()) == first[question]
        assert all(citation.verify() for citation in answer.citations)
        cited += len(answer.citations)
        if (number + 1) % 1000 == 0:
            found.append(resources("self"))
    print(f"\n{SOAKED} questions in {time.monotonic() - begun:.0f} s, {cited} citations verified")
    print(f"memory (MB), files, threads at the start and after each 1,000 questions: {found}")
    assert cited > SOAKED / 2
    assert not grown(found)


def test_what_a_process_keeps_is_seen() -> None:
    obeying = "import mmap, sys, threading\nfor line in sys.stdin: exec(line); print(flush=True)"
    # A process of its own, for in this one the threads and files of other tests may end at any time.
    with subprocess.Popen([sys.executable, "-c", obeying], stdin=PIPE, stdout=PIPE, text=True) as process:
        asked, answered = process.stdin, process.stdout
        assert asked and answered

        def after(line: str) -> tuple[float, int, int]:
            print(line, file=asked, flush=True)
            answered.readline()
            return resources(process.pid)

        found = [after("pass"), after("pass")]
        assert not grown([*found, after("pass")])
        # Not from the heap, where there may be room that was given back.
        assert grown([*found, after("kept = mmap.mmap(-1, 64 << 20); kept.write(bytes(64 << 20))")]) == {"memory"}
        after("file = open(sys.executable)")
        after("done = threading.Event(); thread = threading.Thread(target=done.wait, daemon=True)")
        assert grown([*found, after("thread.start()")]) == {"memory", "files", "threads"}
        assert not grown([*found, after("done.set(); thread.join(); file.close(); kept.close()")])

"""`kill -9` of `python -m app` while it brings its index up to date, at its start or by its button."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from app_process import free_port
from gradio_client import Client
from test_app_fakes import GRADIO_WARNINGS
from test_crash_real import lines, vectors

from index import Index
from tests.conftest import ROOT

pytestmark = GRADIO_WARNINGS
DOCUMENTS = 40

# Commits often, embeds slowly, and writes down the hash of every text that it embeds; then becomes `python -m app`.
_LOGGED = """
import hashlib, runpy, sys, time
import index.sync
from index.light import LightEmbedder
log, real, index.sync.COMMIT_PASSAGES = sys.argv.pop(1), LightEmbedder.embed, 4
def embed(self, texts, progress=None):
    with open(log, "a") as file:
        file.writelines(hashlib.sha256(text.encode()).hexdigest() + "\\n" for text in texts)
    time.sleep(0.1)
    return real(self, texts, progress)
LightEmbedder.embed = embed
sys.argv[0] = "app"
runpy.run_module("app", run_name="__main__")
"""


@contextmanager
def app(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server over `folder`/corpus and its address; killed in the end, if it still runs."""
    port = free_port()
    arguments = ["--corpus", folder / "corpus", "--index", folder / "index", "--encoder", "light", "--port", port]
    command = [sys.executable, "-c", _LOGGED, folder / "log", *arguments, "--feedback", folder / "kept.jsonl"]
    with (folder / "errors.txt").open("a") as errors, subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        try:
            yield process, f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


def answers(process: subprocess.Popen[str], folder: Path) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Ask at "), (folder / "errors.txt").read_text(encoding="utf-8")


def write(corpus: Path, edition: int) -> None:
    for number in range(DOCUMENTS):
        body = f"The price of grain at mill {number} rose by {number + edition} pence, said miller {edition}."
        (corpus / f"{edition}-{number:02}.txt").write_text(f"Mill {number} in edition {edition}\n\n{body}\n")


def press_the_button(address: str) -> None:
    config = httpx.get(f"{address}config").json()
    button = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "sync")
    event = next(d["id"] for d in config["dependencies"] if [button, "click"] in d["targets"])
    asked = {"data": [None], "fn_index": event, "session_hash": "somebody"}
    httpx.post(f"{address}gradio_api/queue/join", json=asked).raise_for_status()


def killed_at_random(folder: Path, rng: random.Random, process: subprocess.Popen[str]) -> None:
    """Kill the server within the embedding."""
    log = folder / "log"
    grown = len(lines(log)) + rng.randrange(8, DOCUMENTS - 4)
    end = time.monotonic() + 120
    while len(lines(log)) < grown and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(rng.uniform(0, 0.1))
    assert process.poll() is None, (folder / "errors.txt").read_text(encoding="utf-8")
    process.kill()
    process.wait()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_a_server_killed_while_it_syncs_recovers_and_answers(tmp_path: Path, kills: int) -> None:
    corpus, place, log, rng = tmp_path / "corpus", tmp_path / "index", tmp_path / "log", random.Random(kills)
    corpus.mkdir()
    part = 0
    for kill in range(kills):
        before, logged = vectors(place), len(lines(log))
        with app(tmp_path) as (process, address):
            if kill % 2:  # by the button, of a server that answers
                answers(process, tmp_path)
                before, logged = vectors(place), len(lines(log))
                write(corpus, kill)
                press_the_button(address)
            else:
                write(corpus, kill)
            killed_at_random(tmp_path, rng, process)
        now, embedded = vectors(place), lines(log)[logged:]
        assert {key: now.get(key) for key in before} == before, "what was committed is never lost or changed"
        assert not before.keys() & set(embedded), "what was committed is never embedded again"
        part += 0 < len(now) - len(before) < DOCUMENTS
    before, logged = vectors(place), len(lines(log))
    with app(tmp_path) as (process, address):
        answers(process, tmp_path)
        embedded = lines(log)[logged:]
        one = Client(address, verbose=False, analytics_enabled=False)
        listed = one.predict(api_name="/documents")
        assert [d["document"] for d in listed["documents"]] == sorted(path.name for path in corpus.iterdir())
        answer = one.predict("By how many pence did the price of grain at mill 7 rise?", api_name="/ask")
        assert answer["citations"] or answer["related"]
        for cited in answer["citations"] + answer["related"]:
            text = (corpus / cited["document"]).read_text(encoding="utf-8")
            assert text[cited["start"] : cited["end"]] == cited["text"]
    assert not before.keys() & set(embedded)
    again = Index.open(place)
    assert again.sync(corpus).embedded == 0 and len(vectors(place)) == kills * DOCUMENTS
    fresh = Index.open(tmp_path / "fresh", encoder="light")
    fresh.sync(corpus)
    for query in ("miller 1 of edition 1", "mill 33", "grain"):
        assert [(h.passage.document.path, h.score) for h in again.search(query, 10)] == [
            (h.passage.document.path, h.score) for h in fresh.search(query, 10)
        ]
    assert part, "the kills should fall within the work"
    print(f"\n{kills} kills, {part} of them with a part committed")

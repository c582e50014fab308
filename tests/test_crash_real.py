"""Kills and concurrency with the real encoder and `python -m index` itself: `pytest -m soak tests/test_crash_real.py`.

The same is done in every test run, many times faster, with an encoder that can be computed by hand: test_crash.py.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from index import Index
from tests.conftest import ROOT

pytestmark = pytest.mark.soak

DOCUMENTS, KILLS, SYNCS = 300, 30, 8

# Writes down the content hash of every text that is about to be embedded, then becomes `python -m index`.
_LOGGED = """
import hashlib, runpy, sys
from index import Embedder
log, real = sys.argv.pop(1), Embedder.embed
def embed(self, texts, progress=None):
    with open(log, "a") as file:
        file.writelines(hashlib.sha256(text.encode()).hexdigest() + "\\n" for text in texts)
    return real(self, texts, progress)
Embedder.embed = embed
sys.argv[0] = "index"
runpy.run_module("index", run_name="__main__")
"""

KEEPER, ELECTION = "Who is the keeper of the lighthouse at Stonewick?", "When will the mayoral election be repeated?"
KEEPERS = ("Maren Holt", "Ruth Okafor")


def start(corpus: Path, place: Path, log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _LOGGED, str(log), str(corpus), "--index", str(place)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def vectors(place: Path) -> dict[str, bytes]:
    """What is committed: content hash to vector."""
    if not (place / "store.sqlite").exists():
        return {}
    db = sqlite3.connect(place / "store.sqlite")
    try:
        return {content.hex(): vector for content, vector in db.execute("SELECT content, vector FROM vectors")}
    except sqlite3.OperationalError:  # killed before the tables were made
        return {}
    finally:
        db.close()


def lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def test_a_command_killed_at_random_moments_goes_on_where_it_was(tmp_path: Path) -> None:
    corpus, log, place, rng = tmp_path / "corpus", tmp_path / "log", tmp_path / "index", random.Random(7)
    corpus.mkdir()
    articles = [p.read_text(encoding="utf-8") for p in sorted((ROOT / "tests" / "corpus").iterdir())]
    paragraphs = [line for article in articles for line in article.splitlines() if len(line) > 100]
    for number in range(DOCUMENTS):  # each a new article of old paragraphs: as texts with their titles all are new
        text = "\n\n".join([f"Edition {number} of the morning paper", *rng.sample(paragraphs, 2)])
        (corpus / f"{number:03}.txt").write_text(f"{text}\n", encoding="utf-8")
    begun = time.monotonic()
    assert start(corpus, tmp_path / "fresh", tmp_path / "fresh.log").communicate()[0].startswith(f"{DOCUMENTS} doc")
    whole = time.monotonic() - begun
    assert len(lines(tmp_path / "fresh.log")) == len(vectors(tmp_path / "fresh")), "nothing is embedded twice"

    killed = finished = again = 0
    held: list[int] = []
    while killed < KILLS:
        before, logged = vectors(place), len(lines(log))
        process = start(corpus, place, log)
        try:
            out, errors = process.communicate(timeout=rng.uniform(0, whole))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
        else:
            assert process.returncode == 0, errors
            finished += 1
        now, embedded = vectors(place), lines(log)[logged:]
        assert not before.keys() & set(embedded), "what was committed is never embedded again"
        assert {key: now.get(key) for key in before} == before, "what was committed is never lost or changed"
        assert len(set(embedded)) == len(embedded)
        again += len(embedded) - len(now.keys() - before.keys())
        held.append(len(now))
        if process.returncode == 0:  # from the beginning again
            shutil.rmtree(place)
    out, errors = start(corpus, place, log).communicate()
    assert out.startswith(f"{DOCUMENTS} doc"), errors

    one, other = Index.open(place), Index.open(tmp_path / "fresh")
    assert one.documents() == other.documents() and len(one) == len(other)
    ids, found = one._store.vectors()
    other_ids, expected = other._store.vectors()
    assert ids.tolist() == other_ids.tolist()
    np.testing.assert_allclose(found, expected, atol=2e-3)  # what shares a batch changes the last bits
    for query in ("Who resigned over the dam?", "ferry strike", "price of wheat"):
        best, best_fresh = one.search(query, 10), other.search(query, 10)
        np.testing.assert_allclose([h.score for h in best], [h.score for h in best_fresh], atol=5e-3)
    assert one.sync(corpus).embedded == 0
    part = sum(0 < count < len(expected) for count in held)
    print(
        f"\n{DOCUMENTS} documents, {len(expected)} passages, {whole:.1f} s unkilled: {killed} kills, {part} of them "
        f"with a part committed, {finished} runs that were done before; nothing committed was lost or embedded again; "
        f"{again} embedded again that had not been committed"
    )


def test_two_processes_ask_while_others_sync(tmp_path: Path) -> None:
    corpus, place, stop, log = tmp_path / "corpus", tmp_path / "index", tmp_path / "stop", tmp_path / "log"
    shutil.copytree(ROOT / "tests" / "corpus", corpus)

    def appoint(keeper: str) -> None:
        text = f"Lighthouse at Stonewick\n\n{keeper} is the keeper of the lighthouse at Stonewick, the town said.\n"
        (corpus / "new").write_text(text, encoding="utf-8")
        (corpus / "new").rename(corpus / "lighthouse.txt")

    appoint(KEEPERS[0])
    assert "27 added" in start(corpus, place, log).communicate()[0]
    command = [sys.executable, "-m", "tests.asking", *map(str, (corpus, place, stop)), KEEPER, ELECTION]
    asking = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [[process.stdout.readline() for _ in range(4)] for process in asking if process.stdout is not None]

    syncs: list[tuple[float, float]] = []  # of each: when the files were changed, when it was done
    for turn in range(1, SYNCS + 1):
        changed = time.time()
        appoint(KEEPERS[turn % 2])
        for number in range(40):
            name = f"mill-{turn}-{number}.txt"
            text = f"At mill number {turn * number} the price of flour rose by {number} pence in a month."
            (corpus / name).write_text(f"Mill {turn}-{number}\n\n{text}\n", encoding="utf-8")
            (corpus / f"mill-{turn - 2}-{number}.txt").unlink(missing_ok=True)
        sync = start(corpus, place, log)
        out, errors = sync.communicate()
        assert sync.returncode == 0 and re.search("40 added, 1 changed", out), errors or out
        syncs.append((changed, time.time()))
        time.sleep(2)
    stop.touch()
    kept: dict[str, int] = {"during a sync": 0, "between syncs": 0, "stale": 0}
    for process, first in zip(asking, said, strict=True):
        rest = process.communicate()[0].splitlines()
        assert process.returncode == 0
        for line in [*first, *rest]:
            begun, ended, question, text, stale, good = json.loads(line)
            # The generations that it may have seen: the last one that was done before, and those made meanwhile.
            low = sum(done <= begun for _, done in syncs)
            high = sum(changed <= ended for changed, _ in syncs)
            if question == ELECTION:
                assert text == "Sunday, 18 May" and good and not stale
            else:
                assert text in {KEEPERS[n % 2] for n in range(low, high + 1)}, line
                assert good or stale or low < high, "a quotation that does not hold says so"
                kept["stale"] += stale
            kept["during a sync" if low < high else "between syncs"] += 1
    print(f"\n{SYNCS} syncs beside two processes: answers {kept}, all right")
    assert kept["during a sync"] and kept["between syncs"]

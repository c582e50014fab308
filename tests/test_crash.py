"""Kills and concurrency with real processes: nothing committed is lost or embedded twice, no search sees a mixture."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from index import Index
from tests.conftest import ROOT, LetterEmbedder
from tests.test_index import state

DOCUMENTS = 250


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for i in range(DOCUMENTS):
        body = (
            f"Farmers of district {i} blocked the road to mill number {i} as the price of grain had halved in a month."
        )
        (folder / f"{i:03d}.txt").write_text(f"Grain prices in district {i}\n\n{body}\n")
    return folder


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.syncing", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def committed(index: Path) -> int:
    store = index / "store.sqlite"
    if not store.exists():
        return 0
    db = sqlite3.connect(store)
    try:
        return int(db.execute("SELECT count(*) FROM vectors").fetchone()[0])
    except sqlite3.OperationalError:  # killed before the tables were made
        return 0
    finally:
        db.close()


def lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def test_a_sync_killed_at_any_moment_goes_on_where_it_was(tmp_path: Path, corpus: Path) -> None:
    place, log = tmp_path / "index", tmp_path / "log"
    rng = random.Random(7)
    kept = []
    for attempt in range(8):
        before = committed(place)
        process = start("sync", corpus, place, log)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        grown = len(lines(log)) + rng.choice([0, 1, 10, 20, 40])
        while len(lines(log)) < grown and process.poll() is None:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        kept.append(committed(place))
        assert kept[-1] >= before, f"attempt {attempt} lost what was committed"
    last = start("sync", corpus, place, log)
    assert last.communicate()[0] == "ready\n" and last.returncode == 0
    assert 0 < kept[-1] < DOCUMENTS, f"the kills should fall within the work, committed were {kept}"

    embedded = lines(log)
    twice = len(embedded) - len(set(embedded))
    assert len(set(embedded)) == DOCUMENTS
    assert twice <= 16 * 8, "at most the batch in flight is embedded again after a kill"
    index = Index(place, LetterEmbedder())
    assert index.sync(corpus).embedded == 0
    fresh = Index(tmp_path / "fresh", LetterEmbedder())
    fresh.sync(corpus)
    assert state(index) == state(fresh)


def test_two_processes_search_while_a_third_syncs(tmp_path: Path, corpus: Path) -> None:
    place = tmp_path / "index"
    Index(place, LetterEmbedder()).sync(corpus)
    before = ",".join(f"{i:03d}.txt" for i in range(DOCUMENTS))
    readers = [start("search", place, tmp_path / "stop") for _ in range(2)]
    first = [reader.stdout.readline().strip() for reader in readers if reader.stdout is not None]
    assert first == [before, before]
    for i in range(50):
        (corpus / f"{i:03d}.txt").unlink()
    text = (corpus / "200.txt").read_text()
    for i in range(60):
        (corpus / f"new{i:02d}.txt").write_text(text.replace("200", f"N{i}"))
    writer = start("sync", corpus, place, tmp_path / "log")
    assert writer.communicate()[0] == "ready\n" and writer.returncode == 0
    after = ",".join(sorted(p.name for p in corpus.iterdir()))
    (tmp_path / "stop").touch()
    for reader in readers:
        seen = reader.communicate()[0].splitlines()
        assert reader.returncode == 0
        assert set(seen) <= {before, after}, "every search sees the corpus before the sync or after it"
        assert seen[-1] == after

"""Builds on a cluster of three nodes, for real, whose processes are killed: nothing is lost, or embedded twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.cluster_build import build
from index.cluster_shard import Shard, shard_folder, shard_of
from index.errors import WrongEmbedder
from tests.cluster_building import BATCH, SHARDS, WORKERS, Logged
from tests.clusters import cluster_of, eventually
from tests.conftest import ROOT, LetterEmbedder

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own
CORPUS = ROOT / "tests" / "corpus"


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Any, list[Any]]]:
    """A head that works on nothing, and three nodes of one CPU."""
    with cluster_of(0, 1, 1, 1) as started:
        yield started


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What is to stand in the shards, made without Ray."""
    folder = tmp_path_factory.mktemp("expected")
    for number in range(SHARDS):
        shard = Shard(shard_folder(folder, number), LetterEmbedder())
        shard.sync(CORPUS, among=lambda path, n=number: shard_of(path, SHARDS) == n)
        shard.close()
    return contents(folder)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.cluster_build.BATCH", BATCH)


def contents(folder: Path) -> list[Any]:
    found = []
    for number in range(SHARDS):
        shard = Shard(shard_folder(folder, number), LetterEmbedder())
        vectors = [a.tolist() for a in shard._store.vectors()]
        found.append((shard.documents(), sorted(shard._store.contents()), vectors))
        shard.close()
    return found


def committed(folder: Path) -> set[str]:
    """The content hashes whose vectors are kept: in files that were laid down, or in shards."""
    kept = set()
    for path in folder.glob("staged/*/*/*.npz"):
        kept |= {bytes(content).hex() for content in np.load(path)["contents"]}
    for place in folder.glob("shard-*"):
        shard = Shard(place, LetterEmbedder())
        kept |= {bytes(content).hex() for content in shard.known()[1]}
        shard.close()
    return kept


def batches(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def embedded(log: Path) -> list[str]:
    return [content for batch in batches(log) for content in batch["contents"]]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_build_goes_on_where_it_was(
    cluster: tuple[Any, list[Any]], expected: list[Any], tmp_path: Path
) -> None:
    folder, before = tmp_path / "index", set[str]()
    for attempt, so_far in enumerate((3, 6)):
        log = tmp_path / f"log-{attempt}"
        command = [sys.executable, "-m", "tests.cluster_building", cluster[0].address, CORPUS, folder, log]
        with subprocess.Popen([*map(str, command)], cwd=ROOT, stderr=subprocess.DEVNULL) as process:
            eventually(lambda log=log, n=so_far: len(batches(log)) >= n or process.poll() is not None, 120, every=0.05)
            assert process.poll() is None, "it is still at work"
            process.send_signal(signal.SIGKILL)
        workers = {batch["process"] for batch in batches(log)}
        eventually(lambda workers=workers: not any(map(alive, workers)), 60)
        assert not before & set(embedded(log)), "nothing that was kept is embedded again"
        kept = committed(folder)
        assert before <= kept and len(set(embedded(log)) - kept) <= WORKERS * BATCH
        assert len(kept) > len(before), "and each goes on from there"
        before = kept
    log = tmp_path / "log"
    report = build(CORPUS, folder, embedder=partial(Logged, log), workers=WORKERS)
    assert sorted(embedded(log)) == sorted(committed(folder) - before), "what was left, each once"
    assert report.embedded == len(embedded(log)) and contents(folder) == expected


def test_another_encoder_is_refused(cluster: tuple[Any, list[Any]], tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "a.txt").write_text("The mill\n\nGrain is ground at the mill by the river.\n")
    build(corpus, tmp_path / "index", shards=1, embedder=LetterEmbedder)
    with pytest.raises(WrongEmbedder, match="made with the encoder letters, not another"):
        build(corpus, tmp_path / "index", embedder=partial(LetterEmbedder, "another"))
    assert json.loads((tmp_path / "index" / "cluster.json").read_text())["encoder"] == "letters"


def test_a_build_that_loses_two_of_three_nodes_makes_the_same_shards(
    cluster: tuple[Any, list[Any]], expected: list[Any], tmp_path: Path
) -> None:
    """The last, as it takes nodes away: one while it embeds, one while it brings the shards up to date."""
    started, nodes = cluster
    folder, log, lost = tmp_path / "index", tmp_path / "log", list[int]()

    def kill(node: Any) -> None:
        nodes.remove(node)
        started.remove_node(node, allow_graceful=False)
        lost.append(len(batches(log)))

    def kill_one_that_embeds() -> None:
        eventually(lambda: len(batches(log)) >= 3, 120, every=0.05)
        working = {batch["node"] for batch in batches(log)}
        kill(next(node for node in nodes if node.node_id in working))

    def kill_another(stage: str, done: int, total: int) -> None:
        if stage == "shards" and done == 1:
            kill(nodes[0])

    killing = threading.Thread(target=kill_one_that_embeds)
    killing.start()
    build(CORPUS, folder, shards=SHARDS, embedder=partial(Logged, log), workers=WORKERS, progress=kill_another)
    killing.join()
    assert len(lost) == 2 and len(nodes) == 1
    assert lost[0] < len(batches(log)), "the first was lost with work left"
    assert contents(folder) == expected

"""The index on a cluster of three nodes, for real: what it finds, and what it does when a node or a worker is lost."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from index import Embedder, Index
from index.bert import fastest_dtype
from index.cluster import ClusterIndex
from index.cluster_build import build
from index.cluster_serve import _SHARES, DEADLINE, deploy
from index.cluster_shard import Shard, shard_folder
from qa.questions import read_questions
from tests.clusters import cluster_of, eventually
from tests.conftest import ROOT, LetterEmbedder

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own
SHARDS = 4
CORPUS = ROOT / "tests" / "corpus"


class Dying(LetterEmbedder):
    """Kills its process once, with the work half done."""

    def __init__(self, marker: Path) -> None:
        super().__init__()
        self.marker = marker

    def embed(self, texts: Any, progress: object = None) -> np.ndarray:
        if not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(texts)


class LoadsLong(LetterEmbedder):
    """Takes longer to load than a shard has for an answer."""

    def embed(self, texts: Any, progress: object = None) -> np.ndarray:
        if not self.seen:
            time.sleep(_SHARES[0] * DEADLINE + 2)
        return super().embed(texts)


@dataclass
class Three:
    cluster: Any
    nodes: list[Any]
    folder: Path
    served: ClusterIndex
    one: Index


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    with cluster_of(2, 2, 2) as (cluster, nodes):
        scratch = tmp_path_factory.mktemp("cluster")
        one = Index(scratch / "one", LetterEmbedder())
        one.sync(CORPUS)
        folder = scratch / "shards"
        build(CORPUS, folder, shards=SHARDS, embedder=LetterEmbedder, workers=1)
        handle = deploy(folder, embedder=LetterEmbedder)
        yield Three(cluster, nodes, folder, ClusterIndex(handle, LetterEmbedder), one)


def found(hits: list[Any]) -> list[Any]:
    return [(h.passage, h.dense_rank, h.lexical_rank) for h in hits]


def contents(folder: Path) -> list[Any]:
    shards = [Shard(shard_folder(folder, number), LetterEmbedder()) for number in range(SHARDS)]
    return [(s.documents(), list(s._store.contents()), [a.tolist() for a in s._store.vectors()]) for s in shards]


def test_it_finds_what_one_machine_finds(three: Three) -> None:
    questions = [q.question for turns in read_questions(ROOT / "tests" / "news.jsonl") for q in turns]
    only = [entry.path for entry in three.one.documents()[::3]]
    for question in questions:
        hits = three.served.search(question, 10)
        assert hits.partial is None and found(hits) == found(three.one.search(question, 10)), question
    for question in questions[:20]:
        hits = three.served.search(question, 10, documents=only)
        assert found(hits) == found(three.one.search(question, 10, documents=only)), question
    assert three.served.documents() == three.one.documents() and len(three.served) == len(three.one)
    assert three.served.document(only[0]) == three.one.document(only[0])


@pytest.mark.skipif(fastest_dtype() != torch.bfloat16, reason="float32 here: vectors depend on what they are made with")
def test_with_the_packaged_encoder_it_finds_what_one_machine_finds(three: Three, tmp_path: Path) -> None:
    from ray import serve

    one = Index(tmp_path / "one", Embedder())
    one.sync(CORPUS)
    build(CORPUS, tmp_path / "shards", shards=SHARDS, embedder=Embedder, workers=1)
    handle = deploy(tmp_path / "shards", name="packaged", replicas=1, routers=1, embedder=Embedder)
    served = ClusterIndex(handle, Embedder)
    for turns in read_questions(ROOT / "tests" / "news.jsonl"):
        hits = served.search(turns[0].question, 10)
        assert hits.partial is None and found(hits) == found(one.search(turns[0].question, 10)), turns[0].question
    serve.delete("packaged")
    one.close()


def test_a_replica_that_hangs_costs_no_answer_and_a_shard_that_does_is_told(three: Three) -> None:
    from ray import serve

    question = "Who built the dam?"
    handle = serve.get_deployment_handle("shard-0001", "corpus")
    processes = sorted({handle.process.remote().result(timeout_s=10) for _ in range(40)})
    assert len(processes) == 2
    try:
        os.kill(processes[0], signal.SIGSTOP)
        for _ in range(8):
            hits = three.served.search(question, 10)
            assert hits.partial is None and found(hits) == found(three.one.search(question, 10))
        os.kill(processes[1], signal.SIGSTOP)
        started = time.monotonic()
        hits = three.served.search(question, 10)
        assert hits.missing == 1 and hits.partial == "1 of 4 parts of the documents did not answer in time"
        assert hits and time.monotonic() - started < 12
    finally:
        for process in processes:
            with suppress(ProcessLookupError):  # Serve replaces one that hangs for long
                os.kill(process, signal.SIGCONT)
    eventually(lambda: three.served.search(question, 10).partial is None, 60)


def test_the_first_question_after_a_deployment_is_answered_whole(three: Three) -> None:
    from ray import serve

    handle = deploy(three.folder, name="fresh", replicas=1, routers=1, embedder=LoadsLong)
    hits = ClusterIndex(handle, LetterEmbedder).search("Who built the dam?", 10)
    assert hits.partial is None and found(hits) == found(three.one.search("Who built the dam?", 10))
    serve.delete("fresh")


def test_a_changed_document_alone_is_embedded_again(three: Three, tmp_path: Path) -> None:
    corpus = shutil.copytree(CORPUS, tmp_path / "corpus")
    first = build(corpus, tmp_path / "index", shards=SHARDS, embedder=LetterEmbedder, workers=1)
    changed = sorted(corpus.rglob("*.txt"))[0]
    changed.write_text(changed.read_text() + "\n\nA sentence that nobody has read before stands here.\n")
    again = build(corpus, tmp_path / "index", embedder=LetterEmbedder, workers=1)
    assert first.embedded == first.passages == len(three.one)
    assert again.changed == (changed.relative_to(corpus).as_posix(),) and 1 <= again.embedded <= 2


def test_a_build_that_loses_a_worker_makes_the_same_shards(three: Three, tmp_path: Path) -> None:
    dying = partial(Dying, tmp_path / "died")
    build(CORPUS, tmp_path / "index", shards=SHARDS, embedder=dying, workers=1)
    assert (tmp_path / "died").exists() and contents(tmp_path / "index") == contents(three.folder)


def test_no_question_is_lost_with_a_node(three: Three) -> None:
    """The last, as it takes a node away."""
    from ray import serve

    question, longest, told = "Who built the dam?", 0.0, 0
    expected = found(three.one.search(question, 10))
    for number in range(200):
        if number == 20:
            three.cluster.remove_node(three.nodes[0], allow_graceful=False)
        started = time.monotonic()
        hits = three.served.search(question, 10)
        longest = max(longest, time.monotonic() - started)
        assert found(hits) == expected or hits.partial, "what is not whole says so"
        told += hits.partial is not None
    print(f"longest answer around the loss: {longest:.2f} s; {told} of 200 were told to be partial")

    def restored() -> bool:
        deployments = serve.status().applications["corpus"].deployments.values()
        return all(d.status == "HEALTHY" and d.replica_states.get("RUNNING") == 2 for d in deployments)

    eventually(restored, 90)
    eventually(lambda: found(three.served.search(question, 10)) == expected, 60)

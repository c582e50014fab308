"""BM25 over shards ranks as one tantivy index over all of them does, without Ray."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import Index
from index.cluster_lexical import Statistics, _rounded, _within
from index.cluster_shard import Shard, merge, shard_folder, shard_of
from tests.conftest import ROOT, LetterEmbedder

SHARDS = 4
QUERIES = [
    "Who built the dam?", "grain at the mill", "what happned to the brigde", "the of and", "mayor", "Zürich 2031",
    "how many people live in the town and who is the mayor of it",
]  # fmt: skip


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Index:
    opened = Index(tmp_path_factory.mktemp("one"), LetterEmbedder())
    opened.sync(ROOT / "tests" / "corpus")
    return opened


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Shard]:
    folder, made = tmp_path_factory.mktemp("shards"), []
    for number in range(SHARDS):
        shard = Shard(shard_folder(folder, number), LetterEmbedder())
        shard.sync(ROOT / "tests" / "corpus", among=lambda path, n=number: shard_of(path, SHARDS) == n)
        made.append(shard)
    return made


def test_each_document_is_in_one_shard(one: Index, shards: list[Shard]) -> None:
    held = [entry.path for shard in shards for entry in shard.documents()]
    assert sorted(held) == [entry.path for entry in one.documents()]
    assert all(shard.documents() for shard in shards)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("few", [False, True], ids=["all", "some documents"])
@pytest.mark.parametrize("depth", [3, 50])
@pytest.mark.parametrize("weight", [0.5, 0.7])
def test_the_ranking_is_that_of_one_index(
    one: Index, shards: list[Shard], query: str, few: bool, depth: int, weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.index.DEPTH", depth)
    monkeypatch.setattr(one.embedder, "fusion_weight", weight)  # of the light encoder, and of the packaged one
    only = [entry.path for entry in one.documents()[::3]] if few else None
    vector = one.embedder.embed([query])[0]
    surveys = [shard.survey(query, vector, depth, only) for shard in shards]
    everywhere = Statistics.total(survey.statistics for survey in surveys)
    scored = [
        shard.score(survey.generation, everywhere, vector, depth, only)
        for shard, survey in zip(shards, surveys, strict=True)
    ]
    ranking = merge(surveys, [answer for answer in scored if answer is not None], depth, weight)
    k = min(depth, 10)
    expected = one.search(query, k, documents=only)
    assert [number for number, _ in ranking.fused[:k]] == [hit.passage.id for hit in expected]
    assert [score for _, score in ranking.fused[:k]] == pytest.approx([hit.score for hit in expected], abs=1e-6)
    assert [ranking.lexical.get(hit.passage.id) for hit in expected] == [hit.lexical_rank for hit in expected]
    assert [ranking.dense.get(hit.passage.id) for hit in expected] == [hit.dense_rank for hit in expected]


def test_a_shard_that_changed_between_two_answers_says_so(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "a.txt").write_text("The mill\n\nGrain is ground at the mill by the river.\n")
    shard = Shard(tmp_path / "shard", LetterEmbedder())
    shard.sync(corpus)
    vector = shard.embedder.embed(["mill"])[0]
    before = shard.survey("mill", vector, 50)
    assert shard.score(before.generation, before.statistics, vector, 50) is not None
    (corpus / "b.txt").write_text("The dam\n\nThe dam holds back the river above the mill.\n")
    shard.sync(corpus)
    assert shard.score(before.generation, before.statistics, vector, 50) is None
    assert shard.passages(before.generation, [number for number, _ in before.dense]) is None


def test_lengths_are_rounded_as_tantivy_keeps_them() -> None:
    kept = {0: 0, 39: 39, 40: 40, 41: 40, 43: 42, 57: 56, 90: 88, 153: 152, 167: 152, 168: 168}
    assert {length: _rounded(length) for length in kept} == kept


@pytest.mark.parametrize(
    ("a", "b", "distance"), [("mill", "mill", 0), ("mill", "mil", 1), ("brigde", "bridge", 1), ("dam", "mill", 4)]
)
def test_distance_counts_a_swap_of_neighbours_as_one(a: str, b: str, distance: int) -> None:
    assert _within(a, b, distance) and (distance == 0 or not _within(a, b, distance - 1))

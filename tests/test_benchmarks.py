"""The benchmarks' pure parts: the corpora they make, and what they compute from what they measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index import read_document, sentences, split
from tests.benchmarks import corpus
from tests.benchmarks.figures import exponent, growth, medians, percentiles, quality, table
from tests.benchmarks.machine import operations_a_token
from tests.benchmarks.passages import differences, read_passages, remember, text_key

ENTRIES = [
    {
        "set": "wiki", "title": "Marsh_Light", "question": "What glows?",
        "context": "The marsh light glows above the reeds at night. Nobody in the village has ever touched it.",
        "answers": [{"text": "The marsh light", "start": 0}, {"text": "The marsh light", "start": 0}],
    },
    {
        "set": "wiki", "title": "Marsh_Light", "question": "Who saw it?",
        "context": "The marsh light glows above the reeds at night. Nobody in the village has ever touched it.",
        "answers": [],
    },
    {
        "set": "reviews", "question": "What broke?",
        "context": "After two weeks of use the handle of the kettle broke. I would not buy that kettle again, ever.",
        "answers": [{"text": "the handle", "start": 23}],
    },
]  # fmt: skip


def made(count: int) -> tuple[list[str], list[list[int]], dict[str, str]]:
    pool = corpus.sentence_pool(ENTRIES, sentences)
    passages = list(corpus.made_passages(pool, count))
    return pool, passages, corpus.made_files(pool, passages)


def test_a_context_is_one_file_and_its_questions_name_it() -> None:
    texts, asked = corpus.real_files(ENTRIES)
    assert list(texts) == ["real/000000.txt", "real/000001.txt"]
    assert texts["real/000000.txt"].startswith("Marsh Light\n\nThe marsh light glows")
    assert [(q.answers, q.file) for q in asked] == [
        (("The marsh light",), "real/000000.txt"), ((), "real/000000.txt"), (("the handle",), "real/000001.txt"),
    ]  # fmt: skip


def test_the_same_questions_are_chosen_each_time() -> None:
    _, asked = corpus.real_files(ENTRIES * 5)
    chosen = corpus.chosen(asked, 4, 2)
    assert [bool(q.answers) for q in chosen].count(True) == 4 and len(chosen) == 6
    assert chosen == corpus.chosen(asked, 4, 2)


def test_made_passages_are_indexed_as_they_are_by_everybody(tmp_path: Path) -> None:
    pool, passages, texts = made(25)
    assert texts == made(25)[2]
    corpus.write(texts, tmp_path)
    peers = read_passages(tmp_path)
    assert len(peers) == 25
    ours = [
        (d.title, d.text[p.start : p.end])
        for path in sorted(tmp_path.rglob("*.txt"))
        for d in [read_document(path, tmp_path)]
        for p in split(d)
    ]
    assert [f"{title}\n{text}" for title, text in ours] == list(peers.values())
    assert [text for _, text in ours] == [corpus.passage_text(pool, places) for places in passages]


def test_a_made_passages_vector_is_its_sentences_mean() -> None:
    vectors = corpus.passage_vectors(
        np.eye(3, dtype=np.float32), [[0, 1], [2, 2]], np.array([3, 4, 5], dtype=np.float32)
    )
    assert vectors == pytest.approx(np.array([[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]))


def test_edits_show_as_changes_for_the_peers_and_have_a_vector(tmp_path: Path) -> None:
    pool, passages, texts = made(40)
    corpus.write(texts, tmp_path / "files")
    before = read_passages(tmp_path / "files")
    remember(before, tmp_path / "kept.json")
    assert differences(before, tmp_path / "kept.json") == ({}, [])
    edits = corpus.changed(texts)
    assert len(edits) == 1
    corpus.write(edits, tmp_path / "files")
    new, gone = differences(read_passages(tmp_path / "files"), tmp_path / "kept.json")
    assert len(new) == corpus.PASSAGES_A_FILE and gone == []
    known = {text_key("\n" + corpus.passage_text(pool, [*places, pool.index(corpus.ADDED)])) for places in passages}
    assert {text_key(text) for text in new.values()} <= known


def test_percentiles_are_in_milliseconds() -> None:
    assert percentiles([i / 1000 for i in range(101)], "search") == pytest.approx({"search_p50": 50, "search_p95": 95})


def test_quality_counts_files_answers_and_silence() -> None:
    questions = [q.to_dict() for q in corpus.real_files(ENTRIES)[1]]
    right = [("real/000000.txt", "x The marsh light x")]
    found = quality(questions, [right, right, right], [("marsh light", ""), ("reeds", ""), ("handle", "handle")])
    assert found == {"questions": 3, "recall@5": 0.5, "f1_best": 1.0, "f1_given": pytest.approx(2 / 3)}


def test_the_table_has_medians_and_ratios() -> None:
    records = [
        {"system": s, "phase": "ask", "figures": {"answer_p50": ms, "f1_best": 0.5}}
        for s, runs in (("ours", (40, 50, 300)), ("plain", (100,))) for ms in runs
    ]  # fmt: skip
    shown = table(medians(records), ["ours", "plain"])
    assert "| whole answer p50, ms | 50 | 100 (2×) |" in shown
    assert "| F1, best answer | 0.500 | 0.500 |" in shown


def test_growth_is_the_slope_on_logarithmic_axes() -> None:
    assert exponent([(10, 3.0), (100, 30.0), (1000, 300.0)]) == pytest.approx(1)
    records = [
        {"system": s, "size": str(n), "phase": "ask", "figures": {"search_p50": n**e}}
        for s, e in (("ours", 0.5), ("plain", 1)) for n in (100, 10_000)
    ]  # fmt: skip
    assert "| search p50, ms | 0.50 | 1.00 |" in growth(records)


def test_operations_are_those_of_the_weights_and_of_the_attention() -> None:
    config = {"hidden_size": 2, "intermediate_size": 8, "num_hidden_layers": 3}
    weights = 3 * (4 * 2 * 2 + 2 * 2 * 8)
    assert operations_a_token(config, 0) == 2 * weights
    assert operations_a_token(config, 10) == 2 * weights + 3 * 4 * 10 * 2

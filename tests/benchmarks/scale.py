"""How search grows: `python -m tests.benchmarks.scale --data FOLDER --out OUT.json`, the figures a line for each size.

A passage is four sentences drawn from the passages in FOLDER (`*/*.jsonl.gz`, with `context`), and its vector is made
from theirs, so that a million cost no more than adding: with the light encoder it is the sum of its sentences', with
the packaged one (`--encoder packaged`) the mean of theirs by length. Queries are the files' questions. Recall@10 is
counted against the exact nearest by brute force over the same float16 vectors. Time and memory are those of a process
that has only loaded both indexes from their files and searches.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from index import Embedder, sentences
from index.fusion import fuse
from index.lexical import LexicalIndex
from index.light import LightEmbedder
from index.vectors import VectorIndex
from tests.benchmarks.corpus import pieces_and_questions
from tests.benchmarks.worker import peak_memory_mb

SIZES = (2_000, 20_000, 100_000, 1_000_000)
SENTENCES = 4
QUERIES = 200
DEPTH = 50


def main() -> None:
    options = _parser().parse_args()
    pieces, asked = pieces_and_questions(options.data, sentences, QUERIES, np.random.default_rng(0))
    embedder = LightEmbedder() if options.encoder == "light" else Embedder()
    queries = np.concatenate([embedder.embed([question]) for question in asked])
    sums = _sums(embedder, pieces) if isinstance(embedder, LightEmbedder) else _weighted(embedder, pieces)
    found = {"machine": platform.processor() or platform.machine(), "encoder": embedder.label, "sentences": len(pieces)}
    found["sizes"] = []
    for size in options.sizes:
        chosen = np.random.default_rng(1).integers(len(pieces), size=(size, SENTENCES))
        figures = measure(chosen, pieces, sums, asked, queries)
        print(json.dumps(figures), flush=True)
        found["sizes"].append(figures)
        options.out.write_text(json.dumps(found, indent=2) + "\n")


def measure(chosen: np.ndarray, pieces: list[str], sums: np.ndarray, asked: list[str], queries: np.ndarray) -> dict:
    """Builds both indexes over passages of the `chosen` sentences [n, SENTENCES], and asks them."""
    vectors = np.empty((len(chosen), sums.shape[1]), np.float16)
    for first in range(0, len(chosen), 50_000):
        part = sums[chosen[first : first + 50_000]].sum(1)
        vectors[first : first + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    started = time.perf_counter()
    dense = VectorIndex.build(np.arange(len(chosen)), vectors)
    built = time.perf_counter()
    nearest = _brute(queries, vectors)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        dense.save(place / "vectors")
        lexical_started = time.perf_counter()
        texts = ((i, i, " ".join(pieces[j] for j in row), "", "", None) for i, row in enumerate(chosen.tolist()))
        LexicalIndex.build(texts, place / "lexical")
        lexical_built = time.perf_counter()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as searching:
            seconds, tens, peak = searching.submit(_search, place, asked, queries).result()
        disk = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    hits = [len(set(ten) & set(best)) for ten, best in zip(tens, nearest, strict=True)]
    milliseconds = 1000 * np.array(seconds)
    return {
        "passages": len(chosen),
        "exact": dense.exact,
        "recall@10": sum(hits) / (10 * len(queries)),
        "build_s": {"vectors": built - started, "words": lexical_built - lexical_started},
        **{
            name: {f"p{p}": float(np.percentile(column, p)) for p in (50, 95)}
            for name, column in zip(("vectors_ms", "words_ms", "fused_ms"), milliseconds.T, strict=True)
        },
        "disk_mb": disk / 1e6,
        "peak_mb": peak,
    }


def _search(place: Path, asked: list[str], queries: np.ndarray) -> tuple[list, list[list[int]], float]:
    """By question the seconds of `_ask` and the ids of the ten nearest; the most memory of this process, MB."""
    dense, lexical = VectorIndex.load(place / "vectors"), LexicalIndex.load(place / "lexical")
    seconds = [_ask(dense, lexical, *pair) for pair in zip(asked, queries, strict=True)]
    tens = [[number for number, _ in dense.search(query, 10)] for query in queries]
    return seconds, tens, peak_memory_mb()


def _ask(dense: VectorIndex, lexical: LexicalIndex, question: str, vector: np.ndarray) -> tuple[float, float, float]:
    """Seconds for the vectors, for the words, and for both with their fusion, as `Index.search` does it."""
    started = time.perf_counter()
    near = dict(dense.search(vector, DEPTH))
    between = time.perf_counter()
    words = lexical.search(question, DEPTH)
    ended = time.perf_counter()
    unseen = [number for number, _ in words if number not in near]
    fuse(near | dict(zip(unseen, dense.similarity(vector, unseen), strict=True)), dict(words))
    return between - started, ended - between, time.perf_counter() - started


def _brute(queries: np.ndarray, vectors: np.ndarray) -> list[list[int]]:
    scores = np.empty((len(queries), len(vectors)), np.float32)
    for first in range(0, len(vectors), 100_000):
        scores[:, first : first + 100_000] = queries @ vectors[first : first + 100_000].astype(np.float32).T
    return [np.argpartition(-row, 10)[:10].tolist() for row in scores]


def _sums(light: LightEmbedder, pieces: list[str]) -> np.ndarray:
    """The sum of each sentence's word pieces, which is its vector before that is made unit length."""
    tokenizer, table = light._parts()
    encoded = tokenizer.encode_batch(pieces, add_special_tokens=False)
    return np.stack([table[e.ids].sum(0) for e in encoded])


def _weighted(embedder: Embedder, pieces: list[str]) -> np.ndarray:
    return embedder.embed(pieces) * np.array([len(piece) for piece in pieces], np.float32)[:, None]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", choices=["light", "packaged"], default="light")
    parser.add_argument("--out", type=Path, default=Path("scale.json"))
    parser.add_argument("--sizes", type=lambda text: [int(n) for n in text.split(",")], default=list(SIZES))
    return parser


if __name__ == "__main__":
    main()

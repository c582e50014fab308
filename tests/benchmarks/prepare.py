"""What all systems are given: the corpus and its questions, the vectors of a large one, the reader."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index import DEFAULT_ENCODER, Embedder, find_documents, read_document, sentences, split
from tests.benchmarks import corpus as corpora
from tests.benchmarks.passages import read_passages, text_key

SETS = ("amazon_reviews", "new_wiki", "reddit", "squad2")
ANSWERABLE, UNANSWERABLE = 192, 48


def reader_folder(out: Path) -> Path:
    """Our reader as a whole model folder of transformers, in float32, with its tokenizer, for the peers."""
    from qa.reader import WEIGHTS

    folder = out / f"reader-{hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:8]}"
    if not folder.exists():
        from transformers import AutoTokenizer

        from qa.weights import load_network

        load_network(Path(DEFAULT_ENCODER), WEIGHTS).save_pretrained(folder)
        AutoTokenizer.from_pretrained(DEFAULT_ENCODER).save_pretrained(folder)
    return folder


def prepare(folder: Path, data: Path, size: str) -> None:
    """Write the corpus, the edits, the questions and, where passages are made, the vectors of all; once."""
    if folder.exists():
        return
    half = folder.with_name(folder.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    (half / "files").mkdir(parents=True)
    texts, asked = corpora.real_files(corpora.read_lines(data / "dev" / f"{name}.jsonl.gz" for name in SETS))
    pool: list[str] = []
    passages: list[list[int]] = []
    if size != "dev":
        read = corpora.read_lines(data / "train" / f"{name}.jsonl.gz" for name in SETS)
        pool = corpora.sentence_pool(read, sentences)
        passages = list(corpora.made_passages(pool, int(size) - len(texts)))
        texts |= corpora.made_files(pool, passages)
    edits = corpora.changed(texts)
    corpora.write(texts, half / "files")
    if size != "dev":
        embedder = Embedder()
        corpora.write({n: t for n, t in edits.items() if n.startswith("real/")}, half / "edited")
        real = [t for f in (half / "files" / "real", half / "edited") if f.exists() for t in embedded(f)]
        numbers = [int(Path(n).stem) for n in edits if n.startswith("made/")]
        a_file = corpora.PASSAGES_A_FILE
        made = passages + [[*p, len(pool) - 1] for n in numbers for p in passages[n * a_file : (n + 1) * a_file]]
        keys = [text_key(t) for t in real] + [text_key("\n" + corpora.passage_text(pool, p)) for p in made]
        lengths = np.array([len(s) for s in pool], dtype=np.float32)
        drawn = corpora.passage_vectors(_pool_vectors(pool, embedder, folder.parent), made, lengths)
        np.savez(half / "vectors.npz", keys=keys, vectors=np.concatenate([embedder.embed(real), drawn]))
    (half / "edits.json").write_text(json.dumps(edits))
    sample = corpora.chosen(asked, ANSWERABLE, UNANSWERABLE)
    (half / "questions.json").write_text(json.dumps([q.to_dict() for q in sample]))
    half.rename(folder)


def embedded(files: Path) -> list[str]:
    """What is embedded of the files there: by the peers, and by this project, which cuts the long ones."""
    return [*read_passages(files).values(), *embedded_by_ours(files)]


def embedded_by_ours(files: Path) -> list[str]:
    """Each passage after its document's title."""
    documents = [read_document(path, files) for path in find_documents(files)]
    return [f"{d.title}\n{d.text[p.start : p.end]}" for d in documents for p in split(d)]


def _pool_vectors(pool: Sequence[str], embedder: Embedder, out: Path) -> NDArray[np.float32]:
    """The sentences' vectors, embedded once for all sizes."""
    kept = out / "pool.npy"
    if not kept.exists():
        np.save(kept, embedder.embed(pool))
    return np.asarray(np.load(kept))

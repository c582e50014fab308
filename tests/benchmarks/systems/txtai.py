"""txtai: embeddings with hybrid search and stored content, and its extractive questions pipeline."""

from __future__ import annotations

from pathlib import Path

from txtai import Embeddings
from txtai.pipeline import RAG, Questions

from tests.benchmarks.passages import differences, read_passages, remember


class System:
    """One `Embeddings`, kept up to date by hashes that its user keeps."""

    def __init__(self, encoder: str, reader: str, place: Path) -> None:
        self.encoder, self.reader, self.place = encoder, reader, place

    def warm(self) -> None:
        self.embeddings = Embeddings(
            {"path": self.encoder, "method": "sentence-transformers", "hybrid": True, "content": True, "gpu": False}
        )
        self.embeddings.batchtransform(["warm"])

    def build(self, corpus: Path) -> int:
        passages = read_passages(corpus)
        self.embeddings.index((key, text, None) for key, text in passages.items())
        self._save(passages)
        return len(passages)

    def sync(self, corpus: Path) -> int:
        passages = read_passages(corpus)
        new, gone = differences(passages, self.place / "hashes.json")
        if new or gone:
            self.embeddings.load(str(self.place / "index"))
            if gone:
                self.embeddings.delete(gone)
            if new:
                self.embeddings.upsert((key, text, None) for key, text in new.items())
            self._save(passages)
        return len(new)

    def open(self, corpus: Path) -> None:
        self.embeddings = Embeddings()
        self.embeddings.load(str(self.place / "index"))
        self.rag = RAG(self.embeddings, Questions(self.reader, gpu=False), context=5, output="flatten")

    def search(self, question: str, k: int) -> list[tuple[str, str]]:
        return [(hit["id"].split("#")[0], hit["text"]) for hit in self.embeddings.search(question, k)]

    def answer(self, question: str, k: int) -> tuple[str, str]:
        try:
            answer = self.rag([question])[0] or ""
        except TypeError:  # its span decoding fails where the reader points at its no-answer token
            answer = ""
        return answer, answer

    def _save(self, passages: dict[str, str]) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        self.embeddings.save(str(self.place / "index"))
        remember(passages, self.place / "hashes.json")

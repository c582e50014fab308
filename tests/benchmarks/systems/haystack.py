"""Haystack: BM25 and embeddings joined by reciprocal rank, and its extractive reader, over its in-memory store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from haystack import Document, Pipeline
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.document_stores.types import DuplicatePolicy
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)
from haystack_integrations.components.readers.transformers import TransformersExtractiveReader

from tests.benchmarks.passages import read_passages

DEPTH = 50


class System:
    """A store that is saved as one JSON file; a document's id is the hash of its content, so changes show."""

    def __init__(self, encoder: str, reader: str, place: Path) -> None:
        self.encoder, self.reader, self.place = encoder, reader, place

    def warm(self) -> None:
        self.embedder = SentenceTransformersDocumentEmbedder(
            model=self.encoder, progress_bar=False, normalize_embeddings=True
        )
        self.embedder.run([Document(content="warm")])

    def build(self, corpus: Path) -> int:
        self.new_stores()
        documents = self._documents(corpus)
        self.add(self.embedder.run(documents)["documents"])
        self.save()
        return len(documents)

    def sync(self, corpus: Path) -> int:
        documents = {d.id: d for d in self._documents(corpus)}
        self.load()
        known = set(self.known())
        new = [d for key, d in documents.items() if key not in known]
        gone = sorted(known - documents.keys())
        if new or gone:
            self.remove(gone)
            self.add(self.embedder.run(new)["documents"])
            self.save()
        return len(new)

    def open(self, corpus: Path) -> None:
        self.load()
        bm25, dense = self.retrievers()
        self.searching = Pipeline()
        parts: dict[str, Any] = {
            "embedder": SentenceTransformersTextEmbedder(
                model=self.encoder, progress_bar=False, normalize_embeddings=True
            ),
            "bm25": bm25,
            "dense": dense,
            "joiner": DocumentJoiner(join_mode="reciprocal_rank_fusion"),
        }
        for name, part in parts.items():
            self.searching.add_component(name, part)
        self.searching.connect("embedder.embedding", "dense.query_embedding")
        self.searching.connect("bm25", "joiner")
        self.searching.connect("dense", "joiner")
        self.extractive = TransformersExtractiveReader(model=self.reader)
        self.extractive.warm_up()

    def search(self, question: str, k: int) -> list[tuple[str, str]]:
        return [(d.meta["file"], d.content) for d in self._found(question, k)]

    def answer(self, question: str, k: int) -> tuple[str, str]:
        answers = self.extractive.run(query=question, documents=self._found(question, k), top_k=1)["answers"]
        best = next((a.data for a in answers if a.data), "")
        return best, answers[0].data or ""

    def _found(self, question: str, k: int) -> list[Document]:
        data = {"embedder": {"text": question}, "bm25": {"query": question}, "joiner": {"top_k": k}}
        return self.searching.run(data)["joiner"]["documents"]

    @staticmethod
    def _documents(corpus: Path) -> list[Document]:
        passages = read_passages(corpus)
        return [Document(content=text, meta={"file": key.split("#")[0]}) for key, text in passages.items()]

    # What depends on the store

    def new_stores(self) -> None:
        self.store = InMemoryDocumentStore(embedding_similarity_function="dot_product")

    def known(self) -> list[str]:
        return [d.id for d in self.store.filter_documents()]

    def add(self, documents: list[Document]) -> None:
        self.store.write_documents(documents, policy=DuplicatePolicy.OVERWRITE)

    def remove(self, ids: list[str]) -> None:
        self.store.delete_documents(ids)

    def save(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        self.store.save_to_disk(str(self.place / "store.json"))

    def load(self) -> None:
        self.store = InMemoryDocumentStore.load_from_disk(str(self.place / "store.json"))

    def retrievers(self) -> tuple[Any, Any]:
        return InMemoryBM25Retriever(self.store, top_k=DEPTH), InMemoryEmbeddingRetriever(self.store, top_k=DEPTH)

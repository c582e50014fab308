"""Haystack with its FAISS store; that has no BM25, so an in-memory store without embeddings does that part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from haystack import Document
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.document_stores.types import DuplicatePolicy
from haystack_integrations.components.retrievers.faiss import FAISSEmbeddingRetriever
from haystack_integrations.document_stores.faiss import FAISSDocumentStore

from tests.benchmarks.systems import haystack

DIMENSION = 384


class System(haystack.System):
    """Two stores, written one after the other."""

    def new_stores(self) -> None:
        self.store = FAISSDocumentStore(embedding_dim=DIMENSION)
        self.words = InMemoryDocumentStore()

    def known(self) -> list[str]:
        return [d.id for d in self.store.filter_documents()]

    def add(self, documents: list[Document]) -> None:
        self.store.write_documents(documents, policy=DuplicatePolicy.OVERWRITE)
        self.words.write_documents([replace(d, embedding=None) for d in documents], policy=DuplicatePolicy.OVERWRITE)

    def remove(self, ids: list[str]) -> None:
        self.store.delete_documents(ids)
        self.words.delete_documents(ids)

    def save(self) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        self.store.save(self.place / "vectors")
        self.words.save_to_disk(str(self.place / "words.json"))

    def load(self) -> None:
        self.store = FAISSDocumentStore(index_path=str(self.place / "vectors"), embedding_dim=DIMENSION)
        self.words = InMemoryDocumentStore.load_from_disk(str(self.place / "words.json"))

    def retrievers(self) -> tuple[Any, Any]:
        return (
            InMemoryBM25Retriever(self.words, top_k=haystack.DEPTH),
            FAISSEmbeddingRetriever(document_store=self.store, top_k=haystack.DEPTH),
        )

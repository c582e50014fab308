"""This project, by its public names."""

from __future__ import annotations

from pathlib import Path

from index import DEFAULT_ENCODER, Index
from qa import Pipeline


class System:
    """`index` and `qa` as they are."""

    def __init__(self, encoder: str, reader: str, place: Path) -> None:
        self.encoder, self.place = encoder, place  # the reader's weights are its own

    def warm(self) -> None:
        self.index = Index.open(self.place, encoder=None if self.encoder == DEFAULT_ENCODER else self.encoder)
        self.index.embedder.embed(["warm", "up"])

    def build(self, corpus: Path) -> int:
        return self.index.sync(corpus).passages

    def sync(self, corpus: Path) -> int:
        return self.index.sync(corpus).embedded

    def open(self, corpus: Path) -> None:
        encoder = None if self.encoder == DEFAULT_ENCODER else self.encoder
        self.pipeline = Pipeline.open(corpus, index=self.place, encoder=encoder)

    def search(self, question: str, k: int) -> list[tuple[str, str]]:
        hits = self.pipeline.index.search(question, k)
        return [(h.passage.document.path, h.passage.text) for h in hits]

    def answer(self, question: str, k: int) -> tuple[str, str]:
        examination = self.pipeline.examine(question, k=k)
        return (examination.best.text if examination.best else ""), examination.answer.text or ""

"""FAISS and sentence-transformers as a person would put them together in an afternoon: no BM25, all made anew."""

from __future__ import annotations

import json
from pathlib import Path

import faiss
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from tests.benchmarks.passages import read_passages

LONGEST_SPAN = 30


class System:
    """A flat index, a JSON file of texts, and a reader asked about one passage after the other."""

    def __init__(self, encoder: str, reader: str, place: Path) -> None:
        self.encoder, self.reader, self.place = encoder, reader, place

    def warm(self) -> None:
        self.model = SentenceTransformer(self.encoder, device="cpu")
        self.model.encode(["warm"])

    def build(self, corpus: Path) -> int:
        passages = read_passages(corpus)
        vectors = self.model.encode(list(passages.values()), normalize_embeddings=True)
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        self.place.mkdir(parents=True, exist_ok=True)
        faiss.write_index(index, str(self.place / "vectors.faiss"))
        (self.place / "passages.json").write_text(json.dumps(list(passages.items())))
        return len(passages)

    def sync(self, corpus: Path) -> int:
        return self.build(corpus)

    def open(self, corpus: Path) -> None:
        self.model = SentenceTransformer(self.encoder, device="cpu")
        self.index = faiss.read_index(str(self.place / "vectors.faiss"))
        self.passages = json.loads((self.place / "passages.json").read_text())
        self.tokenizer = AutoTokenizer.from_pretrained(self.reader)
        self.network = AutoModelForQuestionAnswering.from_pretrained(self.reader).eval()

    def search(self, question: str, k: int) -> list[tuple[str, str]]:
        _, found = self.index.search(self.model.encode([question], normalize_embeddings=True), k)
        return [(self.passages[i][0].split("#")[0], self.passages[i][1]) for i in found[0] if i >= 0]

    def answer(self, question: str, k: int) -> tuple[str, str]:
        spans = [self._span(question, text) for _, text in self.search(question, k)]
        margin, best = max(spans, key=lambda s: s[0])
        return best, best if margin > 0 else ""

    def _span(self, question: str, text: str) -> tuple[float, str]:
        """The best span of a passage, and how far its logits are above those of "no answer"."""
        inputs = self.tokenizer(
            question, text, truncation="only_second", max_length=384, return_offsets_mapping=True, return_tensors="pt"
        )
        offsets = inputs.pop("offset_mapping")[0]
        with torch.inference_mode():
            out = self.network(**inputs)
        start, end = out.start_logits[0], out.end_logits[0]
        inside = torch.tensor([kind == 1 for kind in inputs.sequence_ids(0)])
        scores = start[:, None] + end[None, :]
        allowed = (inside[:, None] & inside[None, :]).triu().tril(LONGEST_SPAN - 1)
        place = int(scores.masked_fill(~allowed, -1e9).argmax())
        a, b = divmod(place, len(start))
        return float(scores[a, b] - scores[0, 0]), text[int(offsets[a][0]) : int(offsets[b][1])]

"""What the tests share: an embedder that can be computed by hand, and the real parts, loaded once."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from index import Embedder
from qa import Pipeline

ROOT = Path(__file__).parent.parent


class LetterEmbedder(Embedder):
    """Counts the letters a to z of a text: 26 numbers, made unit length. Remembers what it was given."""

    def __init__(self, label: str = "letters") -> None:
        super().__init__(label)
        self.seen: list[str] = []

    @property
    def fingerprint(self) -> str:
        return "letters"

    @property
    def dimension(self) -> int:
        return 26

    def embed(self, texts: Sequence[str], progress: object = None) -> np.ndarray:
        self.seen += texts
        counts = np.array([[t.lower().count(c) for c in "abcdefghijklmnopqrstuvwxyz"] for t in texts], dtype=np.float32)
        counts = counts.reshape(len(texts), 26) + 1e-6
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture
def letters() -> LetterEmbedder:
    return LetterEmbedder()


@pytest.fixture(scope="session")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The real thing over the real seed."""
    return Pipeline.open(ROOT / "seeds", index=tmp_path_factory.mktemp("seeds-index"))

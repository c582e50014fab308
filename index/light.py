"""Texts to unit vectors without a network: every word piece has a vector, and a text's is the sum of theirs.

The vectors were made from the packaged encoder by `index.distil`. They are plain numbers: neither torch nor
sentence-transformers is loaded, which is most of what makes a start slow.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.embedder import DEFAULT_ENCODER, DEFAULT_LABEL, Embedder, Progress

LIGHT = "light"
WEIGHTS = Path(__file__).parent / "light.safetensors"
BATCH_TEXTS = 256


class LightEmbedder(Embedder):
    """The light encoder: a table of int8 vectors, one a word piece, each with its scale."""

    # Of a text's words it knows little more than BM25 does, so that it weighs less beside it (README, figures).
    fusion_weight = 0.5

    def __init__(self, weights: Path = WEIGHTS) -> None:
        """Take a file that `index.distil` wrote; it is read at the first call."""
        super().__init__(DEFAULT_ENCODER)  # whose word pieces they are
        self._weights = weights
        self._loading = threading.Lock()

    @property
    def label(self) -> str:
        """The encoder's name as the index records it."""
        return LIGHT

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the weights."""
        return hashlib.sha256(self._weights.read_bytes()).hexdigest()[:16]

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._parts()[1].shape[1])

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """Embed texts; as `Embedder.embed`, but there is no window: all of a text is seen."""
        tokenizer, table = self._parts()
        vectors = np.zeros((len(texts), table.shape[1]), dtype=np.float32)
        for first in range(0, len(texts), BATCH_TEXTS):
            part = list(texts[first : first + BATCH_TEXTS])
            ids = [e.ids or [0] for e in tokenizer.encode_batch(part, add_special_tokens=False)]
            starts = np.cumsum([0, *map(len, ids[:-1])])
            sums = np.add.reduceat(table[np.concatenate(ids)], starts, axis=0)
            vectors[first : first + len(part)] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
            if progress is not None:
                progress(len(part))
        return vectors

    def _parts(self) -> tuple[Any, NDArray[np.float32]]:
        with self._loading:
            return self._loaded

    @cached_property
    def _loaded(self) -> tuple[Any, NDArray[np.float32]]:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(f"{DEFAULT_ENCODER}/tokenizer.json")
        tokenizer.no_truncation()
        tokenizer.no_padding()
        kept = load_file(self._weights)
        return tokenizer, kept["vectors"].astype(np.float32) * kept["scales"].astype(np.float32)[:, None]


def embedder_named(encoder: str) -> Embedder:
    """The light encoder for "light", else that of a sentence-transformers name or folder, or of the packaged label."""
    return LightEmbedder() if encoder == LIGHT else Embedder(DEFAULT_ENCODER if encoder == DEFAULT_LABEL else encoder)

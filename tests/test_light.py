"""The light encoder as it is shipped, and how it is made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index import Index, WrongEmbedder
from index.distil import principal, save
from index.light import WEIGHTS, LightEmbedder, embedder_named

CORPUS = Path(__file__).parent / "corpus"


@pytest.fixture(scope="module")
def light() -> LightEmbedder:
    return LightEmbedder()


def test_vectors_have_length_one_and_do_not_hang_on_their_neighbours(light: LightEmbedder) -> None:
    texts = [f"Text {n} of the dam. " * (1 + n % 7) for n in range(300)]  # two batches
    texts += ["", " \n", "\u200b"]  # no words
    vectors = light.embed(texts)
    assert vectors.shape == (303, light.dimension) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(303), abs=1e-5)
    for i in (0, 255, 256, 299, 300):
        assert vectors[i] == pytest.approx(light.embed([texts[i]])[0], abs=1e-6)
    assert light.embed([]).shape == (0, light.dimension)


def test_like_means_near_without_a_word_in_common(light: LightEmbedder) -> None:
    question, near, far = light.embed(["physicians in hospitals", "a doctor and her patients", "rye bread and butter"])
    assert question @ near > question @ far + 0.1


def test_it_needs_no_torch() -> None:
    code = "import sys; from index.light import LightEmbedder; LightEmbedder().embed(['x'])\n"
    code += "print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_index_made_with_it_is_opened_with_it_and_refuses_others(tmp_path: Path) -> None:
    made = Index.open(tmp_path / "index", encoder="light")
    made.sync(CORPUS)
    before = [(hit.passage.id, hit.score) for hit in made.search("Who rang the church bell?")]
    made.close()
    again = Index.open(tmp_path / "index")
    assert isinstance(again.embedder, LightEmbedder)
    assert [(hit.passage.id, hit.score) for hit in again.search("Who rang the church bell?")] == before
    assert "bell" in again.search("Who rang the church bell?")[0].passage.text
    again.close()
    with pytest.raises(WrongEmbedder, match="made with the encoder light "):
        Index.open(tmp_path / "index", encoder="another")


def test_an_index_is_made_with_the_packaged_encoder_unless_asked(tmp_path: Path) -> None:
    assert Index.open(tmp_path / "index").embedder.label == "all-MiniLM-L6-v2"
    assert embedder_named("light").label == "light" and embedder_named("a folder").label == "a folder"


def test_what_is_saved_is_what_was_given_within_half_a_step(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    save(vectors, tmp_path / "w.safetensors")
    table = LightEmbedder(tmp_path / "w.safetensors")._parts()[1]
    assert np.abs(table - vectors).max(1) == pytest.approx(np.zeros(50), abs=float(np.abs(vectors).max()) / 254 + 1e-6)
    assert LightEmbedder(tmp_path / "w.safetensors").fingerprint != LightEmbedder().fingerprint


def test_principal_components_are_those_of_the_singular_value_decomposition() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32) * [5, 4, 3, 2, 1, 0.5]
    centred = vectors - vectors.mean(0)
    expected = centred @ np.linalg.svd(centred)[2][:2].T
    assert np.abs(principal(vectors.astype(np.float32), 2)) == pytest.approx(np.abs(expected), rel=1e-3, abs=1e-3)


def test_the_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size < 6_000_000

"""`python -m index.distil`: makes the light encoder from the packaged one and passages.

A word piece's vector is what the encoder makes of it alone, reduced to its principal components, and the smaller the
more frequent the word piece is in the passages (Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for Sentence
Embeddings", section 3).
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.embedder import DEFAULT_ENCODER
from index.errors import BadInput
from index.light import WEIGHTS
from index.progress import Parser, tell_error, visible

DIMENSION = 192
SMOOTHING = 1e-4


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 done, 2 bad input."""
    options = _parser().parse_args(arguments)
    try:
        texts = {text for path in options.data for text in read_passages(path)}
    except BadInput as error:
        tell_error("index.distil", error)
        return 2
    vectors = distil(texts)
    save(vectors, options.out)
    print(f"{len(vectors):,} vectors of {DIMENSION} numbers, from {len(texts):,} passages, in {visible(options.out)}")
    return 0


def read_passages(path: Path) -> list[str]:
    """The passages of a file of JSON lines with `title` and `context`, each after its title, as they are embedded."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            return [f"{row['title']}\n{row['context']}" for row in map(json.loads, file)]
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error


def distil(texts: Collection[str]) -> NDArray[np.float32]:
    """The vectors [word pieces, DIMENSION]; `texts` say how frequent each is."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{DEFAULT_ENCODER}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encoded = tokenizer.encode_batch(sorted(texts), add_special_tokens=False)
    alone = pieces_alone()
    counts = np.bincount(np.concatenate([e.ids for e in encoded]), minlength=len(alone)) + 0.5
    weights = SMOOTHING / (SMOOTHING + counts / counts.sum())
    return np.asarray(principal(alone, DIMENSION) * weights[:, None], dtype=np.float32)


def pieces_alone() -> NDArray[np.float32]:
    """What the packaged encoder makes of each word piece alone, [word pieces, its dimension]."""
    import torch

    from index.bert import Bert

    bert = Bert.open(Path(DEFAULT_ENCODER))
    numbers = torch.arange(bert.vocabulary)
    first, last = (torch.full_like(numbers, special) for special in (101, 102))  # [CLS] and [SEP]
    alone = torch.stack([first, numbers, last], 1)
    with torch.inference_mode():
        found = [
            bert(part, torch.zeros_like(part), torch.ones_like(part)).float().mean(1)
            for part in (alone[i : i + 1024] for i in range(0, len(alone), 1024))
        ]
    return np.asarray(torch.cat(found).numpy(), dtype=np.float32)


def principal(vectors: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """The first principal components of vectors [n, d], as [n, dimension]."""
    centred = vectors - vectors.mean(0)
    _, components = np.linalg.eigh(centred.T @ centred)  # in ascending order
    return np.asarray(centred @ components[:, ::-1][:, :dimension], dtype=np.float32)


def save(vectors: NDArray[np.float32], path: Path) -> None:
    """Write vectors as int8, each with a scale of its own."""
    from safetensors.numpy import save_file

    scales = np.maximum(np.abs(vectors).max(1), 1e-12).astype(np.float32) / 127
    whole = np.round(vectors / scales[:, None]).astype(np.int8)
    save_file({"vectors": np.ascontiguousarray(whole), "scales": scales}, path)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m index.distil", description="Make the light encoder.")
    parser.add_argument("data", type=Path, nargs="+", help="JSON lines of passages, with title and context")
    parser.add_argument("--out", type=Path, default=WEIGHTS, metavar="FILE", help=f"default: {WEIGHTS.name} beside it")
    return parser


if __name__ == "__main__":
    sys.exit(main())

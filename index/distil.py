"""`python -m index.distil`: makes the light encoder from the packaged one and questions with the passages that answer.

Each word piece begins with what the encoder makes of it alone, reduced to its principal components, the less the more
frequent it is (Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", section 3). Then the
vectors are moved until a question is nearer to its own passage than to the other passages of its batch.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from index.embedder import DEFAULT_ENCODER
from index.light import WEIGHTS

if TYPE_CHECKING:
    import torch

DIMENSION = 192
SMOOTHING = 1e-3
TEMPERATURE = 0.05
RATE = 0.01
BATCH = 256
EPOCHS = 4
SEED = 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    options = _parser().parse_args(arguments)
    pairs = [pair for path in options.data for pair in read_pairs(path)]
    vectors = distil(pairs, epochs=options.epochs)
    save(vectors, options.out)
    print(f"{len(vectors):,} vectors of {DIMENSION} numbers, from {len(pairs):,} questions, in {options.out}")
    return 0


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Each answerable question of a file, and its passage after its title, as passages are embedded.

    The file holds one JSON object a line, with `question`, `title`, `context` and `answers`.
    """
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [(row["question"], f"{row['title']}\n{row['context']}") for row in rows if row["answers"]]


def distil(pairs: Sequence[tuple[str, str]], *, epochs: int = EPOCHS) -> NDArray[np.float32]:
    """The vectors [word pieces, DIMENSION] learnt from questions with their passages."""
    import torch
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{DEFAULT_ENCODER}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def pieces(texts: Sequence[str]) -> dict[str, list[int]]:
        return {t: e.ids for t, e in zip(texts, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True)}

    questions = pieces(sorted({question for question, _ in pairs}))
    passages = pieces(sorted({passage for _, passage in pairs}))
    alone = pieces_alone()
    counts = np.bincount(np.concatenate(list(passages.values())), minlength=len(alone)) + 0.5
    weights = SMOOTHING / (SMOOTHING + counts / counts.sum())
    table = torch.nn.Parameter(torch.from_numpy((principal(alone, DIMENSION) * weights[:, None]).astype(np.float32)))
    with torch.no_grad():
        table /= table.norm(dim=1).mean()
    optimizer = torch.optim.Adam([table], lr=RATE)
    shuffled, steps = random.Random(SEED), epochs * (len(pairs) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / max(1, steps))
    for _ in range(epochs):
        order = shuffled.sample(range(len(pairs)), len(pairs))
        for first in range(0, len(pairs) - BATCH + 1, BATCH):
            batch = [pairs[i] for i in order[first : first + BATCH]]
            among = {passage: place for place, passage in enumerate(dict.fromkeys(passage for _, passage in batch))}
            asked = _means(table, [questions[question] for question, _ in batch])
            near = asked @ _means(table, [passages[passage] for passage in among]).T
            own = torch.tensor([among[passage] for _, passage in batch])
            loss = torch.nn.functional.cross_entropy(near / TEMPERATURE, own)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    learnt: NDArray[np.float32] = table.detach().numpy()
    return learnt


def pieces_alone() -> NDArray[np.float32]:
    """What the packaged encoder makes of each word piece alone, [word pieces, its dimension]."""
    import torch
    from transformers import BertModel

    network = BertModel.from_pretrained(DEFAULT_ENCODER).eval()
    numbers = torch.arange(network.config.vocab_size)
    first, last = (numbers.new_full((len(numbers),), special) for special in (101, 102))  # [CLS] and [SEP]
    with torch.inference_mode():
        found = [
            network(input_ids=part, attention_mask=torch.ones_like(part)).last_hidden_state.mean(1)
            for part in torch.stack([first, numbers, last], 1).split(1024)
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


def _means(table: torch.Tensor, texts: Sequence[Sequence[int]]) -> torch.Tensor:
    """The unit vectors of texts given as word pieces."""
    import torch

    flat = torch.tensor([piece for pieces in texts for piece in pieces])
    starts = torch.tensor(np.cumsum([0, *(len(pieces) for pieces in texts[:-1])]))
    return torch.nn.functional.normalize(torch.nn.functional.embedding_bag(flat, table, starts), dim=1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m index.distil", description="Make the light encoder.")
    parser.add_argument("data", type=Path, nargs="+", help="JSON lines of questions with title, context and answers")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"default: {EPOCHS}")
    parser.add_argument("--out", type=Path, default=WEIGHTS, metavar="FILE", help=f"default: {WEIGHTS.name} beside it")
    return parser


if __name__ == "__main__":
    sys.exit(main())

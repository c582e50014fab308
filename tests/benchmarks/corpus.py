"""The corpora: folders of text files made from SQuAD-shaped questions, and enlarged by passages of resampled sentences.

The same arguments give the same folder, byte for byte. A file is a title, a blank line, and paragraphs with blank lines
between them.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PASSAGES_A_FILE = 10
POOL = 4_000
FEWEST_CHARACTERS, MOST_CHARACTERS = 300, 950
"""Of a made passage: no system cuts it, nor joins it with its neighbour, so all of them index the same number."""
ADDED = "This line was added in the second edition."

Sentences = Callable[[str], Sequence[tuple[int, int]]]


@dataclass(frozen=True)
class Asked:
    """A question, its right answers (none: the documents do not say) and the file that holds them."""

    question: str
    answers: tuple[str, ...]
    file: str

    def to_dict(self) -> dict[str, object]:
        """All fields."""
        return asdict(self)


def read_lines(paths: Iterable[Path]) -> list[dict]:
    """The entries of gzipped JSONL files, in order."""
    return [json.loads(line) for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()]


def real_files(entries: Sequence[dict]) -> tuple[dict[str, str], list[Asked]]:
    """Every distinct context as a file's text by its name; and the questions."""
    names: dict[str, str] = {}
    texts: dict[str, str] = {}
    asked = []
    for entry in entries:
        context = entry["context"]
        if context not in names:
            names[context] = f"real/{len(names):06d}.txt"
            title = " ".join(str(entry.get("title") or entry["set"]).replace("_", " ").split())
            texts[names[context]] = f"{title}\n\n{context.strip()}\n"
        answers = tuple(dict.fromkeys(a["text"] for a in entry["answers"]))
        asked.append(Asked(entry["question"], answers, names[context]))
    return texts, asked


def chosen(asked: Sequence[Asked], answerable: int, unanswerable: int, seed: int = 0) -> list[Asked]:
    """A sample of each kind of question, mixed, without replacement."""
    dice = random.Random(seed)
    kinds = [[q for q in asked if q.answers], [q for q in asked if not q.answers]]
    sample = [
        q
        for kind, n in zip(kinds, (answerable, unanswerable), strict=True)
        for q in dice.sample(kind, min(n, len(kind)))
    ]
    dice.shuffle(sample)
    return sample


def sentence_pool(entries: Sequence[dict], sentences: Sentences, most: int = POOL, seed: int = 0) -> list[str]:
    """A sample of the distinct sentences of the entries' contexts, and `ADDED`; none is over 400 characters."""
    contexts = dict.fromkeys(e["context"] for e in entries)
    found = (" ".join(c[a:b].split()) for c in contexts for a, b in sentences(c))
    pool = list(dict.fromkeys(s for s in found if 20 <= len(s) <= 400))
    return [*random.Random(seed).sample(pool, min(most, len(pool))), ADDED]


def pieces_and_questions(
    folder: Path, sentences: Sentences, count: int, rng: np.random.Generator
) -> tuple[list[str], list[str]]:
    """The distinct sentences of over 20 characters of the contexts under `folder`, and `count` of its questions."""
    entries = read_lines(sorted(folder.glob("*/*.jsonl.gz")))
    contexts = {e["context"] for e in entries}
    questions = sorted({e["question"] for e in entries})
    pieces = sorted({c[a:b] for c in contexts for a, b in sentences(c) if b - a > 20})
    return pieces, [questions[i] for i in rng.choice(len(questions), count, replace=False)]


def made_passages(pool: Sequence[str], count: int, seed: int = 0) -> Iterator[list[int]]:
    """For each passage the places in `pool` of its sentences, drawn with replacement until it is long enough."""
    dice = random.Random(seed)
    for _ in range(count):
        wanted = dice.randint(FEWEST_CHARACTERS, MOST_CHARACTERS - 400)
        places, length = [], 0
        while length < wanted:
            places.append(dice.randrange(len(pool)))
            length += len(pool[places[-1]]) + 1
        yield places


def made_files(pool: Sequence[str], passages: Sequence[list[int]]) -> dict[str, str]:
    """Passages as files' texts by name, `PASSAGES_A_FILE` each."""
    texts = {}
    for first in range(0, len(passages), PASSAGES_A_FILE):
        number = first // PASSAGES_A_FILE
        parts = [passage_text(pool, places) for places in passages[first : first + PASSAGES_A_FILE]]
        texts[f"made/{number // 1000:03d}/{number:06d}.txt"] = "\n\n".join([f"Gathered notes {number}", *parts]) + "\n"
    return texts


def passage_text(pool: Sequence[str], places: Sequence[int]) -> str:
    """The sentences at `places`, a blank between them."""
    return " ".join(pool[i] for i in places)


def passage_vectors(
    pool: NDArray[np.float32], passages: Sequence[Sequence[int]], pool_lengths: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Unit vectors [n, d] for made passages: the means of their sentences' vectors, weighted by length."""
    out = np.empty((len(passages), pool.shape[1]), dtype=np.float32)
    for row, places in enumerate(passages):
        out[row] = pool_lengths[places] @ pool[places]
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def changed(texts: dict[str, str], share: float = 0.01, seed: int = 0) -> dict[str, str]:
    """The texts of that share of the files (at least one), with a sentence added to every paragraph."""
    names = random.Random(seed).sample(sorted(texts), max(1, round(share * len(texts))))
    return {name: edited(texts[name]) for name in names}


def edited(text: str) -> str:
    """The text with a sentence added to every paragraph after its title."""
    title, *paragraphs = text.strip().split("\n\n")
    return "\n\n".join([title, *(f"{p.rstrip()} {ADDED}" for p in paragraphs)]) + "\n"


def write(texts: dict[str, str], folder: Path) -> None:
    """Write the files under `folder`."""
    for parent in {(folder / name).parent for name in texts}:
        parent.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")

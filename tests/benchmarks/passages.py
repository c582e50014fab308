"""How a person would read the corpus for a library that only takes texts: the title, and a paragraph each."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def read_passages(corpus: Path) -> dict[str, str]:
    """Texts by id: the file's name, `#`, the paragraph's number; the text is the title, a line end, the paragraph."""
    found = {}
    for path in sorted(corpus.rglob("*.txt")):
        title, *paragraphs = path.read_text(encoding="utf-8").strip().split("\n\n")
        name = path.relative_to(corpus).as_posix()
        for number, paragraph in enumerate(paragraphs):
            if paragraph.strip():
                found[f"{name}#{number}"] = f"{title}\n{paragraph.strip()}"
    return found


def digests(passages: dict[str, str]) -> dict[str, str]:
    """A hash of each text, by id: kept beside the index, to find out what changed."""
    return {key: hashlib.sha256(text.encode()).hexdigest() for key, text in passages.items()}


def differences(passages: dict[str, str], kept: Path) -> tuple[dict[str, str], list[str]]:
    """What is new or changed since `remember(passages, kept)`, and the ids that are gone."""
    before = json.loads(kept.read_text())
    now = digests(passages)
    return {k: passages[k] for k in passages if before.get(k) != now[k]}, sorted(before.keys() - now.keys())


def remember(passages: dict[str, str], kept: Path) -> None:
    """Write the hashes down."""
    kept.write_text(json.dumps(digests(passages)))


def text_key(text: str) -> str:
    """What a passage's vector is kept under: a hash of its words after its title, whatever stands between them."""
    words = text.split("\n", 1)[-1].split()
    return hashlib.sha1(" ".join(words).encode(), usedforsecurity=False).hexdigest()

"""One phase of one system in a process of its own, run by that system's Python.

Needs nothing but the standard library, NumPy and what the system itself needs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np

K = 5


class Measured(Protocol):
    """What a system must be able to do; `place` is the folder where its index lies."""

    def __init__(self, encoder: str, reader: str, place: Path) -> None: ...
    def warm(self) -> None:
        """Load the encoder."""

    def build(self, corpus: Path) -> int:
        """Index the corpus from nothing and write the index; gives the number of passages."""

    def sync(self, corpus: Path) -> int:
        """Bring the written index up to date; gives how many passages were embedded."""

    def open(self, corpus: Path) -> None:
        """Load everything that a question needs."""

    def search(self, question: str, k: int) -> list[tuple[str, str]]:
        """The k best passages as (file, text)."""

    def answer(self, question: str, k: int) -> tuple[str, str]:
        """The best answer from the k best passages; and the same or, where it is held back, nothing."""


def main() -> None:
    options = _parser().parse_args()
    system: Measured = importlib.import_module(f"tests.benchmarks.systems.{options.system}").System(
        options.encoder, options.reader, options.place
    )
    if options.vectors and options.phase != "ask":
        give_vectors(options.vectors)
    found = build(system, options) if options.phase != "ask" else ask(system, options)
    found["peak_memory_mb"] = peak_memory_mb()
    options.out.write_text(json.dumps(found))


def build(system: Measured, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a build or a sync, the encoder loaded before, and the passages that it embedded.

    Processor seconds are those of all threads: they tell more than the clock where others use the machine too.
    """
    system.warm()
    started, worked = time.perf_counter(), time.process_time()
    passages = (system.build if options.phase == "build" else system.sync)(options.corpus)
    seconds, cpu = time.perf_counter() - started, time.process_time() - worked
    return {"seconds": seconds, "cpu_seconds": cpu, "passages": passages}


def ask(system: Measured, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds to the first answer from the process' start; then of each search and of each whole answer."""
    questions = json.loads(options.questions.read_text())
    system.open(options.corpus)
    system.answer(questions[-1], K)
    found: dict[str, Any] = {"start_seconds": time.time() - options.started}
    for name, method in (("search", system.search), ("answer", system.answer)):
        results, seconds, cpu = [], [], []
        for question in questions:
            before, worked = time.perf_counter(), time.process_time()
            results.append(method(question, K))
            seconds.append(time.perf_counter() - before)
            cpu.append(time.process_time() - worked)
        found[name] = {"seconds": seconds, "cpu_seconds": cpu, "results": results}
    return found


def peak_memory_mb() -> float:
    """The most memory that this process has held; `getrusage` would count its parent's, from before the exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def give_vectors(path: Path) -> None:
    """Let sentence-transformers look up the texts whose vectors are in `path`, and encode only the others."""
    from sentence_transformers import SentenceTransformer

    from tests.benchmarks.passages import text_key

    held = np.load(path)
    places = {key: place for place, key in enumerate(held["keys"].tolist())}
    vectors = held["vectors"]
    real = SentenceTransformer.encode

    def encode(self: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        found = [places.get(text_key(t)) if isinstance(t, str) else None for t in texts]
        unknown = [i for i, place in enumerate(found) if place is None]
        if len(unknown) == len(texts):
            return real(self, inputs, *args, **kwargs)
        out = np.empty((len(texts), vectors.shape[1]), dtype=np.float32)
        known = [i for i, place in enumerate(found) if place is not None]
        out[known] = vectors[[found[i] for i in known]]
        if unknown:
            out[unknown] = real(self, [texts[i] for i in unknown], *args, **kwargs)
        return out

    SentenceTransformer.encode = encode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("system")
    parser.add_argument("phase", choices=["build", "sync", "ask"])
    for name in ("corpus", "place", "questions", "vectors", "out"):
        parser.add_argument(f"--{name}", type=Path)
    for name in ("encoder", "reader"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--started", type=float)
    return parser


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    main()

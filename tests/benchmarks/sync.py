"""What looking for changes costs: `python -m tests.benchmarks.sync --files 1000 10000`, the figures a line for each.

The files are of ten paragraphs of words drawn from the seeds, indexed with the light encoder. "unsealed" is a sync of
an index to which something else may have written, "checked" one that reads and verifies everything; "start" is a whole
`python -m qa QUESTION`.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from index import Index, seal

WORDS = sorted({word for path in Path("seeds").glob("*.txt") for word in path.read_text(encoding="utf-8").split()})
PARAGRAPHS, SENTENCES, LENGTH = 10, 6, 12


def main() -> None:
    parser = argparse.ArgumentParser(description="What it costs to look for changes.")
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    for count in options.files:
        with tempfile.TemporaryDirectory() as place:
            print(json.dumps(measure(Path(place), count, options.runs)), flush=True)


def measure(place: Path, count: int, runs: int) -> dict[str, float]:
    """Indexes so many files in the folder `place`, and brings that up to date in several ways; medians, in seconds."""
    corpus, kept = place / "corpus", place / "index"
    corpus.mkdir()
    rng = random.Random(1)
    for number in range(count):
        write(corpus / f"{number:06d}.txt", number, rng)
    time.sleep(3)  # until the files' stamps are believed
    opened = Index.open(kept, encoder="light")
    found: dict[str, float] = {"files": count, "first": opened.sync(corpus).seconds}
    found["passages"] = len(opened)

    def timed(prepare: Callable[[], object] = lambda: None, *, check: bool = False) -> float:
        seconds = []
        for _ in range(runs):
            prepare()
            seconds.append(opened.sync(corpus, check=check).seconds)
        return round(median(seconds), 4)

    def edit() -> None:
        for number in rng.sample(range(count), max(1, count // 100)):
            write(corpus / f"{number:06d}.txt", number, rng)

    found["nothing changed"] = timed()
    found["milliseconds a thousand files"] = round(1e6 * found["nothing changed"] / count, 1)
    found["unsealed"] = timed(lambda: seal.break_off(kept))
    found["checked"] = timed(check=True)
    found["1 % changed"] = timed(edit)
    opened.close()
    time.sleep(3)
    found["start"] = round(median(start(corpus, kept) for _ in range(runs)), 2)
    return found


def write(path: Path, number: int, rng: random.Random) -> None:
    """A document of random sentences."""
    paragraphs = [
        " ".join(" ".join(rng.choices(WORDS, k=LENGTH)).strip(".,").capitalize() + "." for _ in range(SENTENCES))
        for _ in range(PARAGRAPHS)
    ]
    path.write_text("\n\n".join([f"Report {number}", *paragraphs]) + "\n", encoding="utf-8")


def start(corpus: Path, kept: Path) -> float:
    """Seconds of a process that asks one question."""
    command = [sys.executable, "-m", "qa", "Who wrote the report?", "--corpus", str(corpus), "--index", str(kept)]
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

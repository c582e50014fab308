"""Run as a process by test_crash.py: syncs or searches an index, with the embedder that can be computed by hand.

`python tests/syncing.py sync CORPUS INDEX LOG` logs each text before it is embedded; `search INDEX STOP` prints, for
each search, the paths it found, until the file STOP exists.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import index.sync
from index import Index
from tests.conftest import LetterEmbedder


class Logged(LetterEmbedder):
    """Writes down what it embeds, and takes its time."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def embed(self, texts: Sequence[str], progress: object = None) -> np.ndarray:
        with self.log.open("a", encoding="utf-8") as file:
            file.writelines(f"{text.splitlines()[-1]}\n" for text in texts)
        time.sleep(0.02)
        return super().embed(texts)


def main() -> None:
    if sys.argv[1] == "sync":
        index.sync.COMMIT_PASSAGES = 16
        print("ready", flush=True)
        Index(Path(sys.argv[3]), Logged(Path(sys.argv[4]))).sync(Path(sys.argv[2]))
    else:
        opened, stop = Index(Path(sys.argv[2]), LetterEmbedder()), Path(sys.argv[3])
        last = False
        while not last:
            last = stop.exists()
            print(
                ",".join(sorted({h.passage.document.path for h in opened.search("grain at the mill", 999)})), flush=True
            )


if __name__ == "__main__":
    main()

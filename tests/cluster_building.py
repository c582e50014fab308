"""Run as a process by test_cluster_builds.py, which kills it.

`python -m tests.cluster_building ADDRESS CORPUS INDEX LOG` builds with the embedder that can be computed by hand, which
logs what it is about to embed, and on which node.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

import index.cluster_build
from tests.conftest import ROOT, LetterEmbedder

SHARDS, BATCH, WORKERS = 4, 16, 2


class Logged(LetterEmbedder):
    """Writes down what it embeds and where, a line for each batch, and takes its time."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def embed(self, texts: Sequence[str], progress: object = None) -> np.ndarray:
        import ray

        node = ray.get_runtime_context().get_node_id()
        contents = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"node": node, "process": os.getpid(), "contents": contents}) + "\n")
        time.sleep(0.3)
        return super().embed(texts)


def main() -> None:
    import ray

    address, corpus, folder, log = sys.argv[1:]
    ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}})
    index.cluster_build.BATCH = BATCH
    embedder = partial(Logged, Path(log))
    index.cluster_build.build(Path(corpus), Path(folder), shards=SHARDS, embedder=embedder, workers=WORKERS)


if __name__ == "__main__":
    from tests.cluster_building import main as main_of_the_module  # so that what Ray sends around is found by its name

    main_of_the_module()

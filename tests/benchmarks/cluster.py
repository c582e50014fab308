"""What a cluster does: `python -m tests.benchmarks.cluster --data FOLDER`, the figures a line for each number of nodes.

All nodes are on this machine, each held to a share of one processor core by a control group (Linux, version 1, as
root); the head, which only coordinates, and the asking process have what is left. The corpus is made of passages of
four sentences drawn from those in FOLDER (`*/*.jsonl.gz`, with `context`), ten a file; the encoder is the light one.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from index import sentences
from index.cluster import ClusterIndex
from index.cluster_build import build
from index.cluster_serve import deploy
from index.light import LightEmbedder
from tests.benchmarks.corpus import pieces_and_questions
from tests.clusters import cluster_of, eventually

GROUPS = Path("/sys/fs/cgroup/cpu")
PERIOD = 100_000
ASKERS = 8
ASKED = 200


def main() -> None:
    options = _parser().parse_args()
    rng = np.random.default_rng(0)
    pieces, asked = pieces_and_questions(options.data, sentences, ASKED, rng)
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Path(scratch) / "corpus"
        corpus.mkdir()
        chosen = rng.integers(len(pieces), size=(options.passages // 10, 10, 4))
        for number, passages in enumerate(chosen):
            paragraphs = "\n\n".join(" ".join(pieces[i] for i in four) for four in passages)
            (corpus / f"{number:06d}.txt").write_text(f"File {number}\n\n{paragraphs}\n")
        for spec in options.runs:
            nodes, shards, replicas = map(int, spec.split(","))
            folder = Path(scratch) / spec
            print(json.dumps(measure(options, corpus, folder, asked, nodes, shards, replicas)), flush=True)


def measure(
    options: argparse.Namespace, corpus: Path, folder: Path, asked: list[str], nodes: int, shards: int, replicas: int
) -> dict[str, Any]:
    with cluster_of(0, *[1] * nodes) as (_, started):
        raylets = [process.process.pid for node in started for process in node.all_processes["raylet"]]
        with held(raylets, options.share):
            report = build(corpus, folder, shards=shards, embedder=LightEmbedder, workers=nodes)
            served = ClusterIndex(deploy(folder, embedder=LightEmbedder, replicas=replicas, routers=nodes))
            served.search(asked[0])
            time.sleep(15)  # for Ray to come to rest
            quiet = traffic()
            time.sleep(5)
            quiet = (traffic() - quiet) / 5
            for seconds in (5.0, options.seconds):  # the first to warm up
                before, bytes_before, processes = times(), traffic(), kinds()
                took = ask(served, asked, seconds)
            used, moved = times(), traffic() - bytes_before - quiet * options.seconds
            spent = defaultdict[str, float](float)
            for process, kind in processes.items():
                spent[kind] += used.get(process, 0) - before.get(process, 0)
            return {
                "nodes": nodes,
                "share": options.share,
                "shards": shards,
                "replicas": replicas,
                "passages": report.passages,
                "build s": round(report.seconds, 1),
                "questions a second": round(len(took) / options.seconds, 1),
                "p50 ms": round(1000 * took[len(took) // 2]),
                "p95 ms": round(1000 * took[int(len(took) * 0.95)]),
                "processor ms a question": {k: round(1000 * v / len(took), 1) for k, v in spent.items()},
                "network KB a question": round(moved / len(took) / 1000, 1),
                "memory MB": {
                    kind: round(np.mean([m for k, m in memory() if k == kind])) for kind in set(kinds().values())
                },
            }


def ask(served: ClusterIndex, asked: list[str], seconds: float) -> list[float]:
    """How long each search took, sorted, of `ASKERS` that ask again and again."""
    took, end = list[float](), time.monotonic() + seconds

    def again(first: int) -> None:
        number = first
        while time.monotonic() < end:
            started = time.monotonic()
            assert served.search(asked[number % len(asked)], 10).partial is None
            took.append(time.monotonic() - started)
            number += ASKERS

    threads = [threading.Thread(target=again, args=(number,)) for number in range(ASKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(took)


@contextmanager
def held(processes: list[int], share: float) -> Iterator[None]:
    """Each of the processes, with all that it has started and starts, in a control group of so much of one core."""
    groups = [GROUPS / f"node-{process}" for process in processes]
    try:
        for group, process in zip(groups, processes, strict=True):
            group.mkdir()
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(int(PERIOD * share)))
            for member in (process, *below(process)):
                (group / "cgroup.procs").write_text(str(member))
        yield
    finally:
        for group in groups:
            for member in (group / "cgroup.procs").read_text().split():
                (GROUPS / "cgroup.procs").write_text(member)
            eventually(lambda group=group: not (group / "cgroup.procs").read_text(), 10)
            group.rmdir()


def below(process: int) -> Iterator[int]:
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        yield int(child)
        yield from below(int(child))


def kinds() -> dict[int, str]:
    """What each process of Serve's that can be told by its name does, and this one."""
    found = {os.getpid(): "asking"}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_text()
        except OSError:
            continue
        if line.startswith("ray::ServeReplica:corpus:"):
            found[int(place.name)] = "router" if ":router" in line else "shard"
    return found


def times() -> dict[int, float]:
    """Seconds of processor time by process."""
    found = {}
    for process in kinds():
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        found[process] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def memory() -> list[tuple[str, float]]:
    """What each process has for itself and its share of what it shares with others, in MB."""
    found = []
    for process, kind in kinds().items():
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        found += [(kind, int(line.split()[1]) / 1000) for line in lines if line.startswith("Pss:")]
    return found


def traffic() -> int:
    """Bytes that went from this machine to itself so far."""
    line = next(line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith("lo:"))
    return int(line.split(":")[1].split()[0])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--share", type=float, default=0.5, help="of a core, that a node has (default: 0.5)")
    parser.add_argument("--seconds", type=float, default=15)
    runs = ["1,2,1", "2,2,2", "3,2,3", "3,8,1"]
    parser.add_argument("--runs", nargs="+", default=runs, help="nodes,shards,replicas, a cluster each")
    return parser


if __name__ == "__main__":
    main()

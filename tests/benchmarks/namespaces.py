"""A cluster of three nodes with a network each: `python -m tests.benchmarks.namespaces` (Linux, as root).

Each raylet runs in a network namespace and reaches the others over one bridge. The test corpus is served in four shards
with two replicas; its rankings are compared with those of one index for every news question. Then one node's link is
taken down while four ask on, and brought up again.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SPACES = ["eqa0", "eqa1", "eqa2"]
HUB = "eqa-hub"
CUT_SECONDS = 40
ASKERS = 4


def main() -> None:
    if "--inside" in sys.argv:
        inside(Path(sys.argv[-1]))
        return
    with tempfile.TemporaryDirectory() as home, networks():
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "HOME": home, "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
        }  # fmt: skip
        try:
            for number, space in enumerate(SPACES):
                place = ["--address=10.77.0.1:6379"]
                if number == 0:
                    place = ["--head", "--port=6379", "--include-dashboard=false", f"--temp-dir={home}/ray"]
                node = [f"--node-ip-address={own(number)}", "--num-cpus=1", "--object-store-memory=80000000"]
                run(space, "ray.scripts.scripts", "start", *place, *node, env=env)
            run(SPACES[0], "tests.benchmarks.namespaces", "--inside", home, env=env)
        finally:
            for space in SPACES:
                for process in said("netns", "pids", space).split():
                    subprocess.run(["kill", "-9", process], check=False)


def inside(home: Path) -> None:
    """What the head's namespace does: build, serve, compare, and ask while the link of the last node is down."""
    import ray

    from index import Index
    from index.cluster import ClusterIndex
    from index.cluster_build import build
    from index.cluster_serve import deploy
    from index.light import embedder_named

    make, corpus = partial(embedder_named, "light"), ROOT / "tests" / "corpus"
    lines = [json.loads(line) for line in (ROOT / "tests" / "news.jsonl").read_text(encoding="utf-8").splitlines()]
    questions = [line["question"] for line in lines if "question" in line]
    one = Index(home / "one", make())
    one.sync(corpus)
    ray.init(address="10.77.0.1:6379", log_to_driver=False)
    print("nodes:", sorted(node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]), flush=True)
    build(corpus, home / "shards", shards=4, embedder=make)
    served = ClusterIndex(deploy(home / "shards", embedder=make))

    def ranking(hits: list[object]) -> list[tuple[object, ...]]:
        return [(h.passage, h.dense_rank, h.lexical_rank) for h in hits]  # type: ignore[attr-defined]

    expected = {question: ranking(one.search(question, 10)) for question in questions}
    same = sum(ranking(served.search(question, 10)) == expected[question] for question in questions)
    print(f"rankings equal: {same} of {len(questions)}", flush=True)

    asked: list[tuple[float, float, bool, bool]] = []
    lost: list[str] = []
    ended = threading.Event()

    def ask(first: int) -> None:
        number = first
        while not ended.is_set():
            question, began = questions[number % len(questions)], time.monotonic()
            try:
                hits = served.search(question, 10)
                asked.append(
                    (began, time.monotonic() - began, hits.partial is not None, ranking(hits) == expected[question])
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, the question is lost
                lost.append(f"{question}: {error}")
            number += ASKERS

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(ASKERS)]
    for thread in threads:
        thread.start()
    time.sleep(10)
    ip("-n", SPACES[-1], "link", "set", "eth0", "down")
    cut = time.monotonic()
    time.sleep(CUT_SECONDS)
    ip("-n", SPACES[-1], "link", "set", "eth0", "up")
    mended = time.monotonic()
    time.sleep(20)
    ended.set()
    for thread in threads:
        thread.join()
    for name, low, high in (("before", 0.0, cut), ("cut off", cut, mended), ("mended", mended, time.monotonic())):
        those = [a for a in asked if low <= a[0] < high]
        took = sorted(a[1] for a in those)
        print(
            f"{name}: {len(those)} asked, {sum(a[2] for a in those)} told to be partial, "
            f"{sum(not a[2] and not a[3] for a in those)} wrong, median {took[len(took) // 2]:.2f} s, "
            f"slowest {took[-1]:.2f} s",
            flush=True,
        )
    print(f"lost: {len(lost)} {lost[:3]}", flush=True)
    same = sum(ranking(served.search(question, 10)) == expected[question] for question in questions)
    print(f"afterwards rankings equal: {same} of {len(questions)}", flush=True)
    print("nodes alive:", sum(node["Alive"] for node in ray.nodes()), flush=True)
    os._exit(0)  # the nodes are killed, and Ray would wait for them


@contextmanager
def networks() -> Iterator[None]:
    """Namespaces with one address each, joined by a bridge in another one, which reach nothing else."""
    try:
        for space in (HUB, *SPACES):
            ip("netns", "add", space)
            ip("-n", space, "link", "set", "lo", "up")
        ip("-n", HUB, "link", "add", "bridge", "type", "bridge")
        ip("-n", HUB, "link", "set", "bridge", "up")
        for number, space in enumerate(SPACES):
            ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", space, "netns", HUB)
            ip("-n", HUB, "link", "set", space, "master", "bridge", "up")
            ip("-n", space, "addr", "add", f"{own(number)}/24", "dev", "eth0")
            ip("-n", space, "link", "set", "eth0", "up")
            ip("-n", space, "route", "add", "default", "dev", "eth0")  # by which Ray finds its own address
        yield
    finally:
        for space in (HUB, *SPACES):
            subprocess.run(["ip", "netns", "del", space], check=False)


def own(number: int) -> str:
    return f"10.77.0.{number + 1}"


def run(space: str, module: str, *arguments: str, env: dict[str, str]) -> None:
    command = ["ip", "netns", "exec", space, sys.executable, "-m", module, *arguments]
    subprocess.run(command, check=True, env=env, cwd=ROOT)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def said(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()

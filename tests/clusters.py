"""Starts Ray clusters for the tests: several nodes on this machine, each with a raylet and workers of its own."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

os.environ |= {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
pytest.importorskip("ray")  # which reads these when it is imported

from tests.conftest import ROOT

STORE = 80_000_000  # bytes of shared memory a node
STARTS = 3


@contextmanager
def cluster_of(head: int, *others: int) -> Iterator[tuple[Any, list[Any]]]:
    """A cluster, and its nodes but the head: each of so many CPUs, as Ray counts them. This process has joined it."""
    import ray
    from ray import serve

    cluster, nodes = _started(head, *others)
    paths = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    try:
        ray.init(address=cluster.address, log_to_driver=False, runtime_env={"env_vars": paths})
        yield cluster, nodes
    finally:
        serve.shutdown()
        ray.shutdown()
        cluster.shutdown()


def _started(head: int, *others: int) -> tuple[Any, list[Any]]:
    """Ray gives a node 30 seconds to start, which it may exceed where much else runs: then all of them start anew."""
    from ray.cluster_utils import Cluster

    for left in reversed(range(STARTS)):
        cluster = Cluster()
        try:
            cluster.add_node(wait=False, num_cpus=head, object_store_memory=STORE, include_dashboard=False)
            nodes = [cluster.add_node(wait=False, num_cpus=cpus, object_store_memory=STORE) for cpus in others]
            cluster.wait_for_nodes(timeout=120)
        except Exception as error:  # noqa: BLE001 - Ray raises no narrower one
            cluster.shutdown()
            if not left:
                raise RuntimeError(f"{1 + len(others)} nodes did not start, {STARTS} times: see Ray's logs") from error
        else:
            return cluster, nodes
    raise AssertionError("unreachable")


def eventually(holds: Callable[[], object], seconds: float, every: float = 0.5) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(every)

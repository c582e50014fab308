"""What runs in a cluster: a deployment of Ray Serve for each shard, and a router that asks all of them.

The router fuses what the shards find, so that the ranking is that of one index over everything. A replica that is lost
is asked again elsewhere; a shard that misses the deadline is left out, and the number of those is told.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.cluster_build import MakeEmbedder, read_about
from index.cluster_join import AGAIN_SECONDS
from index.cluster_lexical import Statistics
from index.cluster_shard import Ranking, Scored, Shard, Survey, merge, shard_folder, shard_of
from index.embedder import Embedder
from index.errors import BadInput
from index.index import DEPTH, Hit
from index.store import IndexedPassage

DEADLINE = 10.0
"""Seconds after which a question is answered from the shards that have answered."""
_SHARES = (0.4, 0.7, 1.0)
"""By which share of it each of a search's three rounds has to end, so that a slow shard leaves time for the others."""
HEDGE_SECONDS = 0.5
"""After which another replica of a shard is asked as well: several times what a shard of a million passages takes."""
_AT_A_TIME = 2


@dataclass(frozen=True)
class Served:
    """What a cluster says of itself: where its index and its corpus lie, of how many shards and by which encoder."""

    folder: str
    corpus: str
    shards: int
    encoder: str
    deadline: float


class ShardReplica:
    """What runs in a replica of a shard's deployment."""

    def __init__(self, folder: str, number: int, embedder: MakeEmbedder) -> None:
        """Open the shard, and its indexes, so that the first question need not wait for that."""
        self._shard = Shard(shard_folder(Path(folder), number), embedder())
        self._shard.load()

    def call(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """Call a method of the shard, or look up one of its properties."""
        found = getattr(self._shard, method)
        return found(**arguments) if callable(found) else found

    def size(self) -> int:
        """How many passages it has."""
        return len(self._shard)

    def process(self) -> int:
        """The process it runs in, for who measures it."""
        return os.getpid()

    def check_health(self) -> None:
        """Raise if the shard cannot be used."""
        len(self._shard)


class Router:
    """What runs in a replica of the router: one question to all shards, and their answers to one ranking."""

    def __init__(self, served: Served, embedder: MakeEmbedder, *shards: Any) -> None:
        """Take the handles of all shards, in order."""
        self._served = served
        self._embedder = embedder()
        self._embedder.embed(["warm"])  # loaded when first used: a replica that is ready must not be seconds from it
        self._shards = shards
        self._usual = 0.0  # seconds that a shard takes to answer, a moving average

    async def about(self) -> Served:
        """What is served."""
        return self._served

    async def ask(self, method: str, by_shard: Mapping[int, Mapping[str, Any]]) -> dict[int, Any]:
        """Call a method of those shards, with arguments of their own; what those answer that do so in time."""
        return await self._ask(time.monotonic() + self._served.deadline, method, by_shard)

    async def search(self, query: str, k: int, documents: Collection[str] | None) -> tuple[list[Hit], int]:
        """The hits of `Index.search`, and how many shards are missing in them."""
        vector = (await asyncio.to_thread(self._embedder.embed, [query]))[0].astype(np.float32)
        started = time.monotonic()  # not before: a slow encoder is no fault of the shards, which are yet to be asked
        while True:
            found = await self._search(started, query, vector, k, documents)
            if found is not None:
                return found

    async def _search(
        self, started: float, query: str, vector: Any, k: int, documents: Collection[str] | None
    ) -> tuple[list[Hit], int] | None:
        """As `search`; None if a shard was brought up to date between two of its answers."""
        everyone, depth = range(len(self._shards)), max(DEPTH, k)
        first, second, last = (started + share * self._served.deadline for share in _SHARES)
        among = _by_shard(documents, len(everyone))
        asked = {n: {"query": query, "vector": vector, "depth": depth, "documents": among(n)} for n in everyone}
        surveys: dict[int, Survey] = await self._ask(first, "survey", asked)
        everywhere = Statistics.total(survey.statistics for survey in surveys.values())
        again = {
            n: {
                "generation": survey.generation,
                "everywhere": everywhere,
                "vector": vector,
                "depth": depth,
                "documents": among(n),
            }
            for n, survey in surveys.items()
            if among(n) is None or among(n)
        }
        scored: dict[int, Scored | None] = await self._ask(second, "score", again)
        if any(answer is None for answer in scored.values()):
            return None
        whole = {n for n in surveys if n in scored or n not in again}
        answered = (answer for answer in scored.values() if answer is not None)
        ranking = merge((surveys[n] for n in whole), answered, depth, self._embedder.fusion_weight)
        chosen = [number for number, _ in ranking.fused[:k]]
        owners = {number: n for n in whole for number in _ids(surveys[n], scored.get(n))}
        wanted: dict[int, list[int]] = defaultdict(list)
        for number in chosen:
            wanted[owners[number]].append(number)
        named = {n: {"generation": surveys[n].generation, "numbers": numbers} for n, numbers in wanted.items()}
        answers = await self._ask(last, "passages", named)
        if any(answer is None for answer in answers.values()):
            return None
        passages = {number: passage for answer in answers.values() for number, passage in answer.items()}
        lost = (set(everyone) - whole) | (wanted.keys() - answers.keys())
        return _hits(ranking, passages, chosen), len(lost)

    async def _ask(self, end: float, method: str, by_shard: Mapping[int, Mapping[str, Any]]) -> dict[int, Any]:
        """What those shards answer that do so until `end`."""
        answers = await asyncio.gather(*(self._ask_one(end, n, method, given) for n, given in by_shard.items()))
        return {n: answer[0] for n, answer in zip(by_shard, answers, strict=True) if answer}

    async def _ask_one(self, end: float, number: int, method: str, given: Mapping[str, Any]) -> tuple[Any, ...]:
        """The answer, or nothing where there is none in time.

        Where a replica is lost or keeps one waiting, another one is asked, and whichever answers first counts. So a
        machine that hangs, or whose network is gone, which nobody is told of for seconds, costs `HEDGE_SECONDS`.
        """
        from ray.exceptions import RayError, RayTaskError
        from ray.serve.exceptions import RayServeException

        asked: dict[asyncio.Future[Any], float] = {}
        try:
            while (left := end - time.monotonic()) > 0:
                if len(asked) < _AT_A_TIME:
                    asked[asyncio.ensure_future(self._shards[number].call.remote(method, given))] = time.monotonic()
                hedge = max(HEDGE_SECONDS, 4 * self._usual)  # where all are slow, asking twice would make them slower
                patience = left if len(asked) == _AT_A_TIME else min(left, hedge)
                done, _ = await asyncio.wait(asked, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for call in done:
                    started = asked.pop(call)
                    try:
                        answer = call.result()
                    except RayTaskError:
                        raise
                    except (RayError, RayServeException):
                        await asyncio.sleep(AGAIN_SECONDS)
                    else:
                        self._usual += 0.1 * (time.monotonic() - started - self._usual)
                        return (answer,)
        finally:
            for call in asked:
                call.cancel()
        return ()


def deploy(
    folder: Path,
    *,
    name: str = "corpus",
    replicas: int = 2,
    routers: int = 2,
    deadline: float = DEADLINE,
    embedder: MakeEmbedder = Embedder,
    cpus: float = 0.01,
) -> Any:
    """Serve the shards in `folder` and wait until they can be asked; returns the router's handle. Ray is initialized.

    Args:
        folder: where `build` put them.
        name: what they are served under; what had that name before is replaced, replica by replica.
        replicas: how many of each shard, on different nodes where one may fail and there still are enough.
        routers: how many replicas of the router; each keeps an encoder of its own.
        deadline: seconds after which a question is answered from the shards that have answered.
        embedder: makes the encoder that they were built with.
        cpus: the share of a CPU that Ray sets aside for each replica; little, or a build beside them gets none.

    Raises:
        BadInput: if there are no shards.
    """
    import ray
    from ray import serve

    about = read_about(folder)
    if about is None:
        raise BadInput(f"there are no shards in {folder}: build them with `python -m index.cluster FOLDER`")
    nodes = sum(node["Alive"] for node in ray.nodes())
    options = {
        "max_replicas_per_node": 1 if nodes > max(replicas, routers) else None,
        "max_ongoing_requests": 64,
        "health_check_period_s": 2,
        "health_check_timeout_s": 10,
        "graceful_shutdown_timeout_s": 2,
        "ray_actor_options": {"num_cpus": cpus},
    }
    serve.start(proxy_location="Disabled")  # no HTTP: it is asked by handles
    served = Served(str(folder.resolve()), about["corpus"], about["shards"], about["encoder"], deadline)
    shards = [
        serve.deployment(ShardReplica)
        .options(name=f"shard-{number:04d}", num_replicas=replicas, **options)
        .bind(served.folder, number, embedder)
        for number in range(served.shards)
    ]
    router = serve.deployment(Router).options(name="router", num_replicas=routers, **options)
    return serve.run(router.bind(served, embedder, *shards), name=name, route_prefix=None)


def _by_shard(documents: Collection[str] | None, shards: int) -> Callable[[int], list[str] | None]:
    """By a shard's number those of the documents that belong to it, or None where all are meant."""
    if documents is None:
        return lambda number: None
    by_shard: dict[int, list[str]] = defaultdict(list)
    for path in documents:
        by_shard[shard_of(path, shards)].append(path)
    return lambda number: by_shard.get(number, [])


def _ids(survey: Survey, scored: Scored | None) -> Iterable[int]:
    yield from (number for number, _ in survey.dense)
    if scored is not None:
        yield from scored.cosines


def _hits(ranking: Ranking, passages: Mapping[int, IndexedPassage], chosen: Sequence[int]) -> list[Hit]:
    scores = dict(ranking.fused)
    return [
        Hit(passages[number], scores[number], ranking.dense.get(number), ranking.lexical.get(number))
        for number in chosen
        if number in passages
    ]

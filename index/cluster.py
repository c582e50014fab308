"""The same index on many machines, by Ray: `python -m index.cluster FOLDER` builds it and serves it.

`index.cluster_build` makes the shards, `index.cluster_serve` is what runs on the nodes. Here is what a program holds
that asks them; `index.cluster_join` starts and joins clusters.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from index.cluster_build import MakeEmbedder, build, read_about
from index.cluster_join import call, connect, listens, start
from index.cluster_serve import DEADLINE, Served, deploy
from index.cluster_shard import shard_of
from index.documents import Document
from index.embedder import DEFAULT_ENCODER
from index.errors import BadCorpus, IndexProblem, QAError
from index.index import Hit, sound_query
from index.light import embedder_named
from index.place import index_folder
from index.progress import Parser, progress_bar, tell, tell_error, visible
from index.store import Entry
from index.sync import Progress, SyncReport

SCHEME = "ray://"
ADDRESS = "127.0.0.1:6379"
LISTED_SECONDS = 10.0
"""How long a list of all documents is taken for current."""


class Hits(list[Hit]):
    """Hits, best first; `missing` of the `shards` did not answer in time, and nothing of theirs is among them."""

    def __init__(self, hits: Iterable[Hit] = (), *, missing: int = 0, shards: int = 1) -> None:
        """Keep the hits, and how many shards are missing."""
        super().__init__(hits)
        self.missing = missing
        self.shards = shards

    @property
    def partial(self) -> str | None:
        """Why these are not the hits of the whole corpus, in words for people; None where they are."""
        if not self.missing:
            return None
        return f"{self.missing} of {self.shards} parts of the documents did not answer in time"


class ClusterIndex:
    """An index that a cluster serves, with the methods of `Index`; safe to use from several threads."""

    def __init__(self, handle: Any, embedder: MakeEmbedder | None = None) -> None:
        """Take the handle of a served router; `open` finds one."""
        self._handle = handle
        self._served: Served = self._call("about")
        self._make = embedder or partial(embedder_named, self._served.encoder)
        self.embedder = self._make()
        self._lock = threading.Lock()
        self._listed: tuple[float, list[Entry]] = (-LISTED_SECONDS, [])

    @classmethod
    def open(cls, corpus: str, *, embedder: MakeEmbedder | None = None) -> ClusterIndex:
        """Open what a cluster serves.

        Args:
            corpus: `ray://HOST:PORT/NAME`, the address of the cluster's head (its control store, not that of a Ray
                client) and the name that it was served under; `ray://HOST:PORT` where that is the default.
            embedder: makes the encoder that it was built with, where that has no name.

        Raises:
            BadCorpus: if `corpus` has another form.
            IndexProblem: if there is no such cluster, or nothing of that name in it.
        """
        address, _, name = corpus.removeprefix(SCHEME).partition("/")
        if not corpus.startswith(SCHEME) or not address:
            raise BadCorpus(f"{corpus} is no address of a cluster: write ray://HOST:PORT/NAME")
        connect(address)
        from ray import serve
        from ray.serve.exceptions import RayServeException

        logging.getLogger("ray.serve").setLevel(logging.ERROR)  # else a terminal is told of each handle, and each delay
        try:
            return cls(serve.get_app_handle(name or "corpus"), embedder)
        except RayServeException as error:
            raise IndexProblem(f"the cluster at {address} serves no corpus named {name or 'corpus'}") from error

    def close(self) -> None:
        """Let go of it; the cluster goes on."""

    def search(self, query: str, k: int = 10, *, documents: Collection[str] | None = None) -> Hits:
        """As `Index.search`, the same ranking; `Hits.partial` says where not all shards answered in time.

        Raises:
            BadQuery: if the query is empty or too long, or `k` is less than 1.
            IndexProblem: if the cluster does not answer at all.
        """
        among = None if documents is None else sorted(documents)
        hits, missing = self._call("search", sound_query(query, k), k, among)
        return Hits(hits, missing=missing, shards=self._served.shards)

    def document(self, path: str) -> Document:
        """As `Index.document`."""
        number = shard_of(path, self._served.shards)
        return self._of({number: {"path": path}}, "document")[number]  # type: ignore[no-any-return]

    def documents(self) -> list[Entry]:
        """As `Index.documents`, at most `LISTED_SECONDS` old: all shards are asked for it."""
        with self._lock:
            if time.monotonic() - self._listed[0] > LISTED_SECONDS:
                entries = [entry for part in self._everywhere("documents").values() for entry in part]
                self._listed = (time.monotonic(), sorted(entries, key=lambda entry: entry.path))
            return self._listed[1]

    def unreadable(self) -> dict[str, str]:
        """As `Index.unreadable`."""
        found = {path: why for part in self._everywhere("unreadable").values() for path, why in part.items()}
        return dict(sorted(found.items()))

    def sync(self, corpus: Path, *, progress: Progress | None = None, wait: float = 60.0) -> SyncReport:
        """As `Index.sync`, on all nodes: see `index.cluster_build.build`. The replicas take it up by themselves."""
        report = build(corpus, Path(self._served.folder), embedder=self._make, progress=progress, wait=wait)
        self._listed = (-LISTED_SECONDS, [])
        return report

    @property
    def corpus(self) -> Path:
        """The folder that was indexed; where it is not to be seen from here, citations are taken for stale."""
        return Path(self._served.corpus)

    @property
    def synced(self) -> datetime | None:
        """When the shard that was brought up to date first last was."""
        times = [time for time in self._everywhere("synced").values() if time is not None]
        return min(times, default=None)

    def __len__(self) -> int:
        return sum(self._everywhere("__len__").values())

    def _everywhere(self, method: str) -> dict[int, Any]:
        return self._of({number: {} for number in range(self._served.shards)}, method)

    def _of(self, by_shard: Mapping[int, Mapping[str, Any]], method: str) -> dict[int, Any]:
        """What those shards answer, all of them."""
        found: dict[int, Any] = self._call("ask", method, by_shard)
        if missing := by_shard.keys() - found.keys():
            raise IndexProblem(f"{len(missing)} of {self._served.shards} shards did not answer in time: try again")
        return found

    def _call(self, method: str, *arguments: Any) -> Any:
        patience = DEADLINE if method == "about" else self._served.deadline  # "about" is asked first
        return call(self._handle, method, *arguments, patience=patience)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 done, 2 bad input, 130 stopped."""
    options = _parser().parse_args(arguments)
    try:
        if not options.folder.is_dir():
            raise BadCorpus(f"{options.folder} is no folder: give the folder that holds the documents")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        place = options.index or index_folder(options.folder).with_suffix(".cluster")
        if not listens(options.address):
            start(options.address)
        connect(options.address)
        encoder = options.encoder or (read_about(place) or {"encoder": DEFAULT_ENCODER})["encoder"]
        embedder = partial(embedder_named, encoder)
        with progress_bar() as progress:
            many = {"shards": options.shards, "workers": options.workers}
            report = build(options.folder, place, embedder=embedder, progress=progress, **many)
        deploy(place, name=options.name, replicas=options.replicas, routers=options.replicas, embedder=embedder)
    except QAError as error:
        tell_error("index.cluster", error)
        return 2
    except KeyboardInterrupt:
        print("\nindex.cluster: stopped; the same command goes on from there", file=sys.stderr)
        return 130
    tell(f"{report.documents:,} documents, {report.passages:,} passages in {visible(place)}")
    tell(f"{report.embedded:,} passages embedded in {report.seconds:.1f} s")
    for path, reason in report.unreadable:
        tell(f"  not indexed: {path!r}: {visible(reason)}")
    tell(f'Ask it: python -m qa "your question" --corpus {SCHEME}{options.address}/{options.name}')
    tell("ray stop ends the cluster")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m index.cluster",
        description="Index a folder of documents on a cluster and serve it; starts one of this machine if needed.",
    )
    parser.add_argument("folder", type=Path, help="the folder of documents, the same on every node")
    parser.add_argument("--index", type=Path, metavar="DIR", help="where the shards lie, the same on every node")
    parser.add_argument("--encoder", metavar="NAME", help="light, or as of python -m index (default: as before)")
    parser.add_argument("--shards", type=int, metavar="N", help="into how many shards (default: 4, or as before)")
    parser.add_argument("--replicas", type=int, default=2, metavar="N", help="of each shard (default: 2)")
    parser.add_argument("--workers", type=int, metavar="N", help="encoders at a time (default: all CPUs but one)")
    parser.add_argument("--name", default="corpus", help="what it is served under (default: corpus)")
    parser.add_argument("--address", default=ADDRESS, metavar="HOST:PORT", help=f"the cluster (default: {ADDRESS})")
    return parser


if __name__ == "__main__":
    from index.cluster import main as main_of_the_module  # so that what Ray sends around is found by its name

    sys.exit(main_of_the_module())

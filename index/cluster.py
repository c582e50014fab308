"""The same index on many machines, by Ray: `python -m index.cluster FOLDER` builds it and serves it.

`index.cluster_build` makes the shards, `index.cluster_serve` is what runs on the nodes. Here is what a program holds
that asks them, and how a cluster is started and joined: with a token, on this machine alone, reporting to nobody.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from index.cluster_build import MakeEmbedder, build
from index.cluster_serve import DEADLINE, Served, deploy
from index.cluster_shard import shard_of
from index.documents import Document
from index.embedder import Embedder
from index.errors import BadCorpus, BadQuery, IndexProblem, QAError
from index.index import LONGEST_QUERY, Hit
from index.place import index_folder
from index.store import Entry
from index.sync import Progress, SyncReport

SCHEME = "ray://"
ADDRESS = "127.0.0.1:6379"
LISTED_SECONDS = 10.0
"""How long a list of all documents is taken for current."""
_AGAIN_SECONDS = 0.05


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

    def __init__(self, handle: Any, embedder: MakeEmbedder = Embedder) -> None:
        """Take the handle of a served router; `open` finds one."""
        self._handle = handle
        self._make = embedder
        self.embedder = embedder()
        self._served: Served = self._call("about")
        self._lock = threading.Lock()
        self._listed: tuple[float, list[Entry]] = (-LISTED_SECONDS, [])

    @classmethod
    def open(cls, corpus: str, *, embedder: MakeEmbedder = Embedder) -> ClusterIndex:
        """Open what a cluster serves.

        Args:
            corpus: `ray://HOST:PORT/NAME`, the address of the cluster's head (its control store, not that of a Ray
                client) and the name that it was served under; `ray://HOST:PORT` where that is the default.
            embedder: makes the encoder that it was built with.

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

        logging.getLogger("ray.serve").setLevel(logging.WARNING)  # it tells a terminal of each handle it makes
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
        if not query.strip():
            raise BadQuery("the query is empty: write a question or a few words")
        if len(query) > LONGEST_QUERY:
            raise BadQuery(f"the query has {len(query):,} characters: at most {LONGEST_QUERY:,} are searched for")
        if k < 1:
            raise BadQuery(f"k is {k}: it must be at least 1")
        sound = query.encode("utf-8", "replace").decode()  # half a surrogate pair is no character
        hits, missing = self._call("search", sound, k, None if documents is None else sorted(documents))
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
        """Call the router; another of its replicas where one is lost meanwhile."""
        from ray.exceptions import RayError, RayTaskError
        from ray.serve.exceptions import RayServeException

        patience = DEADLINE if method == "about" else self._served.deadline
        end = time.monotonic() + 4 * patience
        while (left := end - time.monotonic()) > 0:
            try:
                return getattr(self._handle, method).remote(*arguments).result(timeout_s=left)
            except TimeoutError:
                break
            except RayTaskError as error:
                if isinstance(error.cause, QAError):
                    raise error.cause from error
                raise
            except (RayError, RayServeException):
                time.sleep(_AGAIN_SECONDS)
        raise IndexProblem("the cluster does not answer: is it still running? `ray status` says what there is of it")


def connect(address: str) -> None:
    """Join the cluster at `address` (HOST:PORT), of which this machine must be a node, with its token.

    Raises:
        IndexProblem: if it cannot be joined.
    """
    secure()
    if address.startswith("127.0.0.1:"):
        _keep_local()
    try:
        import ray
    except ModuleNotFoundError as error:
        raise IndexProblem('a cluster needs Ray: pip install "extractive-qa[cluster]"') from error
    if ray.is_initialized():
        return
    from ray.exceptions import AuthenticationError

    if not _listens(address):  # Ray would go on trying for minutes
        raise IndexProblem(f"nothing answers at {address}: start a cluster there with python -m index.cluster FOLDER")
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except AuthenticationError as error:
        raise IndexProblem(
            f"the cluster at {address} asks for a token: copy ~/.ray/auth_token from the machine that started it"
        ) from error
    except (ConnectionError, RuntimeError, ValueError) as error:  # all that Ray raises where it finds no cluster
        raise IndexProblem(f"there is no cluster to be joined at {address} ({str(error).splitlines()[0]})") from error


def secure() -> None:
    """Have Ray, where it was not told otherwise, ask for a token and report nothing to anybody; before its import."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def _keep_local() -> None:
    """Have Ray take 127.0.0.1 at its word: else it looks for the machine's outer address and listens on all of them."""
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def start(address: str = ADDRESS) -> None:
    """Start a cluster of this one machine that listens at `address`, HOST:PORT, and goes on when this process ends.

    Raises:
        IndexProblem: if Ray cannot be started.
    """
    secure()
    host, _, port = address.rpartition(":")
    if host == "127.0.0.1":
        _keep_local()
    command = [sys.executable, "-m", "ray.scripts.scripts"]
    head = ["start", "--head", f"--node-ip-address={host}", f"--port={port}", "--include-dashboard=false"]
    for arguments in (["get-auth-token", "--generate"], [*head, "--disable-usage-stats"]):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            why = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise IndexProblem(f"Ray cannot be started at {address} ({' '.join(why)})")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 done, 2 bad input, 130 stopped."""
    options = _parser().parse_args(arguments)
    from index.progress import progress_bar

    try:
        if not options.folder.is_dir():
            raise BadCorpus(f"{options.folder} is no folder: give the folder that holds the documents")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        place = options.index or index_folder(options.folder).with_suffix(".cluster")
        if not _listens(options.address):
            start(options.address)
        connect(options.address)
        with progress_bar() as progress:
            report = build(options.folder, place, shards=options.shards, workers=options.workers, progress=progress)
        deploy(place, name=options.name, replicas=options.replicas, routers=options.replicas)
    except QAError as error:
        print(f"index.cluster: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nindex.cluster: stopped; the same command goes on from there", file=sys.stderr)
        return 130
    print(f"{report.documents:,} documents, {report.passages:,} passages in {place}")
    print(f"{report.embedded:,} passages embedded in {report.seconds:.1f} s")
    for path, reason in report.unreadable:
        print(f"  not indexed: {path!r}: {reason}")
    print(f'Ask it: python -m qa "your question" --corpus {SCHEME}{options.address}/{options.name}')
    print("ray stop ends the cluster")
    return 0


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except (OSError, ValueError):
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m index.cluster",
        description="Index a folder of documents on a cluster and serve it; starts one of this machine if needed.",
    )
    parser.add_argument("folder", type=Path, help="the folder of documents, the same on every node")
    parser.add_argument("--index", type=Path, metavar="DIR", help="where the shards lie, the same on every node")
    parser.add_argument("--shards", type=int, metavar="N", help="into how many shards (default: 4, or as before)")
    parser.add_argument("--replicas", type=int, default=2, metavar="N", help="of each shard (default: 2)")
    parser.add_argument("--workers", type=int, metavar="N", help="encoders at a time (default: all CPUs but one)")
    parser.add_argument("--name", default="corpus", help="what it is served under (default: corpus)")
    parser.add_argument("--address", default=ADDRESS, metavar="HOST:PORT", help=f"the cluster (default: {ADDRESS})")
    return parser


if __name__ == "__main__":
    from index.cluster import main as main_of_the_module  # so that what Ray sends around is found by its name

    sys.exit(main_of_the_module())

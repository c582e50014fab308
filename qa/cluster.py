"""The reader on the nodes of a cluster: `python -m qa.cluster ray://HOST:PORT/NAME` serves it beside an index.

Whoever asks that corpus then reads there and not on their own machine, as many at a time as there are replicas.
Questions are not joined to batches: on a processor, eight read together take as long as one after the other (README,
figures), and what is read together differs by rounding.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from index import DEFAULT_ENCODER, BadInput, QAError, open_cluster
from index.cluster_join import call
from index.progress import Parser, tell, tell_error, visible
from qa.reader import Reader, ReadPassage, Span

PATIENCE = 10.0
"""Seconds in which a replica has read, with what waits there."""
_WAITING = 2  # at a replica, so that it need not wait for the next question


class ReaderReplica:
    """What runs in a replica: the packaged reader."""

    def __init__(self, encoder: str) -> None:
        """Load it, and read once, so that the first question need not wait for that."""
        self._reader = Reader.open(Path(encoder))
        self.read("Who?", [ReadPassage("", "Nobody.")])

    def read(self, question: str, passages: Sequence[ReadPassage]) -> list[list[Span]]:
        """As `Reader.read`."""
        return self._reader.read_in_turn(question, passages)


class ClusterReader(Reader):
    """A reader that a cluster serves; safe to use from several threads."""

    def __init__(self, handle: Any, replicas: int) -> None:
        """Take the handle of its deployment; `served_reader` finds one."""
        self._handle = handle
        self.at_a_time = _WAITING * replicas

    def read(self, question: str, passages: Sequence[ReadPassage]) -> list[list[Span]]:
        """As `Reader.read`.

        Raises:
            IndexProblem: if the cluster does not answer.
        """
        read: list[list[Span]] = call(self._handle, "read", question, list(passages), patience=PATIENCE)
        return read

    read_in_turn = read


def served_reader(corpus: str) -> ClusterReader | None:
    """The reader that is served beside `corpus`, `ray://HOST:PORT/NAME`, of a cluster that was joined; None without."""
    from ray import serve
    from ray.serve.exceptions import RayServeException

    name = _name(corpus)
    try:
        handle = serve.get_app_handle(name)
    except RayServeException:
        return None
    return ClusterReader(handle, sum(serve.status().applications[name].deployments["reader"].replica_states.values()))


def serve_reader(corpus: str, *, replicas: int = 2, cpus: float = 0.01) -> None:
    """Serve the packaged reader to all who ask `corpus`, and wait until it can be asked; the cluster was joined.

    Args:
        corpus: what is asked, `ray://HOST:PORT/NAME`.
        replicas: how many; each computes in one thread.
        cpus: the share of a CPU that Ray sets aside for each.
    """
    from ray import serve

    deployment = serve.deployment(ReaderReplica).options(
        name="reader",
        num_replicas=replicas,
        max_ongoing_requests=_WAITING,
        health_check_period_s=2,
        health_check_timeout_s=10,
        graceful_shutdown_timeout_s=2,
        ray_actor_options={"num_cpus": cpus},
    )
    serve.run(deployment.bind(DEFAULT_ENCODER), name=_name(corpus), route_prefix=None)


def _name(corpus: str) -> str:
    return f"{corpus.removeprefix('ray://').partition('/')[2] or 'corpus'}-reader"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 done, 2 bad input."""
    parser = Parser(prog="python -m qa.cluster", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("corpus", help="what is asked, ray://HOST:PORT/NAME")
    parser.add_argument("--replicas", type=int, default=2, metavar="N", help="each computes in one thread (default: 2)")
    options = parser.parse_args(arguments)
    try:
        if options.replicas < 1:
            raise BadInput(f"--replicas is {options.replicas}: it must be at least 1")
        open_cluster(options.corpus)
        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        serve_reader(options.corpus, replicas=options.replicas)
    except QAError as error:
        tell_error("qa.cluster", error)
        return 2
    tell(f"{visible(options.corpus)} is now read by {options.replicas} replicas on its cluster")
    return 0


if __name__ == "__main__":
    from qa.cluster import main as main_of_the_module  # so that what Ray sends around is found by its name

    sys.exit(main_of_the_module())

"""Joins, starts and asks clusters: with a token, on this machine alone unless told otherwise, reporting to nobody."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from index.errors import IndexProblem, QAError

AGAIN_SECONDS = 0.05
"""Between a replica that is lost and the next try."""


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

    if not listens(address):  # Ray would go on trying for minutes
        raise IndexProblem(f"nothing answers at {address}: start a cluster there with python -m index.cluster FOLDER")
    try:
        with _signals_kept():
            ray.init(address=address, log_to_driver=False, configure_logging=False)
    except AuthenticationError as error:
        raise IndexProblem(
            f"the cluster at {address} asks for a token: copy ~/.ray/auth_token from the machine that started it"
        ) from error
    except (ConnectionError, RuntimeError, ValueError) as error:  # all that Ray raises where it finds no cluster
        raise IndexProblem(
            f"there is no cluster to be joined at {address}, or it has another token than ~/.ray/auth_token here "
            f"({str(error).splitlines()[0]})"
        ) from error


def call(handle: Any, method: str, *arguments: Any, patience: float) -> Any:
    """Call a method of what a cluster serves; another of its replicas where one is lost meanwhile, or hangs.

    Args:
        handle: of the deployment, as Ray Serve gives it.
        method: the name.
        arguments: its arguments.
        patience: seconds in which a replica that is alive answers.

    Raises:
        IndexProblem: if none does in four times that.
        QAError: if the method raises one.
    """
    from ray.exceptions import RayError, RayTaskError
    from ray.serve.exceptions import RayServeException

    end = time.monotonic() + 4 * patience
    while (left := end - time.monotonic()) > 0:
        asked = getattr(handle, method).remote(*arguments)
        try:
            return asked.result(timeout_s=min(left, 1.5 * patience))
        except TimeoutError:
            asked.cancel()
        except RayTaskError as error:
            if isinstance(error.cause, QAError):
                raise error.cause from error
            raise
        except (RayError, RayServeException):
            time.sleep(AGAIN_SECONDS)
    raise IndexProblem("the cluster does not answer: is it still running? `ray status` says what there is of it")


@contextmanager
def _signals_kept() -> Iterator[None]:
    """What a program does when it is told to end stays its own affair: `ray.init` has it exit with status 15."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():  # in others Ray leaves it alone, and it can't be set
            signal.signal(signal.SIGTERM, before)


def secure() -> None:
    """Have Ray, where it was not told otherwise, ask for a token and report nothing to anybody; before its import."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def _keep_local() -> None:
    """Have Ray take 127.0.0.1 at its word: else it looks for the machine's outer address and listens on all of them."""
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def start(address: str) -> None:
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


def listens(address: str) -> bool:
    """Whether anything answers at that address, HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except (OSError, ValueError):
        return False
    return True

"""`python -m app`: serves the chat for a folder of documents on this machine."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C or a termination signal; 2 if the input is bad."""
    parser = argparse.ArgumentParser(prog="python -m app", description="Ask a folder of documents in the browser.")
    parser.add_argument("--corpus", type=Path, default=Path("seeds"), metavar="DIR", help="the documents (%(default)s)")
    parser.add_argument("--index", type=Path, metavar="DIR", help="where the index lies (the user's cache)")
    parser.add_argument("--port", type=int, default=7860, metavar="N", help="the port (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s: this machine only)")
    options = parser.parse_args(arguments)
    problem = _corpus_problem(options.corpus) or _port_problem(options.host, options.port)
    if problem:
        print(f"python -m app: {problem}", file=sys.stderr)
        return 2
    return _serve(options.corpus, options.index, options.host, options.port)


def _serve(corpus: Path, index: Path | None, host: str, port: int) -> int:
    # Before Gradio and the models are imported, for they read these then; and only then, for that takes seconds.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    from app.chat import build_chat, launch
    from qa import Pipeline, QAError

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        pipeline = Pipeline.open(corpus, index=index, progress=_progress)
    except QAError as error:
        print(f"python -m app: {error}", file=sys.stderr)
        return 2
    blocks = build_chat(pipeline, corpus)
    print(f"Ask at {launch(blocks, host, port)} (Ctrl-C ends it)", flush=True)
    stopped.wait()
    blocks.close(verbose=False)
    return 0


def _corpus_problem(corpus: Path) -> str | None:
    if not corpus.exists():
        return f"there is no folder {corpus}: name one that holds documents with --corpus DIR"
    if not corpus.is_dir():
        return f"{corpus} is no folder: name the folder it lies in with --corpus DIR"
    if not os.access(corpus, os.R_OK | os.X_OK):
        return f"the folder {corpus} cannot be read: its permissions do not allow it"
    return None


def _port_problem(host: str, port: int) -> str | None:
    if not 1 <= port <= 65535:
        return f"the port {port} is out of range: choose one from 1 to 65535 with --port N"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return f"cannot listen on {host}:{port} ({error.strerror or error}): choose another with --port N or --host"
    return None


def _progress(stage: str, done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total:
        print(f"\r{stage} {done:,} of {total:,}", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m app`: serves the chat for a folder of documents on this machine."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from app.hosts import LOCAL, Hosts, hosts


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C or a termination signal; 2 if the input is bad."""
    options = _parser().parse_args(arguments)
    users, auth_problem = _users(options.auth_file)
    names, names_problem = _names(options.host, options.allowed_hosts)
    problem = auth_problem or names_problem or _corpus_problem(options.corpus)
    problem = problem or _port_problem(options.host, options.port)
    if options.mcp and problem is None:
        problem = _mcp_problem(users)
    if problem:
        _tell_error(problem)
        return 2
    # What people add lies nowhere else, so it is gone when the server stops.
    with tempfile.TemporaryDirectory(prefix="extractive-qa-", ignore_cleanup_errors=True) as scratch:
        return _serve(options, users, names, Path(scratch))


def _serve(options: argparse.Namespace, users: list[tuple[str, str]], names: Hosts, scratch: Path) -> int:
    # Before Gradio and the models are imported, for they read these then; and only then, for that takes seconds.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**31)  # else it sums up all events after each, in pandas
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(scratch / "incoming")
    from app.chat import build_chat
    from app.server import launch
    from qa import Pipeline, QAError, feedback_file

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        pipeline = Pipeline.open(
            options.corpus,
            index=options.index,
            encoder=options.encoder,
            reader=options.reader,
            progress=_progress,
        )
    except QAError as error:
        _tell_error(str(error))
        return 2

    def warm_up() -> None:  # the first question takes a second longer than others: it is put while the page opens
        with suppress(QAError):
            pipeline.ask("What is it about?")

    folder = pipeline.index.corpus or Path(options.corpus)
    feedback = options.feedback or feedback_file(folder)
    blocks = build_chat(pipeline, folder, scratch / "uploads", feedback)
    address = launch(blocks, pipeline, options.host, options.port, users=users, mcp=options.mcp, names=names)
    print(f"Ask at {address} (Ctrl-C ends it)", flush=True)
    threading.Thread(target=warm_up).start()
    print(f"Thumbs and remarks are kept in {_plain(str(feedback))}", flush=True)
    if options.mcp:
        print(f"MCP at {address}gradio_api/mcp/", flush=True)
    if options.host not in LOCAL and not users:
        print("Whoever can reach this address may ask: set QA_AUTH or --auth-file to keep others out", file=sys.stderr)
    stopped.wait()
    blocks.close(verbose=False)
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(_plain(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m app",
        description="Ask a folder of documents in the browser. Each setting can also be given in the environment.",
        epilog="QA_AUTH=NAME:PASSWORD asks for a login as --auth-file does; a password is never given on the command "
        "line, where other users of the machine could read it. GET /health answers 200 while the server is up.",
    )

    def setting(flag: str, default: Any = None, text: str = "", **more: Any) -> None:
        name = "QA_" + flag.strip("-").upper().replace("-", "_")
        parser.add_argument(flag, default=os.environ.get(name) or default, help=f"{text} [{name}]", **more)

    setting("--corpus", "seeds", "the documents: a folder, or ray://HOST:PORT (default: seeds)", metavar="DIR")
    setting("--index", None, "where the index lies (default: the user's cache)", type=Path, metavar="DIR")
    setting("--encoder", None, "light, or a sentence-transformers name or folder", metavar="NAME")
    setting("--reader", None, "a folder that qa.train wrote (default: the packaged one)", type=Path, metavar="DIR")
    setting("--host", "127.0.0.1", "the address to listen on (default: 127.0.0.1, this machine only)")
    setting(
        "--allowed-hosts",
        "",
        "names that it is reached by beside the one it listens on, such as qa.example.org; * is any",
        metavar="NAME,NAME",
    )
    setting("--port", 7860, "the port (default: 7860)", type=int, metavar="N")
    setting("--auth-file", None, "who may come in: a file of lines NAME:PASSWORD", type=Path, metavar="FILE")
    setting("--feedback", None, "keeps thumbs and remarks (default: in your data folder)", type=Path, metavar="FILE")
    on = os.environ.get("QA_MCP", "").lower() in ("1", "true", "yes")
    parser.add_argument("--mcp", action="store_true", default=on, help="also answer as an MCP server [QA_MCP=1]")
    return parser


def _users(file: Path | None) -> tuple[list[tuple[str, str]], str | None]:
    """Names and passwords from QA_AUTH and the file, and what is wrong with them; no password is ever printed."""
    lines = [("QA_AUTH", os.environ["QA_AUTH"])] if os.environ.get("QA_AUTH") else []
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            return [], f"the file {file} cannot be read ({reason}): it should hold lines NAME:PASSWORD"
        found = [(f"{file}, line {n}", line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        if not found:
            return [], f"the file {file} names nobody: it should hold lines NAME:PASSWORD"
        lines += found
    users = []
    for place, line in lines:
        name, _, password = line.strip().partition(":")
        if not name or not password:
            return [], f"{place} is not NAME:PASSWORD"
        users.append((name, password))
    return users, None


def _names(host: str, named: str) -> tuple[Hosts, str | None]:
    """The names of the server, and what is wrong with those that were given."""
    try:
        return hosts(host, named), None
    except ValueError as error:
        return hosts(host), f"--allowed-hosts holds {str(error)!r}: give names such as qa.example.org, parted by commas"


def _mcp_problem(users: list[tuple[str, str]]) -> str | None:
    if users:
        return "Gradio's MCP server asks for no password: give either --mcp or QA_AUTH and --auth-file"
    if find_spec("mcp") is None:
        return '--mcp needs the package mcp: pip install "extractive-qa[mcp]"'
    return None


def _corpus_problem(given: str) -> str | None:
    if given.startswith("ray://"):
        return None  # whether there is such a cluster is seen when it is joined
    corpus = Path(given)
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


def _tell_error(text: str) -> None:
    print(f"python -m app: {_plain(text)}", file=sys.stderr)


def _plain(text: str) -> str:
    """`text` with all control characters shown; `qa` has more of that, and takes seconds to import."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _progress(stage: str, done: int, total: int) -> None:
    if sys.stderr.isatty() or done == total:
        print(f"\r{stage} {done:,} of {total:,}", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""What the tests in a browser, the screenshots and the measured start share: `python -m app` as people start it, in a
process of its own that can reach no other machine, and a browser that can reach none either.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, Route, expect

ROOT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium")
expect.set_options(timeout=30_000)  # a busy machine is no fault of the page
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

# Refuses and writes down whatever is not this machine, then becomes `python -m app`.
_GUARD = """
import runpy, socket, sys
here, real_connect, real_look_up = {None, "127.0.0.1", "::1", "localhost"}, socket.socket.connect, socket.getaddrinfo
file = sys.argv.pop(1)
def refuse(address):
    print(address, file=open(file, "a"), flush=True)
    raise OSError("blocked")
def connect(self, address):
    if self.family != socket.AF_UNIX and address[0] not in here:
        refuse(address)
    return real_connect(self, address)
def look_up(host, *rest, **named):
    return real_look_up(host, *rest, **named) if host in here else refuse(host)
socket.socket.connect, socket.getaddrinfo = connect, look_up
sys.modules["uvloop"] = None  # where it is installed, uvicorn would reach out through it, unseen
sys.argv[0] = "app"
runpy.run_module("app", run_name="__main__")
"""


@dataclass(frozen=True)
class Running:
    """A server that answers, and the file in which it writes what it tried to reach elsewhere."""

    address: str
    process: subprocess.Popen[str]
    tried: Path

    def reached_out(self) -> list[str]:
        """The addresses and names of other machines that it asked for: there should be none."""
        return self.tried.read_text(encoding="utf-8").splitlines() if self.tried.exists() else []


@contextmanager
def running(corpus: Path, folder: Path, port: int, *options: str) -> Iterator[Running]:
    """Serve `corpus` until the end of the block; index, feedback and what is added lie in `folder`."""
    for name in ("index", "scratch"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    arguments = ["--corpus", corpus, "--index", folder / "index", "--port", port, "--feedback", folder / "kept.jsonl"]
    tried = folder / "tried.txt"
    with (folder / "errors.txt").open("w") as errors, subprocess.Popen(
        [sys.executable, "-c", _GUARD, str(tried), *map(str, arguments), *options],
        stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT,
        env={**os.environ, "HOME": str(folder), "TMPDIR": str(folder / "scratch"), "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Ask at "), (folder / "errors.txt").read_text(encoding="utf-8")
            yield Running(line.split()[2], process, tried)
        finally:
            process.kill()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(page: Page, question: str) -> None:
    """Ask and wait for the answer."""
    turns = page.locator("#log article").count()
    page.get_by_role("textbox", name="Your question").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator("#log article")).to_have_count(turns + 1)
    expect(page.locator("#log .searching")).to_have_count(0)


def block_others(context: BrowserContext, outside: list[str]) -> None:
    """Let the browser reach nothing but this machine; its other requests are put in the list `outside`."""

    def only_here(route: Route) -> None:
        if urlsplit(route.request.url).hostname in {"127.0.0.1", None}:
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route("**/*", only_here)

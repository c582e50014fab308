"""Reads files of the formats that others wrote parsers for in a process of its own, with bounds on time and memory.

A file that takes too long, too much memory, or brings its parser down costs that process and nothing else. The
processes are kept for the next file, so that one is started only once; they end with this one.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import IO, Any

from index.blocks import Block, Content
from index.errors import UnreadableDocument

CPU_SECONDS = 60
"""Of the processor, for one file; ordinary ones take milliseconds."""
WALL_SECONDS = 300
MEMORY_BYTES = 2_000_000_000
PROCESSES = 2

_LENGTH = struct.Struct("!Q")
_TOO_LONG = f"reading it takes over {CPU_SECONDS} seconds: simplify or split it"
_TOO_LARGE = f"reading it takes over {MEMORY_BYTES // 1_000_000} MB of memory: simplify or split it"
_BROKEN = "its parser broke down over it: open it in the program it comes from and save it again"
_NO_PROCESS = "the process that reads such files does not start"


def read_bounded(data: bytes, suffix: str) -> Content:
    """What `documents.content_of` gives for these bytes, found out in another process.

    Raises:
        UnreadableDocument: for its reasons, or where a bound was met.
    """
    with _places:
        child = _take()
        try:
            content = child.read(data, suffix)
        except UnreadableDocument:
            _give(child)
            raise
        except BaseException:  # also when this thread is interrupted: what the process would say next is unknown
            child.end()
            raise
        _give(child)
        return content


def send(stream: IO[bytes], *parts: bytes) -> None:
    """Write byte strings, each after its length."""
    for part in parts:
        stream.write(_LENGTH.pack(len(part)))
        stream.write(part)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """Read one byte string that `send` wrote.

    Raises:
        EOFError: if the other side has ended.
    """
    length = _exactly(stream, _LENGTH.size)
    return _exactly(stream, _LENGTH.unpack(length)[0])


def packed(content: Content) -> bytes:
    """A content as JSON: never pickle, for what comes back was made of a hostile file."""
    blocks = [astuple(block) for block in content.blocks]
    return json.dumps([content.text, blocks, content.title, content.date]).encode()


class _Child:
    """One process that reads one file after another."""

    def __init__(self) -> None:
        # -P and a path of our own: nothing that lies in the folder somebody happens to be in is imported.
        path = os.pathsep.join(filter(None, [str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH")]))
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "index.child", str(CPU_SECONDS), str(MEMORY_BYTES)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
            )
        except OSError as error:
            raise UnreadableDocument(f"{_NO_PROCESS} ({error.strerror})") from error
        assert self.process.stdin is not None and self.process.stdout is not None
        self.input, self.output = self.process.stdin, self.process.stdout
        try:
            receive(self.output)  # it is ready
        except EOFError as error:
            self.end()
            raise UnreadableDocument(_NO_PROCESS) from error

    def read(self, data: bytes, suffix: str) -> Content:
        overdue = threading.Timer(WALL_SECONDS, self.process.kill)
        overdue.daemon = True
        overdue.start()
        try:
            send(self.input, suffix.encode(), data)
            answer: Any = json.loads(receive(self.output))
        except (EOFError, OSError) as error:
            raise UnreadableDocument(self._why_it_ended()) from error
        finally:
            overdue.cancel()
        if isinstance(answer, dict):
            raise UnreadableDocument(_TOO_LARGE if answer["refused"] is None else answer["refused"])
        text, blocks, title, date = answer
        return Content(text, tuple(Block(*block) for block in blocks), title, date)

    def usable(self) -> bool:
        return self.process.poll() is None and not select.select([self.output], [], [], 0)[0]

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.output.close()
        with suppress(OSError):  # what it had not read yet
            self.input.close()

    def _why_it_ended(self) -> str:
        status = self.process.wait()
        return {-9: _TOO_LONG, -24: _TOO_LONG}.get(status, _BROKEN)  # SIGKILL, SIGXCPU


_places = threading.BoundedSemaphore(PROCESSES)
_lock = threading.Lock()
_idle: list[_Child] = []


def _take() -> _Child:
    with _lock:
        while _idle:
            child = _idle.pop()
            if child.usable():
                return child
            child.end()
    return _Child()


def _give(child: _Child) -> None:
    if not child.usable():
        child.end()
        return
    with _lock:
        _idle.append(child)


@atexit.register
def end_all() -> None:
    """End the processes that wait for a file."""
    with _lock:
        while _idle:
            _idle.pop().end()


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data

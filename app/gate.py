"""What every request passes before Gradio sees it: is it put to this server, is there room for what it brings?

Plain ASGI around all routes, as Gradio has a setting for none of this.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from anyio.to_thread import run_sync
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.hosts import Hosts
from app.uploads import spare

MOST_WAITING = 1_000_000_000
"""How many bytes of uploads may wait on the disk, of all people together, until they are added to a conversation."""

LEAST_COUNTED = 100_000
"""What a smaller file counts as, so that there are never more than 10,000 of them."""

KEPT_SECONDS = 3600
"""How long an upload may wait to be added. Older ones are removed once half the room is taken, the oldest first."""

MOST_PARTS = 200
"""How many files one request may upload: Gradio keeps each of them open until all are there."""

MOST_SENT = 10_000_000
"""How many bytes any other request may have; Gradio reads them into memory."""

# Gradio's routes that write files or fetch them from elsewhere, and that the page does not use.
_CLOSED = re.compile(r"/gradio_api/(deep_link|process_recording|vibe|proxy=|file[=/]\w+:/)", re.IGNORECASE)

_LIMIT = "Not taken: the maximum allowed size of"  # Gradio answers 413 to a refusal with these words, 400 to others


class Gate:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, *, hosts: Hosts, incoming: Path) -> None:
        """Let through to `app` what is put to `hosts` and finds room in `incoming`, where Gradio keeps uploads."""
        self._app = app
        self._hosts = hosts
        self._room = _Room(incoming)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request or let it through."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        names, origins = headers.getlist("host") or [""], headers.getlist("origin")
        strange = [name for name in names if not self._hosts.hold(name)]
        foreign = [origin for origin in origins if not self._hosts.let_use(origin, names[0])]
        if strange:
            told = f"This server does not answer to {_short(strange[0])}. If that is its name"
            await PlainTextResponse(f"{told}, start it with --allowed-hosts.", 421)(scope, receive, send)
        elif foreign:
            told = f"No page of {_short(foreign[0])} may use this server. If that is its name"
            await PlainTextResponse(f"{told}, start it with --allowed-hosts.", 403)(scope, receive, send)
        elif _CLOSED.match(scope["path"]):
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        elif scope["path"] == "/gradio_api/upload":
            await self._room.measure()
            upload = _Upload(self._room, headers.get("content-type", ""))
            try:
                await self._let_through(upload, headers, scope, receive, send)
            finally:
                await self._room.measure()
                self._room.arriving -= upload.counted
        else:
            await self._let_through(_Body(), headers, scope, receive, send)

    async def _let_through(self, body: _Body, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def bounded() -> Message:
            message = await receive()
            body.take(message.get("body", b""))
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            length = headers.get("content-length", "")
            body.expect(int(length) if length.isdecimal() else 0)
            await self._app(scope, bounded, noted)
        except MultiPartException as error:
            if not answered:
                await PlainTextResponse(error.message, 413)(scope, receive, send)


def _short(header: str) -> str:
    return re.sub(r"[^\w.:/\[\]-]", "?", header[:100], flags=re.ASCII) or "a request without a name"


class _Body:
    """What a request brings. Too much raises MultiPartException, upon which Gradio removes what it wrote of it."""

    counted = 0

    def expect(self, length: int) -> None:
        if length > MOST_SENT:
            raise MultiPartException(f"{_LIMIT} a request is {MOST_SENT // 1_000_000} MB.")

    def take(self, data: bytes) -> None:
        self.counted += len(data)
        self.expect(self.counted)


class _Upload(_Body):
    """What an upload brings: it counts in the room from when it arrives to when the room was measured again."""

    def __init__(self, room: _Room, kind: str) -> None:
        self._room = room
        self._mark = b"--" + parse_options_header(kind)[1].get(b"boundary", b"")
        self._parts, self._rest = 0, b""

    def expect(self, length: int) -> None:
        if self._room.waiting + self._room.arriving + length > MOST_WAITING:
            raise MultiPartException(
                f"{_LIMIT} all that waits to be added, {MOST_WAITING // 1_000_000:,} MB, is reached. Try again later."
            )

    def take(self, data: bytes) -> None:
        seen = self._rest + data
        parts, self._rest = seen.count(self._mark), seen[1 - len(self._mark) :]
        self._parts += parts
        more = len(data) + parts * LEAST_COUNTED
        self.counted += more
        self._room.arriving += more
        self.expect(0)
        if self._parts > MOST_PARTS + 1:  # one mark is at the end
            raise MultiPartException(f"{_LIMIT} one upload is {MOST_PARTS} files. Send fewer at a time.")


class _Room:
    """The folder in which uploads wait until they are added.

    Attributes:
        waiting: what lay there when it was measured last, in bytes; what was still arriving then is in it.
        arriving: what the uploads that are under way have brought so far.
    """

    def __init__(self, folder: Path) -> None:
        self.waiting = self.arriving = 0
        self._folder = folder
        self._measuring = asyncio.Lock()  # else one that began earlier may end later, and tell what was

    async def measure(self) -> None:
        async with self._measuring:
            self.waiting = await run_sync(self._measure)

    def _measure(self) -> int:
        found = sorted(self._contents())
        total, old = sum(counted for _, counted, _ in found), time.time() - KEPT_SECONDS
        self._folder.mkdir(parents=True, exist_ok=True)
        most = min(MOST_WAITING, total + spare(self._folder))
        for changed, counted, path in found:
            if total <= most // 2 or changed > old:
                break
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
                total -= counted
            if path.parent != self._folder:
                with suppress(OSError):  # others may lie in it
                    path.parent.rmdir()
        return total + MOST_WAITING - most  # what the disk lacks counts as taken

    def _contents(self) -> Iterator[tuple[float, int, Path]]:
        """When each file or empty folder was changed last, and the bytes that it counts as."""
        for folder, folders, names in os.walk(self._folder):
            for path in [Path(folder, name) for name in names] or ([] if folders else [Path(folder)]):
                with suppress(OSError):
                    found = path.lstat()
                    yield found.st_mtime, max(found.st_size, LEAST_COUNTED), path

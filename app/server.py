"""Serves the page on an address: its looks, its limits, who may come in, and what watches over it may ask."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import gradio as gr
import safehttpx
from fastapi.exceptions import RequestValidationError
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.chat import WAITING
from app.gate import Gate
from app.hosts import Hosts, hosts
from qa import MAX_BYTES, Pipeline

_SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
_FIXED_FONTS = ("ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace")
# Nothing but this server, whatever a page should ever contain; Gradio itself needs inline scripts and `Function`.
_POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; base-uri 'self'; form-action 'self'"

SESSIONS = 1000
"""How many sessions are kept; each call of a program may be one of its own, and takes some 75 KB in Gradio."""


class Sessions(OrderedDict[str, Any]):
    """Gradio's sessions, by when they were last used: those of programs, which hold nothing, are the first to go."""

    def popitem(self, last: bool = True) -> tuple[str, Any]:
        """Remove a session and return it with its name; Gradio calls this when there are more than it may keep."""
        older = list(self)[:-1]  # the last is the one that there was no room for
        name = next((name for name in older if not self[name].state_data), older[0])
        return name, self.pop(name)


def launch(
    blocks: gr.Blocks,
    pipeline: Pipeline,
    host: str,
    port: int,
    *,
    users: Sequence[tuple[str, str]] = (),
    mcp: bool = False,
    names: Hosts | None = None,
) -> str:
    """Serve the page and return its address; `blocks.close()` ends it.

    Args:
        blocks: the page.
        pipeline: what it asks; `/health` says that it is there.
        host: the address to listen on.
        port: the port.
        users: names and passwords of those who may come in; everybody if empty.
        mcp: also answer as an MCP server, at `/gradio_api/mcp/`; it knows no `users`.
        names: what it answers to; if not given, `host` and this machine's names for itself.
    """
    # Gradio would fetch whatever a program names by a URL where a file is taken.
    safehttpx.get = safehttpx.async_validate_url = _fetch_nothing

    def health(_: Request) -> JSONResponse:
        counts = {"documents": len(pipeline.index.documents()), "passages": len(pipeline.index)}
        return JSONResponse({"status": "ok", **counts, "questions_that_may_wait": WAITING})

    async def refuse(_: Request, error: Exception) -> JSONResponse:
        # FastAPI's own answer repeats what was sent, and fails where that is no JSON, such as `Infinity`.
        found = error.errors() if isinstance(error, RequestValidationError) else []
        return JSONResponse({"detail": [{key: e[key] for key in ("type", "loc", "msg")} for e in found]}, 422)

    style = files("app").joinpath("chat.css").read_text(encoding="utf-8")
    _, url, _ = blocks.launch(
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        auth=list(users) or None,
        mcp_server=mcp,
        max_file_size=MAX_BYTES,
        theme=gr.themes.Base(font=_SYSTEM_FONTS, font_mono=_FIXED_FONTS),
        head=f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{style}</style>',
        app_kwargs={
            "routes": [Route("/health", health)],
            "middleware": [Middleware(Gate, hosts=names or hosts(host), incoming=Path(get_upload_folder()))],
            "exception_handlers": {RequestValidationError: refuse},
        },
        state_session_capacity=SESSIONS,
    )
    blocks.state_holder.session_data = Sessions()
    return url


async def _fetch_nothing(*_: object, **__: object) -> NoReturn:
    raise gr.Error("a file is taken only if it was uploaded here: nothing is fetched", print_exception=False)

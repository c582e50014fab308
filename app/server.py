"""Serves the page on an address: its looks, its limits, who may come in, and what watches over it may ask."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.chat import WAITING
from qa import MAX_BYTES, Pipeline

_SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif")
_FIXED_FONTS = ("ui-monospace", "Consolas", "DejaVu Sans Mono", "monospace")
# Nothing but this server, whatever a page should ever contain; Gradio itself needs inline scripts and `Function`.
_POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; base-uri 'self'; form-action 'self'"


def launch(
    blocks: gr.Blocks,
    pipeline: Pipeline,
    host: str,
    port: int,
    *,
    users: Sequence[tuple[str, str]] = (),
    mcp: bool = False,
) -> str:
    """Serve the page and return its address; `blocks.close()` ends it.

    Args:
        blocks: the page.
        pipeline: what it asks; `/health` says that it is there.
        host: the address to listen on.
        port: the port.
        users: names and passwords of those who may come in; everybody if empty.
        mcp: also answer as an MCP server, at `/gradio_api/mcp/`; it knows no `users`.
    """

    def health(_: Request) -> JSONResponse:
        counts = {"documents": len(pipeline.index.documents()), "passages": len(pipeline.index)}
        return JSONResponse({"status": "ok", **counts, "questions_that_may_wait": WAITING})

    style = files("app").joinpath("chat.css").read_text(encoding="utf-8")
    _, url, _ = blocks.launch(
        server_name=host,
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
        app_kwargs={"routes": [Route("/health", health)]},
    )
    return url

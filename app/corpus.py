"""The part of the page about the documents: the list, what to search in, one's own files, bringing it up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from app.listing import OWN, choices, chosen, listing
from app.sent import number
from app.uploads import Uploads
from qa import SUFFIXES, Answer, Pipeline, QAError, together

KEPT_SECONDS = 24 * 3600
"""How long after the last change the files of somebody are kept who never closes the page."""

_TELL_SECONDS = 0.3
_STAGES = {"reading": "Reading file", "embedding": "Indexing passage"}


@dataclass(frozen=True)
class Corpus:
    """What the rest of the page needs: the state with the person's own files, and what they limit the search to."""

    own: gr.State
    places: gr.Dropdown
    since: gr.Textbox
    until: gr.Textbox

    @property
    def inputs(self) -> list[Any]:
        """In the order in which `ask` takes their values."""
        return [self.own, self.places, self.since, self.until]


def ask(
    pipeline: Pipeline,
    question: str,
    history: Sequence[Answer],
    own: Uploads | None,
    places: Sequence[str] | None,
    since: str,
    until: str,
) -> Answer:
    """Ask the corpus and the person's own files, as far as they are to be searched; the better supported answer."""
    mine = None if own is None else own.pipeline
    added = [] if mine is None else mine.index.documents()
    only, only_added = chosen(pipeline.index.documents(), added, places or (), since, until)
    answers = []
    if only is None or only:
        answers.append(pipeline.ask(question, history=history, documents=only))
    if mine is not None and added and (only_added is None or only_added):
        answers.append(mine.ask(question, history=history, documents=only_added))
    return together(answers)


def place_corpus(
    page: gr.Blocks, pipeline: Pipeline, root: Path, part: Callable[..., gr.HTML], private: dict[str, Any]
) -> Corpus:
    """Build the part into `page`, which is being built; added files lie below `root`."""

    def listed(own: Uploads | None, **more: Any) -> tuple[str, dict[str, Any]]:
        entries, names = pipeline.index.documents(), [] if own is None else own.names()
        shown = listing(entries, pipeline.index.unreadable(), pipeline.index.synced, names, **more)
        return shown, gr.update(choices=choices(entries, names))

    def sync(own: Uploads | None) -> Iterator[tuple[Any, ...]]:
        folder = pipeline.index.corpus
        if folder is None:
            return
        try:
            for told in _followed(lambda progress: pipeline.index.sync(folder, progress=progress, wait=1)):
                yield listed(own, status=told)
            yield listed(own, status="Up to date.")
        except QAError as error:
            yield listed(own, status=f"Not brought up to date: {error}.")

    def add(sent: list[str] | None, own: Uploads | None) -> Iterator[tuple[Any, ...]]:
        own = own or Uploads(pipeline, root)
        paths, refused = [Path(path) for path in sent or ()], {}
        try:
            for told in _followed(lambda progress: refused.update(own.add(paths, progress))):
                yield *listed(own, status=told), own, gr.skip()
            status = "Added."
        except QAError as error:
            status = f"Not added: {error}."
        finally:
            for path in paths:  # Gradio's copy
                path.unlink(missing_ok=True)
        yield *listed(own, status="" if len(refused) == len(paths) else status, refused=refused), own, None

    def remove(own: Uploads | None, places: list[str] | None, event: gr.EventData) -> tuple[Any, ...]:
        names = [] if own is None else own.names()
        file = number(event._data, "file", len(names))
        if own is not None and file is not None:
            own.remove(names[file])
        shown, update = listed(own, status="Removed.")
        return shown, {**update, "value": [p for p in places or () if not p.startswith(OWN) or p in update["choices"]]}

    def turn_to(own: Uploads | None, event: gr.EventData) -> str:
        first = number(event._data, "first", len(pipeline.index.documents()))
        return listed(own, first=first or 0)[0]

    def title(*limits: Sequence[str]) -> dict[str, Any]:  # else a folded panel hides why nothing is found
        return gr.update(label="Documents: only those chosen here are searched" if any(limits) else "Documents")

    with gr.Accordion("Documents", open=False, elem_id="corpus") as panel:
        with gr.Row():
            places = gr.Dropdown(
                multiselect=True, allow_custom_value=True, label="Search only in", elem_id="places", min_width=220
            )  # fmt: skip
            since = gr.Textbox(label="From", placeholder="2031-03-04", max_length=10, min_width=100)
            until = gr.Textbox(label="To", placeholder="2031-03-04", max_length=10, min_width=100)
        files = gr.File(
            label="Add files of your own", file_count="multiple", file_types=sorted(SUFFIXES), height=84,
            elem_id="files",
        )  # fmt: skip
        up_to_date = gr.Button("Look for changes in the folder", elem_id="sync", size="sm")
        shown = part("", "listing")
    own = gr.State(None, time_to_live=KEPT_SECONDS, delete_callback=_close)
    one: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "files", **private}
    limits = [places, since, until]
    gr.on([limit.change for limit in limits], title, limits, panel, queue=False, trigger_mode="always_last", **private)
    up_to_date.click(sync, own, [shown, places], **one)
    files.upload(add, [files, own], [shown, places, own, files], **one)
    shown.delete(remove, [own, places], [shown, places], **one)
    shown.apply(turn_to, own, shown, queue=False, **private)
    page.load(listed, own, [shown, places], queue=False, **private)
    return Corpus(own, places, since, until)


def _close(own: Uploads | None) -> None:
    if own is not None:
        own.close()


def _followed(work: Callable[[Callable[[str, int, int], None]], object]) -> Iterator[str]:
    """How far `work` is, told while it is done in another thread; raises what it raises."""
    told = ["Beginning …"]

    def progress(stage: str, done: int, total: int) -> None:
        told[0] = f"{_STAGES.get(stage, stage)} {done:,} of {total:,} …"

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, progress)
        while wait([future], timeout=_TELL_SECONDS).not_done:
            yield told[0]
    future.result()

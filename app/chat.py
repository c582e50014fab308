"""The chat as a Gradio page: questions and answers on the left, the sources of the selected answer on the right.

Answers are our own escaped HTML in gr.HTML, not gr.Chatbot: its sanitizer drops the buttons and data attributes that
the citation numbers need, and it reads Markdown into text that must be shown as it stands. gr.HTML changes only the
elements that differ, so focus and scrolling stay, and a screen reader is told only what is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr

from app import render
from app.corpus import ask, place_corpus
from app.examples import example_questions
from app.keep import place_feedback, place_saving
from app.page import document_view, missing_document
from app.programs import offer
from app.sent import number, word
from app.uploads import Uploads
from qa import Answer, Pipeline, QAError

WAITING = 8
"""How many questions may wait for their turn, of all who use the page; one more is told that the page is busy."""

SHOWN_WHILE_SEARCHING = 400

_BUSY = f"Busy: as many questions are waiting as may ({WAITING}), so yours was not taken. Please ask again in a moment."
_WRONG = "Something went wrong, and your question was not answered. Whoever runs this page finds the reason in its log."


def build_chat(pipeline: Pipeline, corpus: Path, uploads: Path, feedback: Path) -> gr.Blocks:
    """Build the page; `app.server` serves it.

    Args:
        pipeline: what answers.
        corpus: the folder that it answers from.
        uploads: below this folder go the files that people add.
        feedback: the file in which their thumbs and remarks are kept.
    """
    entries = pipeline.index.documents()
    examples = example_questions([entry.title for entry in entries])
    welcome = render.welcome(len(entries), corpus.resolve().name, examples)

    def page(answers: tuple[Answer, ...], *, pending: str | None = None, problem: str | None = None) -> str:
        turns = render.conversation(answers, pending=pending, problem=problem)
        return turns if answers or pending is not None else welcome + turns

    def ask_turn(
        typed: str,
        answers: tuple[Answer, ...],
        own: Uploads | None,
        places: list[str] | None,
        since: str,
        until: str,
        event: gr.EventData,
    ) -> Iterator[tuple[Any, ...]]:
        example, turn = number(event._data, "example", len(examples)), number(event._data, "turn", len(answers))
        renew, before = turn is not None and word(event._data, "event") == "retry", answers
        if turn is not None:  # the question of that turn again: over renewed documents, or without what went before
            question, history = answers[turn].question, answers[:turn] if renew else ()
            answers = (*answers[:turn], *answers[turn + 1 :])
        else:
            question, history = typed if example is None else examples[example], answers
        question = question.encode("utf-8", "replace").decode().strip()
        if not question and answers:  # Enter pressed twice
            yield (gr.skip(),) * 6
            return
        if question:
            pending = question[:SHOWN_WHILE_SEARCHING] + "…" * (len(question) > SHOWN_WHILE_SEARCHING)
            yield page(answers, pending=pending), "", gr.skip(), gr.skip(), "", question
        try:
            if not question:
                raise QAError("please write a question")
            if renew and pipeline.index.corpus is not None:
                pipeline.index.sync(pipeline.index.corpus, wait=1)
            answer = ask(pipeline, question, history, own, places, since, until)
        except QAError as error:
            yield page(before, problem=_sentence(error)), typed or question, before, gr.skip(), gr.skip(), ""
            return
        turn = len(answers)
        answers = (*answers, answer)
        yield page(answers), gr.skip(), answers, render.sources(answer, turn), "", ""

    def failed(answers: tuple[Answer, ...], begun: str) -> tuple[Any, ...]:
        return page(answers, problem=_WRONG if begun else _BUSY), begun or gr.skip(), ""

    def as_it_is_now(answers: tuple[Answer, ...], turn: int) -> tuple[Any, ...]:
        now = answers[turn].rechecked()
        if now == answers[turn]:
            return gr.skip(), gr.skip(), render.sources(now, turn), now
        answers = (*answers[:turn], now, *answers[turn + 1 :])
        return answers, page(answers), render.sources(now, turn), now

    def select(answers: tuple[Answer, ...], event: gr.EventData) -> tuple[Any, ...]:
        turn = number(event._data, "turn", len(answers))
        return (gr.skip(),) * 4 if turn is None else (*as_it_is_now(answers, turn)[:3], "")

    def open_document(answers: tuple[Answer, ...], own: Uploads | None, event: gr.EventData) -> tuple[Any, ...]:
        turn = number(event._data, "turn", len(answers))
        place = None if turn is None else number(event._data, "place", len(render.places(answers[turn])))
        if turn is None or place is None:
            return (gr.skip(),) * 4
        *changed, now = as_it_is_now(answers, turn)
        cited = render.places(now)[place]
        try:
            mine = None if own is None else own.pipeline
            is_mine = mine is not None and cited.folder == str(mine.index.corpus)
            document = (mine if is_mine else pipeline).index.document(cited.document)
        except QAError:
            shown = missing_document(cited, turn)
        else:
            shown = document_view(document, now, turn, place)
        return (*changed, shown)

    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    model: dict[str, Any] = {"concurrency_limit": pipeline.reader.at_a_time, "concurrency_id": "cpu"}
    script = files("app").joinpath("chat.js").read_text(encoding="utf-8")

    def html(value: str, name: str, template: str = "${value}") -> gr.HTML:
        return gr.HTML(value, elem_id=name, html_template=template, js_on_load=script, apply_default_css=False)

    with gr.Blocks(title="Ask the documents", analytics_enabled=False, fill_width=True) as blocks:
        answers, begun = gr.State(()), gr.State("")
        with gr.Row(elem_id="panes"):
            with gr.Column(elem_id="left", min_width=0):
                with gr.Row(elem_id="top"):
                    gr.HTML("<h1>Ask the documents</h1>", elem_id="title", apply_default_css=False, js_on_load=None)
                    anew = gr.Button("New conversation", elem_id="anew", size="sm", min_width=0)
                    place_saving(answers, private)
                corpus_part = place_corpus(blocks, pipeline, uploads, html, private)
                log = html(welcome, "log", '<div role="log" aria-label="Conversation" tabindex="0">${value}</div>')
                place_feedback(feedback, log, answers, private)
                question = gr.Textbox(
                    label="Your question",
                    show_label=False,
                    container=False,
                    placeholder="Ask a question",
                    lines=1,
                    max_lines=5,
                    autofocus=True,
                    submit_btn="Ask",
                    elem_id="question",
                )
            with gr.Column(elem_id="right", min_width=0):
                panel = html(render.sources(None, 0), "sources")
                document = html("", "document")
        renewing = [log.retry, panel.retry, document.retry]  # may take long, and holds up nobody's questions
        # While its event runs, Gradio drops a click ("once"), which is right for those that are clicked twice; what is
        # asked meanwhile has its turn afterwards ("always_last"), and so each has an event of its own.
        for events, turns in (
            (question.submit, {**model, "trigger_mode": "always_last"}),
            (log.example_select, model),
            (log.undo, model),
            (renewing, {"concurrency_limit": 1, "concurrency_id": "files"}),
        ):
            asked = gr.on(
                events,
                ask_turn,
                [question, answers, *corpus_part.inputs],
                [log, question, answers, panel, document, begun],
                **turns,
                **{**private, "show_progress": "minimal"},
                show_progress_on=question,
            )
            asked.failure(failed, [answers, begun], [log, question, begun], queue=False, **private)
        opened = [log.expand, panel.expand, document.expand]
        gr.on(
            opened,
            open_document,
            [answers, corpus_part.own],
            [answers, log, panel, document],
            queue=False,
            trigger_mode="multiple",
            **private,
        )
        log.select(select, answers, [answers, log, panel, document], queue=False, trigger_mode="multiple", **private)
        document.collapse(None, None, document, js="() => ''", **private)
        anew.click(
            lambda: (welcome, "", (), render.sources(None, 0), ""),
            None,
            [log, question, answers, panel, document],
            queue=False,
            **private,
        )
        offer(pipeline, corpus.resolve().name, **model)
    return blocks.queue(max_size=WAITING)


def _sentence(error: QAError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")

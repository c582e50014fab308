"""The part of the page that keeps things: the conversation as a file, what somebody thinks of an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from app.sent import number, word
from qa import Answer, QAError, conversation_json, conversation_markdown, keep_feedback

_SAVE = """text => {
  if (!text) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "%s" }));
  link.download = "%s";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}"""


def place_saving(answers: gr.State, private: dict[str, Any]) -> None:
    """Two buttons that save the conversation; the browser makes the file, so that none is left on the server."""

    def markdown(answers: tuple[Answer, ...]) -> str:
        return conversation_markdown(answers) if _asked(answers) else ""

    def web_annotations(answers: tuple[Answer, ...]) -> str:
        return json.dumps(conversation_json(answers), ensure_ascii=False, indent=2) if _asked(answers) else ""

    for label, name, kind, write in (
        ("Save text", "conversation.md", "text/markdown", markdown),
        ("Save JSON", "conversation.json", "application/json", web_annotations),
    ):
        button = gr.Button(label, size="sm", elem_classes="save", min_width=0)
        text = gr.Textbox(visible=False)
        written = button.click(write, answers, text, **private)
        written.then(None, text, None, js=_SAVE % (kind, name), **private)


def place_feedback(file: Path, log: gr.HTML, answers: gr.State, private: dict[str, Any]) -> None:
    """A remark may be written to a thumb up or down before both are kept in `file`."""

    def begin(answers: tuple[Answer, ...], event: gr.EventData) -> tuple[Any, ...]:
        turn, right = number(event._data, "turn", len(answers)), word(event._data, "right") == "1"
        if turn is None:
            return gr.skip(), gr.skip(), gr.skip()
        label = f"What is {'right' if right else 'wrong'} about it? (You need not say.)"
        return gr.Row(visible=True), gr.Textbox("", label=label), (answers[turn], right)

    def keep(judged: tuple[Answer, bool] | None, remark: str) -> tuple[Any, ...]:
        if judged is not None:
            try:
                keep_feedback(file, judged[0], right=judged[1], remark=remark)
            except (QAError, OSError) as error:
                gr.Warning(f"Not kept: {error}")
                return gr.skip(), gr.skip()
            gr.Info("Kept. Thank you.", duration=4)
        return gr.Row(visible=False), None

    judged = gr.State(None)  # messages to the person, gr.Info, only come through the queue
    with gr.Row(visible=False, elem_id="remark") as form:
        remark = gr.Textbox(label="Remark", max_length=2000, max_lines=4, scale=4)
        send = gr.Button("Keep", size="sm", min_width=80)
        cancel = gr.Button("Cancel", size="sm", min_width=80)
    log.like(begin, answers, [form, remark, judged], queue=False, **private)
    gr.on([send.click, remark.submit], keep, [judged, remark], [form, judged], **private)
    cancel.click(lambda: (gr.Row(visible=False), None), None, [form, judged], queue=False, **private)


def _asked(answers: tuple[Answer, ...]) -> bool:
    if not answers:
        gr.Info("Nothing has been asked yet.", duration=4)
    return bool(answers)

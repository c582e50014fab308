"""What the server offers to programs: the named endpoints `ask`, `search` and `documents`, over HTTP and MCP.

Over HTTP the results are JSON; Gradio's MCP server writes the same as a Python literal.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from qa import Pipeline, QAError

MOST_READ, MOST_FOUND = 50, 100
"""How many passages one call may ask for, at most: what is asked for beyond is not looked up."""


def offer(pipeline: Pipeline, corpus: str, **model: Any) -> None:
    """Add the endpoints to the page that is being built.

    Args:
        pipeline: what is asked.
        corpus: what the folder of documents is called.
        model: how many calls of the model may run at a time, as Gradio's events take it.
    """

    # Their docstrings and types are what programs are told, so they are written for those.
    def ask(question: str, k: int = 5, documents: list[str] | None = None) -> dict[str, Any]:
        """Answer a question in the documents' own words, with citations, or say that the documents do not answer it.

        In the result, `text` is the answer, word for word, or null when the documents do not answer; then `related`
        holds the closest passages. `sentence` is the sentence it stands in, `confidence` the probability, 0 to 1, that
        it is right. Each citation names the document, its title and date, and the character range of the words.

        Args:
            question: The question, in English, at most 2,000 characters.
            k: How many passages are read at most, up to 50; more take longer.
            documents: The paths of the only documents to search, as `documents` lists them; all if not given.
        """
        _check_types("question", question, k, documents)
        try:
            return pipeline.ask(question, k=min(k, MOST_READ), documents=documents).to_dict()
        except QAError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def search(query: str, k: int = 10, documents: list[str] | None = None) -> list[dict[str, Any]]:
        """Find the passages of the documents that fit a query best, by meaning and by words, best first.

        Each has the document's path, title and date, the heading above, the character range, the text and the score.

        Args:
            query: A question or a few words.
            k: How many passages, at most 100.
            documents: The paths of the only documents to search, as `documents` lists them; all if not given.
        """
        _check_types("query", query, k, documents)
        try:
            hits = pipeline.index.search(query, min(k, MOST_FOUND), documents=documents)
        except QAError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return [
            {
                "document": hit.passage.document.path,
                "title": hit.passage.document.title,
                "date": hit.passage.document.date,
                "heading": hit.passage.heading,
                "start": hit.passage.start,
                "end": hit.passage.end,
                "text": hit.passage.text,
                "score": hit.score,
            }
            for hit in hits
        ]

    def documents() -> dict[str, Any]:
        """List the documents that are searched, with title, date, hash and number of passages.

        `unreadable` names the files that could not be read, and why; `synced` is when the folder was last looked at.
        """
        index = pipeline.index
        return {
            "corpus": corpus,
            "synced": None if index.synced is None else index.synced.isoformat(),
            "documents": [
                # Not "path": Gradio's client takes what has one for a file, and tries to download it.
                {"document": e.path, "title": e.title, "date": e.date, "sha256": e.sha256, "passages": e.passages}
                for e in index.documents()
            ],
            "unreadable": index.unreadable(),
        }

    gr.api(ask, api_name="ask", **model)
    gr.api(search, api_name="search", **model)
    gr.api(documents, api_name="documents")


def _check_types(name: str, text: object, k: object, documents: object) -> None:
    """Gradio hands on whatever JSON a program sent; what else is wrong with a value, `Pipeline` and `Index` say."""
    if not isinstance(text, str):
        raise gr.Error(f"{name} is {_short(text)}: it must be a string", print_exception=False)
    if not isinstance(k, int) or isinstance(k, bool):
        raise gr.Error(f"k is {_short(k)}: it must be a whole number", print_exception=False)
    if documents is not None and not (isinstance(documents, list) and all(isinstance(d, str) for d in documents)):
        message = f"documents is {_short(documents)}: it must be a list of paths, or null for all"
        raise gr.Error(message, print_exception=False)


def _short(value: object) -> str:
    """A value as JSON, the beginning of it."""
    written = json.dumps(value, default=str)
    return written if len(written) <= 80 else f"{written[:80]}…"

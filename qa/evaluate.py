"""Scores the whole system on a file of questions: `python -m qa.evaluate QUESTIONS`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from index import BadCorpus, BadInput, Index, QAError
from index.progress import Parser, progress_bar, tell, tell_error, write
from qa.outcomes import ask_all, figures_of
from qa.pipeline import PASSAGES, Pipeline
from qa.questions import Conversation, read_questions


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 done, 2 bad input, 130 stopped."""
    options = _parser().parse_args(arguments)
    try:
        if options.report or options.curve:
            _check_report(options)
        conversations = read_questions(options.questions)
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        with progress_bar() as progress, corpus_for(conversations, options.corpus) as (asked, corpus, scratch):
            place = options.index or scratch
            index = Index.open(place, encoder=options.encoder)
            index.embedder.embed(["warm", "up"])  # loading the encoder is no part of the indexing that is measured
            synced = index.sync(corpus, progress=progress)
            pipeline = Pipeline.open(
                corpus, index=place, encoder=options.encoder, reader=options.reader, threshold=options.threshold
            )
            outcomes = ask_all(asked, pipeline, k=options.k, history=options.history, progress=progress)
            figures = figures_of(outcomes, synced, null_margin=pipeline.confidence.null_margin)
            if options.report:
                from qa.report import report  # it draws with matplotlib, which nothing else needs

                curve = [
                    (k, outcomes if k == options.k else ask_all(asked, pipeline, k=k, history=options.history))
                    for k in options.curve
                ]
                parts = (options.questions.name, outcomes, figures, pipeline.index, pipeline.confidence)
                page = report(*parts, k=options.k, curve=curve)
                write(options.report, page)
        tell(table(figures))
        if options.json:
            write(options.json, json.dumps(figures, indent=2) + "\n")
    except QAError as error:
        tell_error("qa.evaluate", error)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


@contextmanager
def corpus_for(
    conversations: Sequence[Conversation], given: Path | None
) -> Iterator[tuple[list[Conversation], Path, Path]]:
    """The questions, the corpus to ask them of, and a folder for an index that is made anew, to measure that too.

    Without a corpus given, the contexts of SQuAD-shaped questions become one, a document each.
    """
    asked = list(conversations)
    with tempfile.TemporaryDirectory() as scratch:
        contexts = {q.context: q.title for turns in conversations for q in turns if q.context is not None}
        corpus = given or Path("seeds")
        if given is None and contexts:
            corpus = Path(scratch) / "corpus"
            corpus.mkdir()
            names = {context: f"{number:06d}.txt" for number, context in enumerate(contexts)}
            for context, name in names.items():
                # no translation of line ends: the answers' offsets count the characters as they are
                (corpus / name).write_text(f"{contexts[context]}\n\n{context}\n", encoding="utf-8", newline="")
            asked = [tuple(replace(q, document=names.get(q.context or "")) for q in turns) for turns in conversations]
        elif not corpus.is_dir():
            raise BadCorpus(f"{corpus} is no folder: give the folder that holds the documents with --corpus")
        yield asked, corpus, Path(scratch) / "index"


def need_matplotlib(option: str) -> None:
    """Raise BadInput, naming the option, where matplotlib is not installed."""
    if find_spec("matplotlib") is None:
        raise BadInput(f'{option} needs matplotlib: pip install "extractive-qa[report]"')


def _check_report(options: argparse.Namespace) -> None:
    """Find out before the work, not after it, what a report lacks."""
    if options.report is None:
        raise BadInput("--curve is a plot of the report: say where to write that with --report OUT.html")
    need_matplotlib("--report")
    if not options.report.parent.is_dir():
        raise BadInput(f"{options.report.parent} is no folder: --report writes a file into one that is there")


def _numbers(text: str) -> list[int]:
    numbers = sorted({int(part) for part in text.split(",")})
    if numbers[0] < 1:
        raise ValueError(f"{numbers[0]} passages cannot be read")
    return numbers


def table(figures: dict[str, Any]) -> str:
    """The figures as lines of name and value."""
    rows = []
    for name, value in figures.items():
        for part, figure in value.items() if isinstance(value, dict) else [("", value)]:
            shown = f"{figure:.3f}" if isinstance(figure, float) and figure < 2 else figure
            rows.append((f"{name} {part}".strip(), f"{shown:,.1f}" if isinstance(shown, float) else str(shown)))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value:>12}" for name, value in rows)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m qa.evaluate", description="Score the system on test questions.")
    parser.add_argument("questions", type=Path, help="JSONL of questions or conversations, or a SQuAD file")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="default: the questions' contexts, else seeds")
    parser.add_argument("--index", type=Path, metavar="DIR", help="keep the index there (default: made anew, removed)")
    parser.add_argument("--encoder", metavar="NAME", help="light, or a sentence-transformers name or folder")
    parser.add_argument(
        "--k", type=int, default=PASSAGES, help=f"how many passages are read at most (default: {PASSAGES})"
    )
    parser.add_argument(
        "--reader", type=Path, metavar="DIR", help="a folder that qa.train wrote (default: the packaged one)"
    )
    parser.add_argument("--threshold", type=float, help="confidence below which no answer is given; 0 always answers")
    parser.add_argument(
        "--without-history", dest="history", action="store_false", help="ask every turn of a conversation by itself"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures there")
    parser.add_argument("--report", type=Path, metavar="OUT.html", help="write a page with plots and every miss there")
    parser.add_argument(
        "--curve", type=_numbers, default=[], metavar="K,K,…", help="ask again reading so many passages, for the report"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

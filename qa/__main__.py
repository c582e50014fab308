"""`python -m qa "question"`: answers from a folder of documents, in the documents' own words."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from index import BadCorpus, BadQuery, QAError
from index.progress import Parser, progress_bar, tell, tell_error, visible_json
from qa.pipeline import LONGEST_QUESTION, PASSAGES, Pipeline

ANSWERED, BAD_INPUT, ABSTAINED, STOPPED = 0, 2, 3, 130


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    options = _parser().parse_args(arguments)
    try:
        # What can be known to be wrong is said before anything heavy is loaded.
        if not options.question.strip():
            raise BadQuery("the question is empty: write a question or a few words")
        if len(options.question) > LONGEST_QUESTION:
            raise BadQuery(
                f"the question has {len(options.question):,} characters: at most {LONGEST_QUESTION:,} are read"
            )
        if options.k < 1:
            raise BadQuery(f"--k is {options.k}: it must be at least 1")
        if not str(options.corpus).startswith("ray://") and not Path(options.corpus).is_dir():
            raise BadCorpus(f"{options.corpus} is no folder: give the folder that holds the documents with --corpus")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        with progress_bar() as progress:
            pipeline = Pipeline.open(
                options.corpus,
                index=options.index,
                encoder=options.encoder,
                reader=options.reader,
                threshold=options.threshold,
                progress=progress,
            )
        answer = pipeline.ask(options.question, k=options.k)
    except QAError as error:
        tell_error("qa", error)
        return BAD_INPUT
    except KeyboardInterrupt:
        return STOPPED
    if options.json:
        tell(visible_json(json.dumps(answer.to_dict(), ensure_ascii=False, indent=2)))
    else:
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        coloured = sys.stdout.isatty() and not plain
        tell(answer.render(bold=_bold if coloured else str))
    return ABSTAINED if answer.text is None else ANSWERED


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m qa",
        description="Answer a question from a folder of documents, in the documents' own words.",
        epilog="Exit status: 0 answered, 3 the documents do not answer, 2 bad input.",
    )
    parser.add_argument("question")
    parser.add_argument("--corpus", default="seeds", metavar="DIR", help="or ray://HOST:PORT (default: seeds)")
    parser.add_argument("--index", type=Path, metavar="DIR", help="where the index lies (default: in the user's cache)")
    parser.add_argument("--encoder", metavar="NAME", help="light, or a sentence-transformers name or folder")
    parser.add_argument(
        "--k", type=int, default=PASSAGES, help=f"how many passages are read at most (default: {PASSAGES})"
    )
    parser.add_argument(
        "--reader", type=Path, metavar="DIR", help="a folder that qa.train wrote (default: the packaged one)"
    )
    parser.add_argument("--threshold", type=float, help="confidence, 0 to 1, below which no answer is given")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())

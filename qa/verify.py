"""Checks every quotation of a saved conversation against the documents: `python -m qa.verify FILE.json`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from index import BadCorpus, BadInput, Document, QAError, UnreadableDocument, read_document
from index.progress import Parser, tell, tell_error, visible
from qa.export import FORMAT

GOOD, NOT_GOOD, BAD_INPUT = 0, 1, 2
LARGEST_FILE = 100_000_000


@dataclass(frozen=True)
class Quotation:
    """A citation of a saved conversation, and what its turn claims to be the cited words and their sentence."""

    name: str
    document: str
    sha256: str
    exact: str
    prefix: str
    suffix: str
    start: int
    end: int
    sentence: tuple[str, int, int] | None
    claimed: tuple[str, str] | None


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 all good, 1 some not, 2 bad input."""
    options = _parser().parse_args(arguments)
    folders = options.corpus or [Path("seeds")]
    try:
        for folder in folders:
            if not folder.is_dir():
                raise BadCorpus(f"{folder} is no folder: give the folder that holds the documents with --corpus")
        quotations = read_conversation(options.file)
    except QAError as error:
        tell_error("qa.verify", error)
        return BAD_INPUT
    found: dict[str, list[Document | str]] = {}
    bad = 0
    for quotation in quotations:
        if quotation.document not in found:
            found[quotation.document] = [_document(quotation.document, folder) for folder in folders]
        problem = check(quotation, found[quotation.document])
        bad += problem is not None
        words = " ".join(visible(quotation.exact).split())
        quoted = f"“{words[:60]}{'…' if len(words) > 60 else ''}”"
        place = f"{visible(quotation.document)} characters {quotation.start}-{quotation.end}"
        tell(f"{'good' if problem is None else 'BAD '}  {quotation.name}  {place}  {problem or quoted}")
    print(f"{len(quotations) - bad} of {len(quotations)} quotations stand where they are said to", file=sys.stderr)
    return NOT_GOOD if bad else GOOD


def check(quotation: Quotation, documents: Sequence[Document | str]) -> str | None:
    """Why a quotation is not good in any of the documents of its name (or reasons why there is none), or None."""
    reasons = []
    for document in documents:
        reason = document if isinstance(document, str) else _problem(quotation, document)
        if reason is None:
            return None
        reasons.append(reason)
    return "; ".join(dict.fromkeys(reasons))


def read_conversation(file: Path) -> list[Quotation]:
    """The quotations of a saved conversation, in their order.

    Raises:
        BadInput: if the file is none; says where it is wrong.
    """
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise BadInput(f"{file} has over {LARGEST_FILE // 1_000_000} MB: no conversation has")
        saved = json.loads(file.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # what is no UTF-8 or no JSON is a ValueError
        raise BadInput(f"{file} cannot be read as a saved conversation ({error})") from error
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise BadInput(f'{file} is no saved conversation: its "format" is not "{FORMAT}"')
    try:
        return [q for number, turn in enumerate(_list(saved, "turns"), 1) for q in _turn(turn, f"turn {number}")]
    except _Wrong as error:
        raise BadInput(f"{file} is no saved conversation: {error}") from error


class _Wrong(Exception):
    """Something in the file is not what it should be."""


def _turn(turn: Any, name: str) -> Iterator[Quotation]:
    yield from _answer(turn, name)
    for number, other in enumerate(_list(turn, "alternatives", name), 1):
        yield from _answer(other, f"{name}, alternative {number}")
    for annotation in _list(turn, "related", name):
        yield _quotation(annotation, f"{name}, related", None)


def _answer(answer: Any, name: str) -> Iterator[Quotation]:
    citations = _list(answer, "citations", name)
    text = answer.get("text")
    if text is None:
        if citations:
            raise _Wrong(f"{name} has citations and no text")
        return
    if not citations:
        raise _Wrong(f"{name} has a text and no citation")
    # The answer itself is what its first citation quotes; the others cite equal answers, perhaps otherwise written.
    claimed = (_text(answer, "text", name), _text(answer, "sentence", name))
    for number, annotation in enumerate(citations):
        yield _quotation(annotation, name, None if number else claimed)


def _quotation(annotation: Any, name: str, claimed: tuple[str, str] | None) -> Quotation:
    if not isinstance(annotation, dict) or annotation.get("type") != "Annotation":
        raise _Wrong(f"{name} has a citation that is no Annotation")
    name = f"{name} [{_number(annotation, 'number', name)}]"
    target: dict[str, Any] = annotation.get("target") or {}
    by_type = {s.get("type"): s for s in _list(target, "selector", name) if isinstance(s, dict) and _is_named(s)}
    words, place = by_type.get("TextQuoteSelector"), by_type.get("TextPositionSelector")
    sentence = target.get("sentence")
    return Quotation(
        name=name,
        document=unquote(_text(target, "source", name)),
        sha256=_text(target, "sha256", name),
        exact=_text(words, "exact", name),
        prefix=_text(words, "prefix", name),
        suffix=_text(words, "suffix", name),
        start=_number(place, "start", name),
        end=_number(place, "end", name),
        sentence=None
        if sentence is None
        else (_text(sentence, "exact", name), _number(sentence, "start", name), _number(sentence, "end", name)),
        claimed=claimed,
    )


def _problem(quotation: Quotation, document: Document) -> str | None:
    text, start, end = document.text, quotation.start, quotation.end
    before = text[max(0, start - len(quotation.prefix)) : start]
    if document.sha256 != quotation.sha256:
        return "the file is another than the one cited: its sha256 differs"
    if text[start:end] != quotation.exact:
        return "other words stand there"
    if before != quotation.prefix or text[end : end + len(quotation.suffix)] != quotation.suffix:
        return "other words stand before or after them"
    if quotation.sentence is not None:
        sentence, first, last = quotation.sentence
        if text[first:last] != sentence or not first <= start <= end <= last:
            return "their sentence is another"
    if quotation.claimed is not None:
        said = None if quotation.sentence is None else quotation.sentence[0]
        if quotation.claimed != (quotation.exact, said):
            return "the answer is not what its citation quotes"
    return None


def _document(name: str, folder: Path) -> Document | str:
    """The document of that name in the folder, never one outside of it; or why there is none."""
    try:
        return read_document(folder / name, folder)
    except UnreadableDocument as error:
        return error.reason
    except ValueError:  # a name that no file can have
        return "no file has such a name"


def _is_named(selector: dict[str, Any]) -> bool:
    return isinstance(selector.get("type"), str)


def _list(value: Any, key: str, name: str = "it") -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise _Wrong(f'{name} has no list "{key}"')
    return found


def _text(value: Any, key: str, name: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise _Wrong(f'{name} has no text "{key}"')
    return found


def _number(value: Any, key: str, name: str) -> int:
    found = value.get(key) if isinstance(value, dict) else None
    # Beyond 2^53 another program would read another number, and no file has as many characters.
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 2**53:
        raise _Wrong(f'{name} has no whole number "{key}"')
    return found


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m qa.verify",
        description="Check every quotation of a saved conversation: the file's hash, the place and the words.",
        epilog="Exit status: 0 all good, 1 some not, 2 bad input.",
    )
    parser.add_argument("file", type=Path, metavar="FILE.json", help="a conversation as the chat saves it")
    parser.add_argument(
        "--corpus", type=Path, action="append", metavar="DIR", help="the documents (default: seeds); may be repeated"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""A pipeline for the app's tests: a table of questions and words, a handful of documents, some of them hostile."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import re
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from app_process import free_port

from index import Anchor, Block, Document, Entry, Hit, Index, IndexedPassage
from qa import Alternative, Answer, BadQuery, Citation, Excerpt
from tests.conftest import LetterEmbedder

GRADIO_WARNINGS = [
    pytest.mark.filterwarnings(f"ignore:{message}:{category}")
    for message, category in (
        ("'future.no_silent_downcasting'", "DeprecationWarning"),  # gradio.queueing's use of pandas 3
        ("The copy keyword is deprecated", "DeprecationWarning"),  # the same
        ("unclosed event loop", "ResourceWarning"),  # gradio.utils.safe_get_lock makes loops that nothing closes
        ("unclosed <socket.socket fd=\\d+, family=1,", "ResourceWarning"),  # their socket pairs
    )
]

FERRY = (
    "Islands: Ferry crews strike over pay in Port Ellery\n"
    "12 March 2024\n"
    "Ferry crews walked out on Monday. Nothing sailed from Port Ellery, and the islands ran short of bread by Tuesday. "
    "The union asked for nine per cent.\n"
    "What the company says\n" + "The company said that it could not pay more than four per cent this year. " * 30 + "\n"
    "On Friday both sides met in the harbour office. They agreed on six per cent, said the mediator Ruth Okafor. "
    "Boats sail again from Saturday.\n"
    + "\n".join(f"Paragraph {n} tells of the tides and of nothing else at all, at some length." for n in range(40))
)
SECOND = "Strike ends after five days\nThe crews and the company agreed on six per cent on Friday evening. Cheers rose."
HOSTILE = (
    "<script>window.hacked = 1</script> \u202eevil\n"
    'The code is <img src=x onerror="window.hacked = 2"> ${window.hacked = 3} {{value}} `x` \x1b[31mred\x07 '
    "[link](javascript:alert(1)) </span></mark><iframe src='http://example.com/'></iframe> & that is all. More comes.\n"
    + "long"
    * 25_000
)
ANSWERS = {
    "what was agreed?": (("ferry.txt", "six per cent"), ("news/end.txt", "six per cent")),
    "who mediated?": (("ferry.txt", "Ruth Okafor"),),
    "what is the code?": (("<b>bad</b>.txt", "{{value}} `x` \x1b[31mred\x07 [link](javascript:alert(1)) </span>"),),
}


def document(path: str, text: str, date: str | None = None) -> Document:
    """A document whose lines are its blocks; short lines without a full stop at their end are headings."""
    blocks = tuple(
        Block(m.start(), m.end(), "paragraph" if m[0].endswith(".") or len(m[0]) > 90 else "heading")
        for m in re.finditer(r".+", text)
    )
    return Document(path, hashlib.sha256(text.encode()).hexdigest(), text.split("\n")[0], date, text, blocks)


def cite(number: int, of: Document, words: str, *, stale: bool = False) -> Citation:
    """A citation of the first place of `words`, in the sentence and the line around them."""
    start = of.text.index(words)
    line = next(b for b in of.blocks if b.start <= start < b.end)
    stop, end = of.text.rfind(". ", line.start, start), of.text.find(". ", start + len(words), line.end)
    first, last = line.start if stop < 0 else stop + 2, line.end if end < 0 else end + 1
    return Citation(
        number, of.path, of.title, of.date, start, start + len(words), words, first, last, of.text[first:last],
        Excerpt(line.start, line.end, of.text[line.start : line.end]),
        Anchor(of.text.count("\n", 0, start) + 1, None, of.title, None), of.sha256, "/nowhere", stale,
    )  # fmt: skip


class FakeIndex:
    """What `app` needs of an index."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = {d.path: d for d in documents}
        self.corpus = Path("/nowhere")  # `served` writes the files, for they are looked at when a citation is opened
        self.synced = datetime(2024, 3, 12, 9, 30, tzinfo=UTC)

    def documents(self) -> list[Entry]:
        return [Entry(d.path, d.sha256, d.title, d.date, len(d.blocks)) for d in self._documents.values()]

    def write(self, folder: Path) -> None:
        """Put the files into `folder`: from then on they are what the documents were read from."""
        self.corpus = folder
        for path, of in self._documents.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(of.text.encode())

    def unreadable(self) -> dict[str, str]:
        return {"scans/<i>old</i>.pdf": "there is no text in it: a scan?"}

    def search(self, query: str, k: int = 10, *, documents: Collection[str] | None = None) -> list[Hit]:
        if not query.strip():
            raise BadQuery("the query is empty: write a question or a few words")
        return [
            Hit(IndexedPassage(n, d, 0, d.blocks[1].start, d.blocks[1].end, d.title), 0.5, 1, None)
            for n, d in enumerate(self._documents.values())
            if documents is None or d.path in documents
        ][:k]

    def sync(self, folder: Path, *, progress: Any = None, wait: float = 60.0) -> None:
        """Looks at three files, one of them new, and takes its time."""
        for number in range(1, 4):
            if progress is not None:
                progress("reading", number, 3)
                time.sleep(0.5)
        new = document("news/new.txt", "A new headline\nA new thing happened.")
        self._documents[new.path] = new
        for path, of in self._documents.items():
            if (folder / path).is_file() and (text := (folder / path).read_bytes().decode()) != of.text:
                self._documents[path] = document(path, text, of.date)

    def __len__(self) -> int:
        return sum(len(d.blocks) for d in self._documents.values())

    def document(self, path: str) -> Document:
        if path not in self._documents:
            raise BadQuery(f"there is no document {path!r}")
        return self._documents[path]


class FakePipeline:
    """Answers what stands in `ANSWERS`, and "why?" as a follow-up; `gate` holds it back while cleared."""

    def __init__(self) -> None:
        self.index = FakeIndex(
            [
                document("ferry.txt", FERRY, "2024-03-12"),
                document("news/end.txt", SECOND),
                document("<b>bad</b>.txt", HOSTILE),
            ]
        )
        self.reader = SimpleNamespace(at_a_time=1)
        self.histories: list[int] = []
        self.searched: Collection[str] | None = None
        self.gate = threading.Event()
        self.gate.set()

    def ask(
        self,
        question: str,
        *,
        k: int = 5,
        history: Sequence[Answer] = (),
        documents: Collection[str] | None = None,
    ) -> Answer:
        self.gate.wait(20)
        self.searched = documents
        self.histories.append(len(history))
        if len(question) > 2000:
            raise BadQuery(f"the question has {len(question):,} characters: at most 2,000 are read")
        if question == "crash":
            raise RuntimeError("a mistake in the program")
        asked, understood = question.lower(), None
        if asked == "why?" and history:
            asked, understood = "who mediated?", "Why <did> the mediator?"
        if asked not in ANSWERS:
            near = self.index.document("news/end.txt")
            related = (self._cite(1, near, near.text.split("\n")[1]),)
            return Answer(question, None, None, 0.1, (), related=related, understood_as=understood)
        cited = tuple(self._cite(n, self.index.document(p), words) for n, (p, words) in enumerate(ANSWERS[asked], 1))
        others: tuple[Alternative, ...] = ()
        if asked == "what was agreed?":
            other = self._cite(3, self.index.document("ferry.txt"), "nine per cent")
            others = (Alternative(other.text, other.sentence, 0.22, (other,)),)
        first = cited[0]
        return Answer(question, first.text, first.sentence, 0.83, cited, others, (), understood)

    def _cite(self, number: int, of: Document, words: str) -> Citation:
        return replace(cite(number, of, words), folder=str(self.index.corpus))


@contextmanager
def served(pipeline: FakePipeline, **settings: Any) -> Iterator[str]:
    """The address of a real server that asks `pipeline`; what Gradio leaves behind is collected at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="uploads-") as uploads,
        tempfile.TemporaryDirectory(prefix="corpus-") as source,
    ):
        pipeline.uploads = Path(uploads)
        pipeline.index.write(Path(source))
        with launched(pipeline, Path("tests/corpus"), Path(uploads), **settings) as address:
            yield address


@contextmanager
def launched(pipeline: Any, corpus: Path, uploads: Path, **settings: Any) -> Iterator[str]:
    """As `served`, of any pipeline, which has its page as `blocks` meanwhile."""
    from app.chat import build_chat  # not at the top: the tests of HTML need no Gradio
    from app.server import launch

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GRADIO_TEMP_DIR", str(uploads / "incoming"))  # as `python -m app` has one of its own
        blocks = pipeline.blocks = build_chat(pipeline, corpus, uploads, uploads / "feedback.jsonl")
        try:
            yield launch(blocks, pipeline, settings.pop("host", "127.0.0.1"), free_port(), **settings)
        finally:
            blocks.close(verbose=False)
            pipeline.blocks = None
            del blocks
            asyncio.set_event_loop(None)
            gc.collect()


class OwnPipeline:
    """What answers from added files: the first word "mill" in what the search finds for "What burned?"."""

    def __init__(self, _: FakePipeline, index: Path) -> None:
        self.index = Index(index, LetterEmbedder())

    def ask(self, question: str, *, history: Sequence[Answer] = (), documents: Any = None) -> Answer:
        hits = self.index.search(question, 3, documents=documents)
        if question != "What burned?" or not hits:
            return Answer(question, None, None, 0.0, ())
        cited = replace(cite(1, hits[0].passage.document, "mill"), folder=str(self.index.corpus))
        return Answer(question, "mill", cited.sentence, 0.9, (cited,))

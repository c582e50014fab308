"""Brings a store up to date with a folder: reads what changed, embeds what is new, commits once."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from index.documents import Document, file_sha256, read_document
from index.embedder import Embedder
from index.errors import BadCorpus, UnreadableDocument
from index.files import find_stamps
from index.passages import Passage, split
from index.store import Store

COMMIT_PASSAGES = 256
READ_AHEAD = 16
"""Documents that are read while the passages of those before them are embedded."""
MAX_BLOCKS = 200_000
"""Of one document. With its length this bounds its passages, and so for how long it holds up all others."""
RECIPE = "1"
"""To be raised with every change to what `documents` reads, `passages` splits or `embedded_text` gives: documents that
were indexed by another recipe are read and split again, and what then is new is embedded."""

A = TypeVar("A")
B = TypeVar("B")


class Progress(Protocol):
    """Is told how far a sync is: `stage` is "reading" (files) or "embedding" (passages)."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` are done."""


@dataclass(frozen=True)
class SyncReport:
    """What a sync did. Paths are relative to the corpus; `renamed` pairs old and new, `unreadable` path and reason."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    unreadable: tuple[tuple[str, str], ...]
    documents: int
    passages: int
    embedded: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


@dataclass(frozen=True)
class Changes:
    """What stands in the folder and not, or not so, in the store; new stamps of documents, with their hashes."""

    documents: tuple[Document, ...]
    gone: tuple[str, ...]
    unreadable: dict[str, str]
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    stamps: dict[str, tuple[str, str]]


def find_changes(
    store: Store,
    folder: Path,
    progress: Progress | None = None,
    among: Callable[[str], bool] | None = None,
    *,
    read: Callable[[Document], object],
    read_all: bool = False,
    verify: bool = True,
) -> Changes:
    """Compare the files of `folder` with the store by their stamps, then by their hashes, and read those that differ.

    Given `among`, only the files count to whose path in the folder it says yes. `read` is called with each document
    that is new or differs, while the next ones are read. `read_all` has all compared by their hashes; without `verify`
    the store's rows are taken to be what was written.

    Raises:
        BadCorpus: if the folder is none or cannot be listed.
    """
    if not folder.is_dir():
        raise BadCorpus(f"{folder} is no folder: give the folder that holds the documents")
    try:
        files = {name: stamp for name, stamp in find_stamps(folder).items() if among is None or among(name)}
    except OSError as error:
        raise BadCorpus(f"{folder} cannot be listed ({error.strerror}): check its permissions") from error
    known, kept = store.hashes(), {} if read_all else store.stamps()
    sound = known if store.manifest("recipe") == RECIPE else {}
    if sound and verify:
        sound = {name: sound[name] for name in known.keys() - store.damaged()}
    same = {n for n, stamp in files.items() if n in sound and stamp is not None and kept.get(n) == (stamp, sound[n])}
    to_read = [name for name in files if name not in same]
    fresh, unreadable, stamps = [], {}, {}
    for number, (name, found) in enumerate(_ahead(to_read, partial(_read, folder, sound)), 1):
        stamp = files[name]
        if isinstance(found, UnreadableDocument):
            unreadable[name.encode("utf-8", "backslashreplace").decode()] = found.reason
        else:
            if stamp is not None:
                stamps[name] = (stamp, known[name] if found is None else found.sha256)
            if found is None:
                same.add(name)
            else:
                fresh.append(found)
                read(found)
        if progress is not None:
            progress("reading", number, len(to_read))
    gone = known.keys() - same - {d.path for d in fresh}
    by_hash: dict[str, list[str]] = {}
    for name in sorted(gone):
        by_hash.setdefault(known[name], []).append(name)
    renamed = []
    for document in fresh:
        if document.path not in known and by_hash.get(document.sha256):
            renamed.append((by_hash[document.sha256].pop(0), document.path))
    old_names, new_names = {old for old, _ in renamed}, {new for _, new in renamed}
    return Changes(
        documents=tuple(fresh),
        gone=tuple(sorted(gone)),
        unreadable=unreadable,
        added=tuple(d.path for d in fresh if d.path not in known and d.path not in new_names),
        changed=tuple(d.path for d in fresh if d.path in known and d.sha256 != known[d.path]),
        removed=tuple(sorted(gone - old_names)),
        renamed=tuple(renamed),
        stamps=stamps,
    )


def _read(folder: Path, known: Mapping[str, str], name: str) -> tuple[str, Document | UnreadableDocument | None]:
    """The name; and the document, why it cannot be read, or None if its hash still is the known one."""
    path = folder / name
    try:
        if name in known and file_sha256(path, folder) == known[name]:
            return name, None
        document = read_document(path, folder)
        if len(document.blocks) > MAX_BLOCKS:
            raise UnreadableDocument(f"it has over {MAX_BLOCKS:,} paragraphs: split it")
        return name, document
    except UnreadableDocument as error:
        return name, error


def _ahead(items: Iterable[A], work: Callable[[A], B]) -> Iterator[B]:
    """What `work` makes of each item, another thread being up to `READ_AHEAD` items ahead of what is used."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="reading-files")
    waiting: deque[Future[B]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > READ_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class Embedding:
    """Splits documents and embeds the passages whose content has no vector yet, `COMMIT_PASSAGES` a transaction."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        """Take the store that has the vectors so far and gets the new ones."""
        self.store = store
        self.embedder = embedder
        self.passages: dict[str, list[tuple[Passage, bytes]]] = {}
        self.embedded = 0
        self._waiting: dict[bytes, str] = {}

    @cached_property
    def _known(self) -> set[bytes]:
        return self.store.known_contents()

    def add(self, document: Document) -> None:
        """Split a document, and embed what waits once it is enough for a commit."""
        listed = []
        for passage in split(document):
            text = embedded_text(document, passage)
            content = hashlib.sha256(text.encode()).digest()
            listed.append((passage, content))
            if content not in self._known:
                self._known.add(content)
                self._waiting[content] = text
        self.passages[document.path] = listed
        while len(self._waiting) >= COMMIT_PASSAGES:
            self._commit()

    def finish(self, progress: Progress | None = None) -> None:
        """Embed what still waits."""
        total = self.embedded + len(self._waiting)
        while self._waiting:
            self._commit()
            if progress is not None:
                progress("embedding", self.embedded, total)

    def _commit(self) -> None:
        batch = list(islice(self._waiting.items(), COMMIT_PASSAGES))
        vectors = self.embedder.embed([text for _, text in batch])
        with self.store.transaction():
            self.store.add_vectors([content for content, _ in batch], vectors)
        self.embedded += len(batch)
        for content, _ in batch:
            del self._waiting[content]


def embedded_text(document: Document, passage: Passage) -> str:
    """What the encoder is given for a passage: the document's title, then the text.

    On the development questions this ranked better than the text alone, or with the heading as well (README, figures).
    """
    return f"{document.title}\n{document.text[passage.start : passage.end]}"

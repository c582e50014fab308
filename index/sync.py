"""Brings a store up to date with a folder: reads what changed, embeds what is new, commits once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from index.documents import Document, file_sha256, read_document
from index.embedder import Embedder
from index.errors import BadCorpus, UnreadableDocument
from index.files import find_stamps
from index.passages import Passage, split
from index.store import Store

COMMIT_PASSAGES = 256
MAX_BLOCKS = 200_000
"""Of one document. With its length this bounds its passages, and so for how long it holds up all others."""
RECIPE = "1"
"""To be raised with every change to what `documents` reads, `passages` splits or `embedded_text` gives: documents that
were indexed by another recipe are read and split again, and what then is new is embedded."""


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
    read_all: bool = False,
    verify: bool = True,
) -> Changes:
    """Compare the files of `folder` with the store by their stamps, then by their hashes, and read those that differ.

    Given `among`, only the files count to whose path in the folder it says yes. `read_all` has all compared by their
    hashes; without `verify` the store's rows are taken to be what was written.

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
    sound = known.keys() - (store.damaged() if verify else ()) if store.manifest("recipe") == RECIPE else set()
    same = {n for n, stamp in files.items() if n in sound and stamp is not None and kept.get(n) == (stamp, known[n])}
    to_read = [name for name in files if name not in same]
    fresh, unreadable, stamps = [], {}, {}
    for number, name in enumerate(to_read, 1):
        path, stamp = folder / name, files[name]
        try:
            if name in sound and file_sha256(path, folder) == known[name]:
                same.add(name)
                if stamp is not None:
                    stamps[name] = (stamp, known[name])
            else:
                document = read_document(path, folder)
                if len(document.blocks) > MAX_BLOCKS:
                    raise UnreadableDocument(f"it has over {MAX_BLOCKS:,} paragraphs: split it")
                fresh.append(document)
                if stamp is not None:
                    stamps[name] = (stamp, document.sha256)
        except UnreadableDocument as error:
            unreadable[name.encode("utf-8", "backslashreplace").decode()] = error.reason
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


def embed_new(
    store: Store, embedder: Embedder, documents: Sequence[Document], progress: Progress | None = None
) -> tuple[dict[str, list[tuple[Passage, bytes]]], int]:
    """Split documents and embed the passages whose content has no vector yet, committing every `COMMIT_PASSAGES`.

    Returns:
        for each document's path its passages with their content hashes; and how many were embedded.
    """
    passages, new, known = {}, {}, store.known_contents() if documents else set()
    for document in documents:
        listed = []
        for passage in split(document):
            text = embedded_text(document, passage)
            content = hashlib.sha256(text.encode()).digest()
            listed.append((passage, content))
            if content not in known:
                new[content] = text
        passages[document.path] = listed
    waiting = sorted(new.items(), key=lambda item: -len(item[1]))
    done = 0
    for batch in _batches(waiting, COMMIT_PASSAGES):
        vectors = embedder.embed([text for _, text in batch])
        with store.transaction():
            store.add_vectors([content for content, _ in batch], vectors)
        done += len(batch)
        if progress is not None:
            progress("embedding", done, len(waiting))
    return passages, len(waiting)


def embedded_text(document: Document, passage: Passage) -> str:
    """What the encoder is given for a passage: the document's title, then the text.

    On the development questions this ranked better than the text alone, or with the heading as well (README, figures).
    """
    return f"{document.title}\n{document.text[passage.start : passage.end]}"


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]

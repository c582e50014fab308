"""Indexes a folder of documents with Ray Data on all nodes of a cluster, into shards that are ordinary indexes.

First the documents that are new or changed are read and split, and a pool of actors embeds their passages and lays the
vectors down in small files; then one task a shard takes these up and brings its index up to date as `Index.sync` does
on one machine. What was embedded is never lost: a build that is killed takes up at its next start what lies there. Ray
does again what a lost worker was doing, and a file that is written twice is the same file.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.cluster_shard import Shard, shard_folder, shard_of
from index.documents import file_sha256, read_document
from index.embedder import Embedder
from index.errors import BadCorpus, BadInput, UnreadableDocument, WrongEmbedder
from index.files import find_documents
from index.lock import only_writer
from index.passages import split
from index.sync import Progress, SyncReport, embedded_text

BATCH = 256
"""Passages that are embedded together; a killed build does at most so many a worker again."""

MakeEmbedder = Callable[[], Embedder]


def read_about(folder: Path) -> dict[str, Any] | None:
    """What `build` noted of the index in `folder`: "shards", "corpus", "encoder"; None where there is none."""
    try:
        return dict(json.loads((folder / "cluster.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def build(
    corpus: Path,
    folder: Path,
    *,
    shards: int | None = None,
    embedder: MakeEmbedder = Embedder,
    workers: int | None = None,
    progress: Progress | None = None,
    wait: float = 60.0,
) -> SyncReport:
    """Bring the shards in `folder` up to date with the files of `corpus`; Ray must be initialized.

    Both folders must be there under the same path on every node.

    Args:
        corpus: the folder of documents.
        folder: where the shards lie or will lie.
        shards: how many; 4 unless there are some already.
        embedder: makes the encoder, in every worker.
        workers: how many encoders at a time, each of one CPU; by default one for each CPU of the cluster but one.
        progress: is told how many passages are embedded, and how many shards are up to date.
        wait: seconds to wait for another build of the same shards.

    Raises:
        BadCorpus: if `corpus` is no folder.
        BadInput: if there are shards in `folder`, but another number of them.
        WrongEmbedder: if they were made with another encoder.
        Busy: if another build goes on for longer than `wait`.
    """
    import ray

    started = time.monotonic()
    if not corpus.is_dir():
        raise BadCorpus(f"{corpus} is no folder: give the folder that holds the documents")
    about = read_about(folder)
    count = shards or (4 if about is None else about["shards"])
    if count < 1 or (about is not None and about["shards"] != count):
        had = "" if about is None else f": the index in {folder} has {about['shards']}, another number needs a new one"
        raise BadInput(f"the number of shards is {count}{had}")
    made = embedder()
    if about is not None and about["encoder"] != made.label:
        raise WrongEmbedder(f"the shards in {folder} were made with the encoder {about['encoder']}, not {made.label}")
    corpus, folder = corpus.resolve(), folder.resolve()
    _note(folder, {"shards": count, "corpus": str(corpus), "encoder": made.label})
    with only_writer(folder, wait):
        tasks = _Tasks(count, folder, folder / "staged" / made.fingerprint, embedder)
        names = [path.relative_to(corpus).as_posix() for path in find_documents(corpus)]
        rows = [{"shard": shard_of(name, count), "path": name} for name in names]
        known = tasks.start(_take_up)
        ray.wait(known, num_returns=count)  # an encoder that waits for them may have the CPU that they wait for
        embedded = _embed(rows, known, corpus, tasks.staged, embedder, workers, progress)
        waiting, reports = tasks.start(_bring_up_to_date, corpus, count), list[SyncReport]()
        while waiting:
            done, waiting = ray.wait(waiting)
            reports += ray.get(done)
            if progress is not None:
                progress("shards", len(reports), count)
    return _together(reports, embedded, time.monotonic() - started)


@dataclass(frozen=True)
class _Tasks:
    """What a task needs that works on one shard."""

    count: int
    folder: Path
    staged: Path
    embedder: MakeEmbedder

    def start(self, work: Callable[..., Any], *more: Any) -> list[Any]:
        """Have `work` done for every shard, again where its worker is lost; returns references to the results."""
        import ray

        task = ray.remote(work).options(num_cpus=1, max_retries=5)
        return [task.remote(number, self.folder, self.staged, self.embedder, *more) for number in range(self.count)]


def _embed(
    rows: list[dict[str, Any]],
    known: list[Any],
    corpus: Path,
    staged: Path,
    embedder: MakeEmbedder,
    workers: int | None,
    progress: Progress | None,
) -> int:
    """Embed what is new in the documents of those rows, and lay it down; returns how many passages that were."""
    import ray

    if not rows:
        return 0
    cpus = int(ray.cluster_resources().get("CPU", 1))
    size = workers or max(1, cpus - 1)
    rows.sort(key=lambda row: row["shard"])  # so that most batches are of one shard
    documents = ray.data.from_items(rows, override_num_blocks=max(1, min(len(rows) // 16, 4 * cpus)))
    given = {"known": known, "corpus": corpus}
    passages = documents.map_batches(_read, fn_kwargs=given, batch_size=16, batch_format="pyarrow", num_cpus=0.25)
    counts = passages.map_batches(
        _Embed,
        fn_constructor_args=(embedder, staged),
        batch_size=BATCH,
        batch_format="pyarrow",
        num_cpus=0.75,  # so that where there is but one CPU, it is not waiting for documents that none is left to read
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=size),
    )
    done = 0
    for batch in counts.iter_batches(batch_size=None, batch_format="numpy"):
        done += int(batch["count"].sum())
        if progress is not None:
            progress("embedding", done, done)
    return done


def _read(rows: Any, *, known: list[Any], corpus: Path) -> Any:
    """Documents to the passages that are to be embedded: a table of shard, content hash and text."""
    import pyarrow
    import ray

    found: list[tuple[int, bytes, str]] = []
    paths: dict[int, list[str]] = {}
    for row in rows.to_pylist():
        paths.setdefault(row["shard"], []).append(row["path"])
    for number in paths:
        hashes, contents = ray.get(known[number])
        found += [(number, *new) for path in paths[number] for new in _new(path, corpus, hashes.get(path), contents)]
    shards, hashes, texts = zip(*found, strict=True) if found else ((), (), ())
    kinds = {"shard": pyarrow.int64(), "content": pyarrow.binary(), "text": pyarrow.string()}
    return pyarrow.table([list(shards), list(hashes), list(texts)], schema=pyarrow.schema(kinds))


def _new(path: str, corpus: Path, known: str | None, contents: NDArray[np.bytes_]) -> Iterator[tuple[bytes, str]]:
    """Content hash and text of each passage that has no vector; those of an unreadable document are none."""
    try:
        if known is not None and file_sha256(corpus / path, corpus) == known:
            return
        document = read_document(corpus / path, corpus)
    except UnreadableDocument:
        return  # the sync of its shard says why
    for passage in split(document):
        text = embedded_text(document, passage)
        content = hashlib.sha256(text.encode()).digest()
        wanted = np.array(content, dtype=contents.dtype)
        at = int(np.searchsorted(contents, wanted))
        if at == len(contents) or contents[at] != wanted:
            yield content, text


class _Embed:
    """Embeds passages and lays their vectors down; a row for each batch says how many they were."""

    def __init__(self, embedder: MakeEmbedder, staged: Path) -> None:
        self._embedder, self._staged = embedder(), staged

    def __call__(self, rows: Any) -> dict[str, NDArray[np.int64]]:
        texts, shards = rows["text"].to_pylist(), np.array(rows["shard"])
        vectors = self._embedder.embed(texts).astype(np.float16)
        contents = np.frombuffer(b"".join(rows["content"].to_pylist()), dtype=np.uint8).reshape(len(texts), -1)
        for number in np.unique(shards).tolist():
            chosen = shards == number
            _lay_down(self._staged / f"{number:04d}", contents[chosen], vectors[chosen])
        return {"count": np.array([len(texts)])}


def _lay_down(place: Path, contents: NDArray[np.uint8], vectors: NDArray[np.float16]) -> None:
    """Write contents [n, 32] and vectors [n, d] into a file that is there whole or not at all."""
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{hashlib.sha256(contents.tobytes()).hexdigest()[:32]}.npz"
    part = path.with_name(f"{path.stem}.{os.urandom(4).hex()}.part")
    with part.open("wb") as file:
        np.savez(file, contents=contents, vectors=vectors)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _take_up(
    number: int, folder: Path, staged: Path, embedder: MakeEmbedder
) -> tuple[dict[str, str], NDArray[np.bytes_]]:
    """Put the vectors that lie there into the shard; returns what it now knows."""
    shard = Shard(shard_folder(folder, number), embedder())
    try:
        for path in sorted((staged / f"{number:04d}").glob("*.npz")):
            with np.load(path) as file:
                shard.add_vectors([bytes(c) for c in file["contents"]], file["vectors"].astype(np.float32))
            path.unlink()
        return shard.known()
    finally:
        shard.close()


def _bring_up_to_date(
    number: int, folder: Path, staged: Path, embedder: MakeEmbedder, corpus: Path, shards: int
) -> SyncReport:
    """Sync one shard; its vectors are there already, but for documents that changed since they were read."""
    _take_up(number, folder, staged, embedder)
    shard = Shard(shard_folder(folder, number), embedder())
    try:
        report = shard.sync(corpus, among=lambda path: shard_of(path, shards) == number)
        shard.count_words()
        for part in (staged / f"{number:04d}").glob("*.part"):  # of workers that were killed
            part.unlink(missing_ok=True)
        return report
    finally:
        shard.close()


def _together(reports: list[SyncReport], embedded: int, seconds: float) -> SyncReport:
    return SyncReport(
        added=tuple(sorted(path for r in reports for path in r.added)),
        changed=tuple(sorted(path for r in reports for path in r.changed)),
        removed=tuple(sorted(path for r in reports for path in r.removed)),
        renamed=tuple(sorted(pair for r in reports for pair in r.renamed)),
        unreadable=tuple(sorted(pair for r in reports for pair in r.unreadable)),
        documents=sum(r.documents for r in reports),
        passages=sum(r.passages for r in reports),
        embedded=embedded + sum(r.embedded for r in reports),
        seconds=seconds,
    )


def _note(folder: Path, about: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"cluster.json.{os.getpid()}.part"
    part.write_text(json.dumps(about), encoding="utf-8")
    part.replace(folder / "cluster.json")

"""Whatever happens to the files of a folder: after a sync the index is the one that a fresh build would be."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docx
import formats
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import index.documents
import index.files
from index import Index
from tests.conftest import ROOT, LetterEmbedder

SUFFIXES = [".txt", ".md", ".html", ".pdf", ".docx"]
# "settled": the files changed long enough ago to be known by their stamps, which else they are not for two seconds.
LATER = ("later sync", "settled sync")
MOMENTS = ["first sync", *LATER, "sync after a kill"]
TICK = 0.02  # seconds within which the clock of every file system goes on
QUERIES = ("dam wall", "ferry crews", "price of grain")
WORDS = "dam wall ferry crews grain price mill river Monday crack union road farmers valley port north".split()


def sentence(number: int) -> str:
    """One of many sentences, each unlike the others."""
    digest = hashlib.sha256(str(number).encode()).digest()
    return f"The {' '.join(WORDS[b % len(WORDS)] for b in digest[:12])} was number {number}."


def content(suffix: str, number: int) -> bytes:
    """A small document of that format; the same bytes each time."""
    title, body = f"Report {number}", sentence(number)
    if suffix == ".docx":
        return _words(title, body)
    if suffix == ".pdf":
        return formats.pdf([[title, body[:80], body[80:]]])
    if suffix == ".html":
        return f"<title>{title}</title><h1>{title}</h1><p>{body}</p>".encode()
    return f"# {title}\n\n{body}\n".encode() if suffix == ".md" else f"{title}\n\n{body}\n".encode()


_made: dict[tuple[str, str], bytes] = {}


def _words(title: str, body: str) -> bytes:
    if (title, body) not in _made:
        document, out = docx.Document(), io.BytesIO()
        document.add_heading(title, 1)
        document.add_paragraph(body)
        document.save(out)
        _made[title, body] = out.getvalue()
    return _made[title, body]


def state(opened: Index) -> tuple[object, ...]:
    """All that an answer could hang on."""
    ids, vectors = opened._store.vectors()
    rankings = [[(h.passage.id, h.score) for h in opened.search(q, 99)] for q in QUERIES] if len(opened) else []
    documents = [opened.document(entry.path) for entry in opened.documents()]
    contents = list(opened._store.contents())
    return documents, contents, ids.tolist(), vectors.tobytes(), rankings, opened.unreadable()


def same_as_fresh(opened: Index, corpus: Path, place: Path) -> None:
    fresh = Index(place / f"fresh-{os.urandom(4).hex()}", LetterEmbedder())
    fresh.sync(corpus)
    assert state(opened) == state(fresh)
    fresh.close()


Change = Callable[[Path, str, pytest.MonkeyPatch], None]


def new(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / f"new{suffix}").write_bytes(content(suffix, 50))


def edited(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / f"a{suffix}").write_bytes(content(suffix, 51))


def deleted(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / f"a{suffix}").unlink()


def renamed(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / f"a{suffix}").rename(corpus / f"z{suffix}")


def moved_to_a_subfolder(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / "deep" / "er").mkdir(parents=True)
    (corpus / f"a{suffix}").rename(corpus / "deep" / "er" / f"a{suffix}")


def same_name_in_two_folders(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / "sub" / f"a{suffix}").write_bytes(content(suffix, 52))


def same_content_under_two_names(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    shutil.copy(corpus / f"a{suffix}", corpus / f"copy{suffix}")


def case_only_rename(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / f"a{suffix}").rename(corpus / f"A{suffix}")


def touched_but_unchanged(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    os.utime(corpus / f"a{suffix}", (1, 1))


def edited_with_size_and_time_kept(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    path = corpus / f"a{suffix}"
    before = path.stat()
    path.write_bytes(_as_long(suffix, before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def replaced_by_a_copy_with_size_and_time_kept(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    path, other = corpus / f"a{suffix}", corpus.parent / f"other{suffix}"
    before = path.stat()
    other.write_bytes(_as_long(suffix, before.st_size))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def _as_long(suffix: str, size: int) -> bytes:
    """Another document of so many bytes."""
    return next(made for made in (content(suffix, number) for number in range(100, 999)) if len(made) == size)


def two_names_swapped(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        os.utime(corpus / f"{name}{suffix}", (1, 1))
    (corpus / f"a{suffix}").rename(corpus / "kept")
    (corpus / f"b{suffix}").rename(corpus / f"a{suffix}")
    (corpus / "kept").rename(corpus / f"b{suffix}")


def replaced_by_a_folder(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / f"a{suffix}").unlink()
    (corpus / f"a{suffix}").mkdir()
    (corpus / f"a{suffix}" / f"in{suffix}").write_bytes(content(suffix, 53))


def replaced_by_a_link_inside(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / f"a{suffix}").unlink()
    (corpus / f"a{suffix}").symlink_to(corpus / f"b{suffix}")


def replaced_by_a_link_outside(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / f"a{suffix}").rename(corpus.parent / f"outside{suffix}")
    (corpus / f"a{suffix}").symlink_to(corpus.parent / f"outside{suffix}")


def replaced_by_a_looping_link(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / f"a{suffix}").unlink()
    (corpus / f"a{suffix}").symlink_to(f"a{suffix}")


def replaced_by_a_pipe(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / f"a{suffix}").unlink()
    os.mkfifo(corpus / f"a{suffix}")


def unreadable_then_readable(corpus: Path, suffix: str, patch: pytest.MonkeyPatch) -> None:
    """Permission for nobody, which root's sync would not notice: the sync is that of a user without rights."""
    path = corpus / f"a{suffix}"
    path.write_bytes(content(suffix, 54))
    real = index.documents.os.open

    def refuse(name: Path, *rest: int, **more: int) -> int:
        if Path(name) == path:
            raise PermissionError(13, "Permission denied", str(name))
        return real(name, *rest, **more)

    patch.setattr(index.documents.os, "open", refuse)


def truncated(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    path = corpus / f"a{suffix}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(corpus: Path, suffix: str, _: pytest.MonkeyPatch) -> None:
    (corpus / f"a{suffix}").write_bytes(b"")


def edited_while_being_read(corpus: Path, suffix: str, patch: pytest.MonkeyPatch) -> None:
    """The file is written again between its hash and its text, and then once more."""
    path = corpus / f"a{suffix}"
    path.write_bytes(content(suffix, 55))
    real, numbers = index.documents._read_bytes, iter(range(56, 99))

    def read(name: Path) -> bytes:
        data = real(name)
        if name == path:
            path.write_bytes(content(suffix, next(numbers)))
        return data

    patch.setattr(index.documents, "_read_bytes", read)


CHANGES: list[Change] = [
    new, edited, deleted, renamed, moved_to_a_subfolder, same_name_in_two_folders, same_content_under_two_names,
    case_only_rename, touched_but_unchanged, replaced_by_a_folder, replaced_by_a_link_inside,
    replaced_by_a_link_outside, replaced_by_a_looping_link, replaced_by_a_pipe, unreadable_then_readable, truncated,
    emptied, edited_while_being_read, edited_with_size_and_time_kept, replaced_by_a_copy_with_size_and_time_kept,
    two_names_swapped,
]  # fmt: skip


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


class Dying(LetterEmbedder):
    def embed(self, texts: list[str], progress: object = None) -> object:
        raise Killed


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_after_any_change_the_index_is_a_fresh_one(
    tmp_path: Path, change: Change, suffix: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, place = tmp_path / "corpus", tmp_path / "index"
    (corpus / "sub").mkdir(parents=True)
    for number, name in enumerate(["a", "b", "sub/c"]):
        (corpus / f"{name}{suffix}").write_bytes(content(suffix, number))
    if moment in LATER:
        opened = Index(place, LetterEmbedder())
        if moment == "settled sync":
            monkeypatch.setattr(index.files, "SETTLED", 0)
            monkeypatch.setattr(index.files, "is_timed", lambda _: True)
            time.sleep(TICK)
        opened.sync(corpus)
        assert moment == "later sync" or len(opened._store.stamps()) == 3
    with monkeypatch.context() as patch:
        change(corpus, suffix, patch)
        if moment == "sync after a kill":
            dying = Index(place, Dying())
            with pytest.raises(Killed):
                dying.sync(corpus)
            dying.close()
        if moment not in LATER:
            opened = Index(place, LetterEmbedder())
        opened.sync(corpus)
        if change is unreadable_then_readable:
            assert "no permission" in opened.unreadable()[f"a{suffix}"]
            assert f"a{suffix}" not in [entry.path for entry in opened.documents()]
            same_as_fresh(opened, corpus, tmp_path)
    if change in (unreadable_then_readable, edited_while_being_read):
        opened.sync(corpus)
    same_as_fresh(opened, corpus, tmp_path)
    seen = len(opened.embedder.seen)
    assert opened.sync(corpus).embedded == 0 and len(opened.embedder.seen) == seen
    opened.close()


def test_what_nobody_may_read_is_reported_and_comes_back(tmp_path: Path) -> None:
    """The rights of the system itself, with a sync in a process that is not root."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name in ("a", "b"):
        (corpus / f"{name}.txt").write_bytes(content(".txt", ord(name)))
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    (tmp_path / "index").mkdir(mode=0o777)
    (tmp_path / "index").chmod(0o777)
    code = (
        "import faiss, os, sys, tantivy; from pathlib import Path\n"
        "from index import Index; from tests.conftest import LetterEmbedder\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "r = Index(Path(sys.argv[2]), LetterEmbedder()).sync(Path(sys.argv[1]))\n"
        "print(r.documents, r.unreadable)"
    )
    said = []
    for mode in (0, 0o644):
        (corpus / "a.txt").chmod(mode)
        command = [sys.executable, "-c", code, str(corpus), str(tmp_path / "index")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.strip())
    assert said == ["1 (('a.txt', 'no permission to read it: allow it with chmod +r'),)", "2 ()"]


class Folder(RuleBasedStateMachine):
    """A folder to which random things happen, with a sync now and then, some of them stopped half way."""

    names = st.sampled_from(
        [f"{folder}{name}{suffix}" for folder in ("", "sub/") for name in "ab" for suffix in SUFFIXES]
    )
    numbers = st.integers(0, 6)

    @initialize(settled=st.booleans())
    def begin(self, settled: bool) -> None:
        self.place = Path(_places.pop())
        self.corpus = self.place / "corpus"
        (self.corpus / "sub").mkdir(parents=True)
        (self.corpus / "keep.txt").write_bytes(content(".txt", 99))
        self.index = Index(self.place / "index", LetterEmbedder())
        self.synced = False
        self.patch = pytest.MonkeyPatch()
        if settled:  # files are known by their stamps as soon as the clock has gone on
            self.patch.setattr(index.files, "SETTLED", 0)
            self.patch.setattr(index.files, "is_timed", lambda _: True)

    def teardown(self) -> None:
        if hasattr(self, "index"):
            self.patch.undo()
            self.index.close()

    def _clear(self, name: str) -> Path:
        path = self.corpus / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        self.synced = False
        return path

    @rule(name=names, number=numbers)
    def write(self, name: str, number: int) -> None:
        self._clear(name).write_bytes(content(Path(name).suffix, number))

    @rule(name=names)
    def delete(self, name: str) -> None:
        self._clear(name)

    @rule(old=names, new=names)
    def move(self, old: str, new: str) -> None:
        if old != new and (self.corpus / old).is_file():
            (self.corpus / old).rename(self._clear(new))

    @rule(name=names, aim=names)
    def link(self, name: str, aim: str) -> None:
        self._clear(name).symlink_to(self.corpus / aim)

    @rule(name=names, number=numbers)
    def make_a_folder_of(self, name: str, number: int) -> None:
        path = self._clear(name)
        path.mkdir()
        (path / "in.txt").write_bytes(content(".txt", number))

    @rule(name=names, share=st.sampled_from([0, 1, 2]))
    def cut(self, name: str, share: int) -> None:
        path = self.corpus / name
        if path.is_file():
            data = path.read_bytes()
            self._clear(name).write_bytes(data[: len(data) * share // 3])

    @rule(name=names, number=numbers)
    def write_with_time_kept(self, name: str, number: int) -> None:
        path = self.corpus / name
        if path.is_file():
            before = path.stat()
            path.write_bytes(content(path.suffix, number))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            self.synced = False

    @rule()
    def die_in_a_sync(self) -> None:
        time.sleep(0 if index.files.SETTLED else TICK)
        embedder, self.index.embedder = self.index.embedder, Dying()
        try:
            self.index.sync(self.corpus)
            self.synced = True
        except Killed:
            pass
        finally:
            self.index.embedder = embedder

    @rule()
    def reopen(self) -> None:
        self.index.close()
        self.index = Index(self.place / "index", LetterEmbedder())

    @rule()
    def sync(self) -> None:
        time.sleep(0 if index.files.SETTLED else TICK)
        self.index.sync(self.corpus)
        self.synced = True

    @invariant()
    def is_a_fresh_index(self) -> None:
        if getattr(self, "synced", False):
            same_as_fresh(self.index, self.corpus, self.place)
            self.synced = False


_places: list[str] = []


@pytest.fixture(autouse=True)
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    class Places(list[str]):
        def pop(self, at: int = -1) -> str:
            return str(tmp_path_factory.mktemp("machine"))

    global _places
    _places = Places()
    yield


RELAXED = settings(
    deadline=None, suppress_health_check=list(HealthCheck), max_examples=25, stateful_step_count=15, derandomize=True
)
TestFolder = Folder.TestCase
TestFolder.settings = RELAXED


class LongFolder(Folder):
    pass


TestFolderForLong = pytest.mark.soak(LongFolder.TestCase)
TestFolderForLong.settings = settings(
    RELAXED, max_examples=int(os.environ.get("SOAK_EXAMPLES", "300")), stateful_step_count=40, derandomize=False
)

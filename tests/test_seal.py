"""What the file system says of files: it spares reading them only where it proves that nobody wrote to them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import index.documents
import index.files
from index import Index, seal
from index.files import find_stamps, is_timed
from index.store import Store
from tests.conftest import ROOT, LetterEmbedder
from tests.test_sync_matrix import TICK, content


@pytest.fixture(autouse=True)
def timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk of the test counts as one that times each change, and what was written before `settle` as settled."""
    for module in (index.files, seal):
        monkeypatch.setattr(module, "is_timed", lambda _: True)
    monkeypatch.setattr(index.files, "SETTLED", 0)


def settle() -> None:
    time.sleep(TICK)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_bytes(content(".txt", number))
    settle()
    return folder


@pytest.fixture
def place(tmp_path: Path, corpus: Path) -> Path:
    """The folder of an index that is up to date, which nobody has open."""
    opened = Index(tmp_path / "index", LetterEmbedder())
    opened.sync(corpus)
    opened.close()
    return tmp_path / "index"


def sync(place: Path, corpus: Path, *, check: bool = False) -> tuple[list[str], bool]:
    """The names of the files that a sync read, and whether it verified the rows."""
    read, verified = [], []
    with pytest.MonkeyPatch.context() as patch:
        real_read, real_verify = index.documents._read_bytes, Store.damaged
        patch.setattr(index.documents, "_read_bytes", lambda path: read.append(path.name) or real_read(path))
        patch.setattr(Store, "damaged", lambda store: verified.append(store) or real_verify(store))
        opened = Index(place, LetterEmbedder())
        opened.sync(corpus, check=check)
        opened.close()
    return sorted(set(read)), bool(verified)


NOTHING: tuple[list[str], bool] = ([], False)
EVERYTHING = (["0.txt", "1.txt", "2.txt"], True)


def test_a_sync_of_what_nobody_wrote_to_reads_nothing_and_verifies_nothing(place: Path, corpus: Path) -> None:
    assert sync(place, corpus) == NOTHING
    opened = Index(place, LetterEmbedder())
    assert len(opened.search("dam wall", 9)) == 3 and opened.document("0.txt")
    opened.close()
    assert sync(place, corpus) == NOTHING, "asking is no writing"
    assert sync(place, corpus, check=True) == EVERYTHING


def test_a_process_that_ends_without_closing_leaves_the_seal(corpus: Path, tmp_path: Path) -> None:
    place = tmp_path / "index"
    command = [sys.executable, "-m", "tests.dying", str(corpus), str(place), str(tmp_path / "log"), str(10**9)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert seal.holds(place) == is_timed(place), "`is_timed` is here the real one, as in that process"


def test_a_file_that_was_touched_is_read_once(place: Path, corpus: Path) -> None:
    os.utime(corpus / "1.txt")
    settle()
    assert sync(place, corpus) == (["1.txt"], False)
    assert sync(place, corpus) == NOTHING


def test_a_file_that_changed_just_now_is_read_until_it_has_settled(
    place: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index.files, "SETTLED", 600_000_000_000)
    os.utime(corpus / "1.txt")
    assert sync(place, corpus)[0] == sync(place, corpus)[0] == EVERYTHING[0]
    monkeypatch.setattr(index.files, "SETTLED", 0)
    assert sync(place, corpus)[0] == ["1.txt"], "the others had their stamps before"
    assert sync(place, corpus) == NOTHING


def test_on_a_disk_that_does_not_time_changes_everything_is_read_and_verified(
    place: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (index.files, seal):
        monkeypatch.setattr(module, "is_timed", lambda _: False)
    sync(place, corpus)
    os.utime(place / "store.sqlite")  # the seal of before is of no more use
    assert sync(place, corpus) == EVERYTHING == sync(place, corpus)


def test_a_stamp_that_is_not_of_the_documents_hash_proves_nothing(place: Path, corpus: Path) -> None:
    opened = Index(place, LetterEmbedder())
    with opened._store.transaction():
        opened._store.set_stamps({"1.txt": (str(find_stamps(corpus)["1.txt"]), "0" * 64)})
    opened.close()
    assert "1.txt" in sync(place, corpus)[0]


def test_what_anything_else_wrote_is_verified(place: Path, corpus: Path, tmp_path: Path) -> None:
    store = place / "store.sqlite"

    def write_a_row() -> None:
        db = sqlite3.connect(store)
        with db:
            db.execute("UPDATE documents SET title = title || '!'")
        db.close()

    def write_a_byte() -> None:
        before, data = store.stat(), bytearray(store.read_bytes())
        store.write_bytes(data)
        os.utime(store, ns=(before.st_atime_ns, before.st_mtime_ns))

    def copy_back() -> None:
        shutil.copy2(store, tmp_path / "copy")
        (tmp_path / "copy").replace(store)

    def touch_what_is_derived() -> None:
        os.utime(next(place.glob("derived/*/vectors.faiss")), (1, 1))

    def remove_what_is_derived() -> None:
        next(place.glob("derived/*/lexical/*.term")).unlink()

    def spoil_the_seal() -> None:
        (place / seal.NAME).write_bytes(b"\xff")

    def lose_the_seal() -> None:
        (place / seal.NAME).unlink()

    changes = [write_a_row, write_a_byte, copy_back, touch_what_is_derived, remove_what_is_derived]
    for change in [*changes, spoil_the_seal, lose_the_seal]:
        assert sync(place, corpus) == NOTHING
        change()
        assert sync(place, corpus)[1], change.__name__
        assert sync(place, corpus) == NOTHING, change.__name__


def test_what_an_older_version_made_is_made_anew_by_the_next_sync(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("index.derived.FORMAT", "1")
        older.setattr("index.seal.FORMAT", "1")
        opened = Index(tmp_path / "index", LetterEmbedder())
        opened.sync(corpus)
        opened.close()
        assert sync(tmp_path / "index", corpus) == NOTHING
    assert sync(tmp_path / "index", corpus)[1]
    opened = Index(tmp_path / "index", LetterEmbedder())
    assert opened._store.generation == 2
    opened.close()


def test_a_copied_index_is_verified_once(place: Path, corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(place, tmp_path / "copy")
    assert sync(tmp_path / "copy", corpus)[1]
    assert sync(tmp_path / "copy", corpus) == NOTHING == sync(place, corpus)


def test_what_a_killed_sync_left_is_verified(place: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: Path) -> None:
        raise KeyboardInterrupt

    (corpus / "new.txt").write_bytes(content(".txt", 9))
    opened = Index(place, LetterEmbedder())
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(seal, "put", stop)
        opened.sync(corpus)
    opened.close()
    assert sync(place, corpus)[1]


def test_while_somebody_reads_an_older_state_nothing_is_sealed(place: Path, corpus: Path) -> None:
    reader = Store(place / "store.sqlite")
    with reader.snapshot():
        sync(place, corpus)
        assert not seal.holds(place)
    reader.close()
    assert sync(place, corpus)[1] and sync(place, corpus) == NOTHING


def test_a_seal_is_set_only_when_a_later_change_has_a_later_time(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (place / seal.NAME).stat().st_mtime_ns > (place / "store.sqlite").stat().st_ctime_ns
    seal.break_off(place)
    monkeypatch.setattr(seal, "_stamps", lambda _: ("store.sqlite", time.time_ns() + 10**9))  # a clock of seconds
    seal.put(place)
    assert not (place / seal.NAME).exists()


MOUNTS = """\
/dev/vda / ext4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/vdb /mnt/my\\040disk vfat rw 0 0
server:/x /mnt/far nfs4 rw 0 0
/dev/vdc /mnt/far/near xfs rw 0 0
overlay /over overlay rw 0 0
/dev/vdd /over fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"), ("/home/a", "ext4"), ("/tmp", "tmpfs"), ("/tmpfile", "ext4"), ("/mnt/my disk/a", "vfat"),
        ("/mnt/far/a", "nfs4"), ("/mnt/far/near/a", "xfs"), ("/over/a", "fuse.sshfs"),
    ],
)  # fmt: skip
def test_the_file_system_of_a_folder_is_the_one_mounted_last_over_it(path: str, kind: str) -> None:
    assert index.files._kind(path, MOUNTS) == kind

"""Kills, full disks, read-only folders and damaged files: an index recovers by itself or says what is wrong."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

import index.__main__
from index import Index, IndexProblem, QAError, remove_index, seal
from index.database import Database
from index.schema import SCHEMA_VERSION
from tests.conftest import ROOT, LetterEmbedder
from tests.test_sync_matrix import content, same_as_fresh, sentence, state

DOCUMENTS = 12


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for i in range(DOCUMENTS):
        (folder / f"{i:02d}.txt").write_bytes(content(".txt", i))
    return folder


@pytest.fixture
def fresh(corpus: Path, tmp_path: Path) -> tuple[object, ...]:
    """What a search could depend on, of an index to which nothing happened."""
    made = Index(tmp_path / "fresh", LetterEmbedder())
    made.sync(corpus)
    expected = state(made)
    made.close()
    return expected


@pytest.fixture
def indexed(corpus: Path, tmp_path: Path) -> Path:
    """The folder of an index that is up to date, which nobody has open."""
    place = tmp_path / "index"
    made = Index(place, LetterEmbedder())
    made.sync(corpus)
    made.close()
    return place


def committed(place: Path) -> set[bytes]:
    """The vectors that are kept."""
    if not (place / "store.sqlite").exists():
        return set()
    db = sqlite3.connect(place / "store.sqlite")
    try:
        return {row[0] for row in db.execute("SELECT content FROM vectors")}
    except sqlite3.OperationalError:
        return set()
    finally:
        db.close()


def dying(corpus: Path, place: Path, log: Path, step: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.dying", str(corpus), str(place), str(log), str(step)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def recovers(place: Path, corpus: Path, log: Path, expected: tuple[object, ...]) -> None:
    """The next sync gives the fresh index and embeds nothing that was committed before it."""
    kept = len(committed(place))
    letters = LetterEmbedder()
    again = Index(place, letters)
    report = again.sync(corpus)
    assert report.embedded == DOCUMENTS - kept == len(letters.seen)
    assert state(again) == expected
    again.close()
    twice = log.read_text().splitlines() if log.exists() else []
    assert kept >= len(twice) - 4, "a kill lost more than the transaction in flight"


def steps(corpus: Path, tmp_path: Path) -> int:
    done = dying(corpus, tmp_path / "all", tmp_path / "all.log", 10**9)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def kill_at(step: int, corpus: Path, tmp_path: Path, fresh: tuple[object, ...]) -> None:
    place, log = tmp_path / f"index{step}", tmp_path / f"log{step}"
    assert dying(corpus, place, log, step).returncode == -signal.SIGKILL
    recovers(place, corpus, log, fresh)
    shutil.rmtree(place)


def test_a_sync_killed_at_some_of_its_steps_recovers(corpus: Path, tmp_path: Path, fresh: tuple[object, ...]) -> None:
    last = steps(corpus, tmp_path)
    assert last > 100
    for step in random.Random(3).sample(range(1, last + 1), 6):
        kill_at(step, corpus, tmp_path, fresh)


@pytest.mark.soak
def test_a_sync_killed_at_each_of_its_steps_recovers(corpus: Path, tmp_path: Path, fresh: tuple[object, ...]) -> None:
    last = steps(corpus, tmp_path)
    for step in range(1, last + 1):
        kill_at(step, corpus, tmp_path, fresh)
    print(f"killed at each of {last} steps")


@pytest.mark.soak
def test_a_sync_killed_at_random_moments_recovers(corpus: Path, tmp_path: Path, fresh: tuple[object, ...]) -> None:
    rng = random.Random(11)
    command = [sys.executable, "-m", "tests.dying", str(corpus)]
    began = time.monotonic()
    dying(corpus, tmp_path / "timed", tmp_path / "timed.log", 10**9)
    takes = time.monotonic() - began
    killed = 0
    for attempt in range(1000):
        place, log = tmp_path / f"index{attempt}", tmp_path / f"log{attempt}"
        process = subprocess.Popen(
            [*command, str(place), str(log), str(10**9)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not place.exists() and process.poll() is None:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, takes / 3))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        recovers(place, corpus, log, fresh)
        shutil.rmtree(place)
        if killed == 200:
            break
    print(f"{killed} killed before they were done, of {attempt + 1}")
    assert killed == 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_and_what_was_there_still_answers(
    corpus: Path, tmp_path: Path, small_disk: Path, fresh: tuple[object, ...]
) -> None:
    opened = Index(small_disk / "index", LetterEmbedder())
    opened.sync(corpus)
    assert state(opened) == fresh
    said: list[str] = []
    (small_disk / "filling").write_bytes(b"x" * (_free(small_disk) - 400_000))
    for filled in range(24):  # more and more is full, so that it runs out at ever earlier steps
        if _free(small_disk) > 30_000:
            (small_disk / f"filling{filled}").write_bytes(b"x" * 24_000)
        more = (sentence(100 + 40 * filled + i) for i in range(40))
        (corpus / "more.txt").write_text(f"More {filled}\n\n" + "\n\n".join(more))
        try:
            opened.sync(corpus)
        except IndexProblem as error:
            said.append(str(error))
        (corpus / "more.txt").unlink()
        other = Index(small_disk / "index", LetterEmbedder())
        paths = {h.passage.document.path for h in other.search("dam wall", 999)}
        assert paths - {"more.txt"} == {f"{i:02d}.txt" for i in range(DOCUMENTS)}
        other.close()
    print(f"{len(said)} of 24 syncs ran out of disk")
    assert len(said) > 5 and all("disk" in message for message in said), said
    for path in small_disk.glob("filling*"):
        path.unlink()
    opened.sync(corpus)
    assert state(opened) == fresh
    opened.close()


def _free(disk: Path) -> int:
    return os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """`python -m index` in this process, with the embedder that can be computed by hand."""
    monkeypatch.setattr(index.light, "Embedder", lambda _: LetterEmbedder())

    def run(*arguments: object) -> tuple[int, str]:
        status = index.__main__.main([str(a) for a in arguments])
        return status, capsys.readouterr().err.strip()

    return run


@pytest.mark.parametrize("place", ["", "index"])
def test_a_read_only_place_is_said(corpus: Path, tmp_path: Path, place: str) -> None:
    frozen = tmp_path / "frozen"
    frozen.mkdir()
    if place:
        made = Index(frozen / place, LetterEmbedder())
        made.sync(corpus)
        made.close()
        (corpus / "new.txt").write_bytes(content(".txt", 77))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path / "frozen")]).returncode:
        pytest.skip("no right to mount a disk")
    try:
        if place:
            made = Index(frozen / place, LetterEmbedder())
            made.sync(corpus)
            made.close()
        subprocess.run(["mount", "-o", "remount,ro", str(frozen)], check=True)
        with pytest.raises(IndexProblem, match="check the disk and the permissions"):
            Index(frozen / "index", LetterEmbedder()).sync(corpus)
    finally:
        subprocess.run(["umount", "-l", str(frozen)], check=True)


REGIONS = 40


def damages(data: bytes) -> Iterator[tuple[str, bytes]]:
    """A file's bytes, each region of it flipped, zeroed or with the rest cut off; emptied; of another kind."""
    size = max(1, len(data) // REGIONS)
    for at in range(0, len(data), size):
        end = min(len(data), at + size)
        middle = (at + end) // 2
        yield f"flipped at {middle}", data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
        yield f"zeroed {at}-{end}", data[:at] + bytes(end - at) + data[end:]
        yield f"cut at {at}", data[:at]
    yield "something else", b"no such file at all" * 500


def spoiled(place: Path, corpus: Path, expected: tuple[object, ...]) -> str:
    """What an index with a damaged file does: never anything but the right answer or a clear error."""
    outcome = "right"
    opened = None
    try:
        opened = Index(place, LetterEmbedder())
        for number, query in enumerate(("dam wall", "ferry crews", "price of grain")):
            assert [(h.passage.id, h.score) for h in opened.search(query, 99)] == expected[4][number]
            for hit in opened.search(query, 99):
                assert hit.passage.document in expected[0]
    except QAError as error:
        outcome = f"error: {error}"
        assert "--rebuild" in str(error) or "check the disk" in str(error), error
    finally:
        if opened is not None:
            opened.close()
    opened = None
    try:
        opened = Index(place, LetterEmbedder())
        opened.sync(corpus)
        assert state(opened) == expected
        outcome += ", repaired"
    except QAError as error:
        assert "--rebuild" in str(error), error
        outcome += ", to be rebuilt"
    finally:
        if opened is not None:
            opened.close()
    return outcome


def hide(place: Path) -> None:
    """What was done to the files is nothing that the file system tells, as when a bit flips on the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seal, "is_timed", lambda _: True)
        seal.put(place)
    assert seal.holds(place)


def spoil(
    corpus: Path, tmp_path: Path, fresh: tuple[object, ...], pattern: str, every: int, *, hidden: bool
) -> dict[str, int]:
    original = tmp_path / "original"
    made = Index(original, LetterEmbedder())
    made.sync(corpus)
    made.close()
    tried: dict[str, int] = {}
    for path in sorted(original.glob(pattern)):
        for number, (what, data) in enumerate(damages(path.read_bytes())):
            if number % every:
                continue
            place = (
                tmp_path / f"damaged-{path.name}-{number}"
            )  # never one again: tantivy may still be closing its files
            shutil.copytree(original, place)
            (place / path.relative_to(original)).write_bytes(data)
            if hidden:
                hide(place)
            try:
                outcome = spoiled(place, corpus, fresh)
            except BaseException as error:
                error.add_note(f"{path.name} {what}")
                raise
            kind = "error" if outcome.startswith("error") else outcome.split(",")[0]
            kind += outcome[outcome.rindex(",") :]
            tried[kind] = tried.get(kind, 0) + 1
            shutil.rmtree(place, ignore_errors=True)
    return tried


FILES = ["store.sqlite", "derived/*/vectors.faiss", "derived/*/lexical/*"]


@pytest.mark.parametrize("hidden", [False, True], ids=["seen", "hidden"])
@pytest.mark.parametrize("pattern", FILES)
def test_damaged_files_give_the_right_answer_or_an_error(
    corpus: Path, tmp_path: Path, fresh: tuple[object, ...], pattern: str, hidden: bool
) -> None:
    tried = spoil(corpus, tmp_path, fresh, pattern, every=9, hidden=hidden)
    if pattern != "store.sqlite":
        assert set(tried) == {"right, repaired"}, "what is made from the store is made again, silently"


def test_a_store_cut_to_nothing_is_not_taken_for_one_that_was_never_made(
    corpus: Path, indexed: Path, fresh: tuple[object, ...]
) -> None:
    (indexed / "store.sqlite").write_bytes(b"")
    outcome = spoiled(indexed, corpus, fresh)
    assert "holds nothing" in outcome and outcome.endswith(", repaired")


@pytest.mark.soak
@pytest.mark.parametrize("hidden", [False, True], ids=["seen", "hidden"])
@pytest.mark.parametrize("pattern", FILES)
def test_each_region_of_each_file_damaged(
    corpus: Path, tmp_path: Path, fresh: tuple[object, ...], pattern: str, hidden: bool
) -> None:
    print(pattern, spoil(corpus, tmp_path, fresh, pattern, every=1, hidden=hidden))


def change_row(place: Path, sql: str) -> None:
    db = sqlite3.connect(place / "store.sqlite")
    with db:
        db.execute(sql)
    db.close()


ROWS = [
    "UPDATE documents SET text = replace(text, 'number 3', 'number 4')",
    "UPDATE documents SET title = 'Report 9' WHERE title = 'Report 3'",
    "UPDATE passages SET start = start + 1 WHERE ordinal = 0",
    "UPDATE vectors SET vector = zeroblob(52)",
    "DELETE FROM vectors",
    "DELETE FROM passages WHERE id IN (SELECT id FROM passages LIMIT 3)",
    "UPDATE documents SET sha256 = 'x'",
]


@pytest.mark.parametrize("sql", ROWS)
def test_rows_that_are_not_what_was_written_are_never_quoted_and_the_next_sync_mends_them(
    corpus: Path, indexed: Path, fresh: tuple[object, ...], sql: str
) -> None:
    change_row(indexed, sql)
    assert spoiled(indexed, corpus, fresh).endswith("repaired")


@pytest.mark.parametrize("sql", ROWS)
def test_rows_that_changed_without_a_trace_are_never_quoted_and_mended_once_they_were_read(
    corpus: Path, indexed: Path, fresh: tuple[object, ...], sql: str
) -> None:
    change_row(indexed, sql)
    hide(indexed)
    spoiled(indexed, corpus, fresh)
    opened = Index(indexed, LetterEmbedder())
    opened.sync(corpus)
    assert state(opened) == fresh
    opened.close()


@pytest.mark.parametrize("sql", ROWS)
def test_a_check_mends_what_changed_without_a_trace(
    corpus: Path, indexed: Path, fresh: tuple[object, ...], sql: str, command_line
) -> None:
    change_row(indexed, sql)
    hide(indexed)
    assert command_line(corpus, "--index", indexed, "--check") == (0, "")
    opened = Index(indexed, LetterEmbedder())
    assert state(opened) == fresh
    opened.close()


@pytest.mark.parametrize("sql", ROWS)
def test_nothing_is_built_from_rows_that_changed_without_a_trace(
    corpus: Path, indexed: Path, tmp_path: Path, sql: str
) -> None:
    change_row(indexed, sql)
    hide(indexed)
    (corpus / "new.txt").write_bytes(content(".txt", 77))
    opened = Index(indexed, LetterEmbedder())
    with suppress(IndexProblem):
        opened.sync(corpus)
    opened.sync(corpus)
    same_as_fresh(opened, corpus, tmp_path)
    opened.close()


@pytest.mark.parametrize("derived", ["kept", "lost"])
def test_damage_to_the_store_and_to_what_is_made_of_it_is_noticed(
    corpus: Path, indexed: Path, fresh: tuple[object, ...], derived: str
) -> None:
    change_row(indexed, "UPDATE documents SET text = replace(text, 'dam', 'den')")
    if derived == "lost":
        shutil.rmtree(indexed / "derived")
    assert spoiled(indexed, corpus, fresh).startswith("error")


def test_the_shell_says_one_line_about_a_damaged_store_and_rebuilds_it(
    corpus: Path, tmp_path: Path, command_line, fresh: tuple[object, ...]
) -> None:
    place = tmp_path / "index"
    assert command_line(corpus, "--index", place)[0] == 0
    (place / "store.sqlite").write_bytes(b"nothing of ours" * 999)
    for name in ("store.sqlite-wal", "store.sqlite-shm"):
        (place / name).unlink(missing_ok=True)
    status, said = command_line(corpus, "--index", place)
    assert status == 2 and "--rebuild" in said and "\n" not in said
    assert command_line(corpus, "--index", place, "--rebuild")[0] == 0
    opened = Index(place, LetterEmbedder())
    assert state(opened) == fresh
    opened.close()


@pytest.mark.parametrize("command", [["index"], ["qa", "Who?", "--corpus"]], ids=["index", "qa"])
@pytest.mark.parametrize("damage", ["emptied lock", "garbage", "cut", "other version", "other encoder"])
def test_the_commands_say_one_line_about_what_is_wrong(
    corpus: Path, tmp_path: Path, command: list[str], damage: str
) -> None:
    place = tmp_path / "index"
    made = Index(place, LetterEmbedder())
    made.sync(corpus)
    if damage == "other version":
        with made._store.transaction():
            made._store.set_manifest(schema="99")
    made.close()
    store = place / "store.sqlite"
    if damage == "garbage":
        store.write_bytes(b"x" * 40_000)
    elif damage == "cut":
        store.write_bytes(store.read_bytes()[:9000])
    elif damage == "emptied lock":
        (place / "writer.lock").write_bytes(b"no lock at all " * 300)
    line = [sys.executable, "-m", *command, str(corpus), "--index", str(place)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith(f"{command[0]}: ") and ("--rebuild" in done.stderr or "remove that" in done.stderr)


def test_a_damaged_lock_is_said(corpus: Path, tmp_path: Path, command_line) -> None:
    place = tmp_path / "index"
    place.mkdir()
    (place / "writer.lock").write_bytes(b"no database at all " * 300)
    status, said = command_line(corpus, "--index", place)
    assert status == 2 and "writer.lock is damaged" in said and "remove that file" in said


def test_vectors_of_a_first_sync_that_died_are_not_taken_for_those_of_another_encoder(
    corpus: Path, tmp_path: Path
) -> None:
    dying(corpus, tmp_path / "index", tmp_path / "log", 120)
    assert committed(tmp_path / "index")
    with pytest.raises(IndexProblem, match="made with the encoder"):
        Index(tmp_path / "index", LetterEmbedder("other"))


def test_a_changed_recipe_reads_every_document_again_and_embeds_what_is_new(
    corpus: Path, tmp_path: Path, fresh: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "index"
    with monkeypatch.context() as older:
        older.setattr("index.sync.embedded_text", lambda d, p: d.text[p.start : p.end])
        older.setattr("index.index.RECIPE", "0")
        opened = Index(place, LetterEmbedder())
        opened.sync(corpus)
    report = opened.sync(corpus)
    assert (report.added, report.changed, report.removed, report.embedded) == ((), (), (), DOCUMENTS)
    assert state(opened) == fresh
    assert opened.sync(corpus).embedded == 0
    opened.close()


def test_an_index_of_the_second_schema_is_upgraded_and_keeps_everything(
    corpus: Path, indexed: Path, fresh: tuple[object, ...]
) -> None:
    made = Index(indexed, LetterEmbedder())
    with made._store.transaction():
        made._store.set_manifest(schema="2")
    made.close()
    change_row(indexed, "DROP TABLE stamps")
    opened = Index(indexed, LetterEmbedder())
    assert opened._store.manifest("schema") == SCHEMA_VERSION == "3"
    assert state(opened) == fresh
    report = opened.sync(corpus)
    assert (report.added, report.changed, report.embedded) == ((), (), 0) and state(opened) == fresh
    opened.close()


def test_an_index_of_the_first_schema_is_upgraded_and_embeds_nothing_again(
    corpus: Path, indexed: Path, fresh: tuple[object, ...]
) -> None:
    for sql in (
        "DROP TABLE stamps",
        "ALTER TABLE documents DROP COLUMN checksum", "ALTER TABLE vectors DROP COLUMN checksum",
        "DELETE FROM manifest WHERE key IN ('checksum', 'recipe')",
        "UPDATE manifest SET value = '1' WHERE key = 'schema'",
    ):  # fmt: skip
        change_row(indexed, sql)
    opened = Index(indexed, LetterEmbedder())
    assert opened.sync(corpus).embedded == 0
    assert state(opened) == fresh
    opened.close()


def test_an_open_reader_goes_over_to_an_index_made_anew_and_never_finds_it_empty(corpus: Path, tmp_path: Path) -> None:
    place = tmp_path / "index"
    writer = Index(place, LetterEmbedder())
    writer.sync(corpus)
    reader = Index(place, LetterEmbedder())
    before = [h.passage.text for h in reader.search("dam wall", 99)]
    (corpus / "00.txt").write_bytes(content(".txt", 500))
    writer.close()
    remove_index(place)
    assert [h.passage.text for h in reader.search("dam wall", 99)] == before
    again = Index(place, LetterEmbedder())
    assert [h.passage.text for h in reader.search("dam wall", 99)] == before, "an index in the making is not asked"
    again.sync(corpus)
    after = [h.passage.text for h in again.search("dam wall", 99)]
    assert [h.passage.text for h in reader.search("dam wall", 99)] == after != before
    assert reader.document("00.txt").text == content(".txt", 500).decode()
    for opened in (reader, again):
        opened.close()


def test_an_index_cannot_be_removed_while_it_is_written_to(corpus: Path, tmp_path: Path) -> None:
    place = tmp_path / "index"
    Index(place, LetterEmbedder()).sync(corpus)
    lock = sqlite3.connect(place / "writer.lock", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(IndexProblem, match="try again"):
        remove_index(place, wait=0.1)
    lock.close()


def test_two_writers_at_once_leave_a_fresh_index(corpus: Path, tmp_path: Path, fresh: tuple[object, ...]) -> None:
    place = tmp_path / "index"
    command = [sys.executable, "-m", "tests.dying", str(corpus), str(place)]
    both = [
        subprocess.Popen([*command, str(tmp_path / f"log{i}"), str(10**9)], cwd=ROOT, stdout=subprocess.DEVNULL)
        for i in range(2)
    ]
    assert [process.wait() for process in both] == [0, 0]
    seen = [line for log in tmp_path.glob("log?") for line in log.read_text().splitlines()]
    assert len(seen) == DOCUMENTS, "what one embedded the other did not embed again"
    opened = Index(place, LetterEmbedder())
    assert state(opened) == fresh
    opened.close()


def _open_new_stores(folder: Path, together: Barrier) -> None:
    for n in range(100):
        together.wait(30)  # where another has failed, not for ever
        Database(folder / f"{n}.sqlite").close()


def test_several_processes_make_a_store_at_once(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(4)
    openers = [spawn.Process(target=_open_new_stores, args=(tmp_path, together)) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert [opener.exitcode for opener in openers] == [0, 0, 0, 0]


@pytest.mark.soak
def test_readers_in_several_processes_see_one_generation_each_for_minutes(tmp_path: Path) -> None:
    """Three processes search while a fourth syncs again and again; every search is right for one of the corpora."""
    corpus, place, stop = tmp_path / "corpus", tmp_path / "index", tmp_path / "stop"
    corpus.mkdir()
    for i in range(40):
        (corpus / f"{i:02d}.txt").write_text(
            f"Grain {i}\n\nThe price of grain at the mill was {i} and the road was blocked.\n"
        )
    opened = Index(place, LetterEmbedder())
    opened.sync(corpus)
    right = {",".join(sorted(p.name for p in corpus.iterdir()))}
    command = [sys.executable, "-m", "tests.syncing", "search", str(place), str(stop)]
    outputs = [(tmp_path / f"out{i}").open("w+") for i in range(3)]
    readers = [subprocess.Popen(command, cwd=ROOT, stdout=output) for output in outputs]
    until, rounds, rng = time.monotonic() + float(os.environ.get("SOAK_SECONDS", "120")), 0, random.Random(5)
    while time.monotonic() < until:
        for i in rng.sample(range(40), 8):
            path = corpus / f"{i:02d}.txt"
            if path.exists():
                path.unlink()
            else:
                path.write_text(
                    f"Grain {i}\n\nThe price of grain at the mill was {i} in round {rounds}, it was said.\n"
                )
        opened.sync(corpus)
        right.add(",".join(sorted(p.name for p in corpus.iterdir())))
        rounds += 1
    stop.touch()
    assert [reader.wait() for reader in readers] == [0, 0, 0]
    seen = []
    for output in outputs:
        output.seek(0)
        seen += output.read().splitlines()
        output.close()
    assert set(seen) <= right and len(set(seen)) > 3
    print(f"{len(seen)} searches during {rounds} syncs, {len(set(seen))} generations seen, none wrong")
    opened.close()

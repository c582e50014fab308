"""Which files of a folder are documents, and the stamp by which one that nobody wrote to is known without reading it.

Knows names and what the file system says, nothing of what is in a file.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from index.errors import BadCorpus

TEXT_SUFFIXES = frozenset([".txt", ".text", ".md", ".markdown"])
SUFFIXES = TEXT_SUFFIXES | {".html", ".htm", ".pdf", ".docx"}

SETTLED = 2_000_000_000
"""Nanoseconds. A file that changed later than so long ago may change again within the same tick of the file system's
clock, which is a second on the coarsest of `_TIMED`: its stamp says nothing yet. (git calls such a file "racy".)"""
_TIMED = frozenset(["bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "xfs", "zfs"])


def find_documents(root: Path) -> list[Path]:
    """All files below `root` with one of SUFFIXES, sorted by their relative path.

    Hidden files and folders and Office's lock files are left out, and so are links that lead outside `root` or back to
    a folder above themselves; inside a linked folder no further one is followed. A folder that may not be listed is
    itself in the list, so that reading it says why.

    Raises:
        BadCorpus: `root` is no folder that can be listed.
    """
    return [Path(root, name) for name, _ in sorted(_walk(root))]


def find_stamps(root: Path) -> dict[str, str | None]:
    """The names of `find_documents`, relative to `root` with forward slashes, each with its file's stamp, in order.

    A file that has the stamp it had before was not written to since. None where that cannot be told: it changed just
    now, or lies where no clock of the system's own times each change.

    Raises:
        BadCorpus: as `find_documents` does.
    """
    before = time.time_ns() - SETTLED
    device = os.stat(root).st_dev if root.is_dir() and is_timed(root) else None
    found: dict[str, str | None] = {}
    for name, entry in sorted(_walk(root)):
        found[name] = None
        if device is not None and entry is not None:
            try:
                status = entry.stat()
            except OSError:  # gone meanwhile, or a link to itself
                continue
            if status.st_dev == device and status.st_ctime_ns < before:
                found[name] = stamp(status)
    return found


def stamp(status: os.stat_result) -> str:
    """Size, times of the last writing and of the last change, and number of a file; the second time nobody can set."""
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def is_timed(folder: Path) -> bool:
    """Whether each change to a file of `folder` surely gets the system's time, as on the file systems of a Linux disk.

    Windows has no such time, others (FAT, sshfs) let it be set; those of a network may tell an old one, and tmpfs does
    not notice what is written through memory.
    """
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    return _kind(os.path.realpath(folder), mounts) in _TIMED


def _kind(path: str, mounts: str) -> str:
    """The kind of the file system that `path` lies on, of lines as in /proc/mounts."""
    kind = ""
    for line in mounts.splitlines():  # the last that holds it lies over those before
        _, place, mounted, *_ = line.split(" ")
        if is_inside(path, re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), place)):
            kind = mounted
    return kind


def is_inside(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or below it, by their names alone."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _walk(root: Path) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
    """The name of each file, and its entry; no entry for a folder that may not be listed."""
    try:
        os.scandir(root).close()
    except OSError as error:
        raise BadCorpus(f"{root}: {error.strerror}: give the folder that holds the documents") from error
    real_root, above = os.path.realpath(root), len(os.path.join(root, ""))
    waiting = [(str(root), False)]
    while waiting:
        folder, linked = waiting.pop()
        try:
            with os.scandir(folder) as listed:
                entries = list(listed)
        except OSError:
            yield folder[above:].replace(os.sep, "/"), None
            continue
        for entry in entries:
            is_link = entry.is_symlink()
            target = os.path.realpath(entry.path) if is_link else ""
            if entry.name.startswith((".", "~$")) or (is_link and not is_inside(target, real_root)):
                continue
            if not (os.path.isdir(entry.path) if is_link else entry.is_dir()):
                if os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                    yield entry.path[above:].replace(os.sep, "/"), entry
            elif not is_link or not (linked or is_inside(os.path.realpath(folder), target)):
                waiting.append((entry.path, linked or is_link))

"""The seal of an index' folder: whether anything but this program wrote to its files since the last sync ended.

At the end of a sync every row is good, for it was verified or just written. The seal is what the file system says then
of the store and of the files made from it; while that is so still, a sync need not verify them again. Whatever is wrong
with a seal costs that verification, never more. Rows are verified besides whenever they are read: damage that leaves no
trace in the file system is found there, and breaks the seal.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from index.files import is_timed, stamp
from index.schema import FORMAT, SCHEMA_VERSION

NAME = "sealed"
FILES = (NAME, f"{NAME}.part")
_ATTEMPTS = 10


def put(folder: Path) -> None:
    """Seal the files of the index in `folder`, of which all that was committed lies in the store's file itself."""
    seal, part = (folder / name for name in FILES)
    with suppress(OSError):  # as of a full disk: without a seal nothing is lost
        found = _stamps(folder)
        if found is None or not is_timed(folder):
            return
        try:
            part.write_text(found[0], encoding="utf-8")
            for _ in range(_ATTEMPTS):
                if part.stat().st_mtime_ns > found[1]:  # so that every later change has a later time than these
                    seal.unlink(missing_ok=True)  # to replace a file takes ext4 ten times as long as to rename one
                    part.rename(seal)
                    break
                time.sleep(0.002)
                os.utime(part)
        finally:
            part.unlink(missing_ok=True)


def holds(folder: Path) -> bool:
    """Whether nobody else wrote to the files of the index in `folder` since they were sealed."""
    try:
        found = _stamps(folder)
        return found is not None and (folder / NAME).read_text(encoding="utf-8") == found[0]
    except (OSError, UnicodeDecodeError):
        return False


def break_off(folder: Path) -> None:
    """Have the next sync verify everything; where the folder may not be written to, there is none."""
    with suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)


def _stamps(folder: Path) -> tuple[str, int] | None:
    """The stamps of all files, and the time of their last change; None where some of the store lies beside its file."""
    log = folder / "store.sqlite-wal"
    if log.exists() and log.stat().st_size:
        return None
    lines, changed = [f"{FORMAT} {SCHEMA_VERSION}\n"], 0
    # tantivy's lock files come and go with its readers
    derived = (p for p in (folder / "derived").rglob("*") if p.is_file() and not p.name.endswith(".lock"))
    for path in (folder / "store.sqlite", *sorted(derived)):
        status = os.stat(path)
        lines.append(f"{path.relative_to(folder).as_posix()} {stamp(status)}\n")
        changed = max(changed, status.st_ctime_ns, status.st_mtime_ns)
    return "".join(lines), changed

"""What the commands show and write: a progress bar for people at a terminal, lines of text, files."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from index.errors import BadInput
from index.sync import Progress

_UNITS = {"reading": "files", "embedding": "passages", "asking": "questions"}


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A `Progress` that draws a bar with rate and time left on standard error, one after another for each stage.

    Nothing is drawn where standard error is no terminal.
    """
    from tqdm import tqdm

    bars: dict[str, Any] = {}

    def advance(stage: str, done: int, total: int) -> None:
        if stage not in bars or bars[stage].n >= bars[stage].total:  # the stage begins anew, with another file
            for finished in bars.values():
                finished.close()
            bars[stage] = tqdm(total=total, desc=stage, unit=f" {_UNITS.get(stage, stage)}", leave=False, disable=None)
        bars[stage].update(done - bars[stage].n)

    try:
        yield advance
    finally:
        for bar in bars.values():
            bar.close()


def tell(text: str) -> None:
    """Print `text`; what the output's encoding lacks is escaped, and nobody reading on (`| head -1`) is no error.

    Ends the program with one line and status 1 where the output takes nothing, such as a file on a full disk.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what comes later, Python's last flush too
        if not isinstance(error, BrokenPipeError):
            raise SystemExit(f"the output cannot be written: {error.strerror}") from None


def write(path: Path, text: str) -> None:
    """Write a file that the command line names.

    Raises:
        BadInput: if it cannot be written, with the reason.
    """
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error

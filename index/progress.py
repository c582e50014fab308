"""What the commands show and write: a progress bar for people at a terminal, lines of text, files."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from index.errors import BadInput, QAError
from index.sync import Progress

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNITS = {"reading": "files", "embedding": "passages", "asking": "questions"}


class Parser(argparse.ArgumentParser):
    """A parser of command lines whose messages show the control characters of what was given, as `visible` does."""

    def error(self, message: str) -> NoReturn:
        """End the program with usage, message and status 2."""
        super().error(visible(message))


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


def tell_error(command: str, error: QAError) -> None:
    """Print an error of ours on standard error, in one line."""
    print(f"{command}: {visible(str(error))}", file=sys.stderr)


def visible(text: object) -> str:
    """`text` on one line, control and direction characters made visible, so that no document can steer a terminal."""
    return _CONTROL.sub(lambda m: f"\\x{ord(m[0]):02x}", re.sub(r"[\t\r\n\v\f]+", " ", str(text)))


def visible_json(text: str) -> str:
    """The same for JSON, which says the same afterwards."""
    return _CONTROL.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


def write(path: Path, text: str) -> None:
    """Write a file that the command line names.

    Raises:
        BadInput: if it cannot be written, with the reason.
    """
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error

"""A progress bar for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from index.sync import Progress

_UNITS = {"reading": "files", "embedding": "passages", "asking": "questions"}


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A `Progress` that draws a bar with rate and time left on standard error, one after another for each stage."""
    from tqdm import tqdm

    bars: dict[str, Any] = {}

    def advance(stage: str, done: int, total: int) -> None:
        if stage not in bars or bars[stage].n >= bars[stage].total:  # the stage begins anew, with another file
            for finished in bars.values():
                finished.close()
            bars[stage] = tqdm(total=total, desc=stage, unit=f" {_UNITS.get(stage, stage)}", leave=False)
        bars[stage].update(done - bars[stage].n)

    try:
        yield advance
    finally:
        for bar in bars.values():
            bar.close()

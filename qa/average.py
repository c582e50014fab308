"""Averages the weights of readers that were trained apart: `python -m qa.average OUT FILE FILE …`.

Readers fine-tuned from one encoder lie so close together that the mean of their weights reads better than each of them,
and tells better when there is no answer, at the cost of one (Wortsman et al. 2022, "Model soups").
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index import BadInput, QAError
from index.progress import Parser, tell, tell_error, visible


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status: 0 done, 2 bad input."""
    options = _parser().parse_args(arguments)
    try:
        average(options.out, options.files, options.shares)
    except QAError as error:
        tell_error("qa.average", error)
        return 2
    tell(f"{visible(options.out)}: the mean of {len(options.files)} readers")
    return 0


def average(out: Path, files: Sequence[Path], shares: Sequence[float] | None = None) -> None:
    """Write the mean of the weights in `files`, each counting by its share (default: equally), to `out` as float16.

    Raises:
        BadInput: the files are no weights of one kind of reader, `shares` are not one each, or `out` can't be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    shares = shares or [1.0] * len(files)
    if len(shares) != len(files) or min(shares) < 0 or not 0 < sum(shares) < float("inf"):
        raise BadInput(f"{len(files)} files need as many shares, positive numbers, not {' '.join(map(str, shares))}")
    loaded = [_load(file) for file in files]
    for file, weights in zip(files[1:], loaded[1:], strict=True):
        if {n: w.shape for n, w in weights.items()} != {n: w.shape for n, w in loaded[0].items()}:
            raise BadInput(f"{file} holds weights of another shape than {files[0]}: only like readers can be averaged")
    parts = np.array(shares, dtype=np.float32) / sum(shares)
    mean = {
        name: np.tensordot(parts, np.stack([w[name].astype(np.float32) for w in loaded]), 1).astype(np.float16)
        for name in loaded[0]
    }
    try:
        save_file(mean, f"{out}.tmp")
        os.replace(f"{out}.tmp", out)
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{out} cannot be written ({error})") from error


def _load(file: Path) -> dict[str, NDArray[np.float32]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        weights: dict[str, NDArray[np.float32]] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{file} cannot be read as weights ({error})") from error
    return weights


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m qa.average", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="file to write")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="weights that qa.train wrote")
    parser.add_argument("--shares", type=float, nargs="+", metavar="S", help="what each file counts (default: equally)")
    return parser


if __name__ == "__main__":
    sys.exit(main())

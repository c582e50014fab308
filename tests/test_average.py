"""Averaging readers, and that the mean of two is a reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from index import DEFAULT_ENCODER, BadInput
from qa.average import average, main
from qa.reader import WEIGHTS, Reader, ReadPassage


def written(path: Path, **values: list[float]) -> Path:
    save_file({name: np.array(value, dtype=np.float16) for name, value in values.items()}, path)
    return path


def test_each_counts_by_its_share(tmp_path: Path) -> None:
    one, two = written(tmp_path / "one", a=[0, 4], b=[1]), written(tmp_path / "two", a=[4, 0], b=[1])
    average(tmp_path / "equal", [one, two])
    assert load_file(tmp_path / "equal")["a"].tolist() == [2, 2]
    average(tmp_path / "mean", [one, two], [3, 1])
    mean = load_file(tmp_path / "mean")
    assert mean["a"].tolist() == [1, 3] and mean["b"].tolist() == [1] and mean["a"].dtype == np.float16


def test_the_mean_of_readers_is_a_reader(tmp_path: Path) -> None:
    assert main([str(tmp_path / "mean"), str(WEIGHTS), str(WEIGHTS)]) == 0
    text = "The dam was closed on Monday."
    span = Reader.open(Path(DEFAULT_ENCODER), tmp_path / "mean").read("When was it closed?", [ReadPassage("", text)])[
        0
    ][0]
    assert "Monday" in text[span.start : span.end]


def test_what_cannot_be_averaged_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = written(tmp_path / "one", a=[0, 4]), written(tmp_path / "two", a=[4])
    (tmp_path / "text").write_text("no weights")
    for files, shares, said in (
        ([one, two], None, "two holds weights of another shape than"),
        ([one, one], [1.0], "2 files need as many shares"),
        ([one, one], [0.0, 0.0], "2 files need as many shares"),
        ([tmp_path / "text"], None, "text cannot be read as weights"),
        ([tmp_path / "none"], None, "none cannot be read as weights"),
    ):
        with pytest.raises(BadInput, match=said):
            average(tmp_path / "out", files, shares)
    with pytest.raises(BadInput, match="cannot be written"):
        average(tmp_path / "no" / "folder", [one])
    assert main([str(tmp_path / "out"), str(one), str(two)]) == 2
    assert capsys.readouterr().err.startswith("qa.average: ") and not (tmp_path / "out").exists()

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from qa import BadInput, calibrate
from qa.calibrate import Record, balanced, cross_validated, draw, figures_of, fit
from qa.confidence import FEATURES, Confidence


def record(margin: float, right: bool, *, answerable: bool = True, alone: tuple[float, float] | None = None) -> Record:
    return Record({**dict.fromkeys(FEATURES, 0.0), "margin": margin}, right, answerable, alone)


def simulated(n: int) -> list[Record]:
    """Questions that are right with the probability 1 / (1 + exp(1 - 2 margin))."""
    rng = np.random.default_rng(3)
    margins = rng.normal(size=n)
    return [record(float(m), bool(rng.random() < 1 / (1 + math.exp(1 - 2 * m)))) for m in margins]


def simulated_mixture(n: int = 400) -> list[Record]:
    """As `simulated`; what is not right cannot be answered."""
    return [record(r.features["margin"], r.right, answerable=r.right) for r in simulated(n)]


def test_the_probability_is_the_logistic_of_the_weighted_features() -> None:
    confidence = Confidence({"margin": 2.0, "gap": -1.0}, 0.5, 0.5, 0.0)
    assert confidence.probability({"margin": 1.0, "gap": 0.5}) == pytest.approx(1 / (1 + math.exp(-2.0)))
    assert 0 < confidence.probability({"margin": -1e9, "gap": 0.0}) < 1e-9


def test_the_fit_finds_the_coefficients_that_made_the_data() -> None:
    found = fit(simulated(4000), ["margin"])
    assert found.coefficients["margin"] == pytest.approx(2.0, abs=0.25)
    assert found.intercept == pytest.approx(-1.0, abs=0.15)


def test_cross_validated_figures_of_honest_data_are_calibrated() -> None:
    records = simulated_mixture(4000)
    figures = figures_of(records, cross_validated(records, ["margin"]))
    assert figures["ECE"] < 0.03
    assert figures["AUROC, the answer is right"] > 0.8
    assert 0 < figures["abstention precision"] < 1


def test_one_kind_of_outcome_alone_cannot_be_fitted() -> None:
    with pytest.raises(BadInput, match="needs both kinds"):
        fit([record(1.0, True)] * 5, ["margin"])


def test_the_mixture_has_the_stated_share_of_answerable_questions() -> None:
    records = [record(1.0, True)] * 300 + [record(0.0, False, answerable=False)] * 300
    for share in (0.25, 0.5, 0.8):
        kept = balanced(records, share)
        assert sum(r.answerable for r in kept) / len(kept) == pytest.approx(share, abs=0.01)
        assert max(sum(r.answerable for r in kept), sum(not r.answerable for r in kept)) == 300
    with pytest.raises(BadInput, match=r"1\.5"):
        balanced(records, 1.5)
    with pytest.raises(BadInput, match="do not"):
        balanced(records[:300], 0.5)


def test_the_null_margin_divides_answerable_from_not() -> None:
    answered = [record(3.0, True, alone=(3.0, 1.0))] * 5
    silent = [record(-1.0, False, answerable=False, alone=(-1.0, 0.0))] * 5
    assert -1.0 < fit([*answered, *silent], ["margin"]).null_margin <= 3.0
    assert fit([*answered, record(0.0, False)], ["margin"]).null_margin == 0.0


def test_the_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    confidence = Confidence({"margin": 0.25}, -0.5, 0.5, 1.25)
    confidence.save(tmp_path / "c.json")
    assert Confidence.load(tmp_path / "c.json") == confidence


def test_the_shipped_file_uses_known_features_only() -> None:
    shipped = Confidence.load()
    assert set(shipped.coefficients) <= set(FEATURES)
    assert 0 < shipped.threshold < 1


def test_the_plots_are_files_that_stand_alone(tmp_path: Path) -> None:
    records = simulated(400)
    draw(records, cross_validated(records, ["margin"]), tmp_path)
    for name in ("reliability.svg", "risk.svg"):
        root = ElementTree.fromstring((tmp_path / name).read_text(encoding="utf-8"))
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and len(list(root.iter())) > 20


def test_the_command_writes_what_it_fitted_and_what_it_was_fitted_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = simulated_mixture()
    monkeypatch.setattr(calibrate, "collect", lambda *_, **__: records)  # asking takes minutes
    questions = tmp_path / "squad.jsonl"
    questions.write_text('{"question": "Who?", "context": "Ilse.", "answers": [{"text": "Ilse", "start": 0}]}')
    out, kept = tmp_path / "confidence.json", tmp_path / "records.json"
    command = [str(questions), "--out", str(out), "--features", "margin", "--records", str(kept)]
    assert calibrate.main(command) == 0
    said = capsys.readouterr().out
    assert "AUROC, the answer is right" in said and f"wrote {out}" in said
    assert Confidence.load(out).coefficients["margin"] == pytest.approx(2.0, abs=0.8)
    assert [Record(**r) for r in json.loads(kept.read_text())] == records


@pytest.mark.parametrize("option", ["--out", "--records", "--plots"])
def test_a_place_that_takes_no_file_is_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    monkeypatch.setattr(calibrate, "collect", lambda *_, **__: simulated_mixture())
    (tmp_path / "file").touch()
    (tmp_path / "squad.jsonl").write_text('{"question": "Who?", "context": "Ilse.", "answers": []}')
    places = {"--out": tmp_path / "confidence.json", option: tmp_path / "file" / "x"}
    arguments = [part for name, place in places.items() for part in (name, str(place))]
    assert calibrate.main([str(tmp_path / "squad.jsonl"), *arguments]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "file") in said and len(said.splitlines()) == 1

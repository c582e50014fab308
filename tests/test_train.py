"""Training for real, on a handful of questions."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import qa.train
from index import DEFAULT_ENCODER
from qa.examples import Examples, Recipe
from qa.questions import read_questions
from qa.weights import load_network
from qa.windows import Windower
from tests.conftest import ROOT, LetterEmbedder

NAMES = ["Ilse Brandt", "Jon Arne", "Mara Voss", "Ruth Okafor", "Per Lund", "Ana Reis"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = []
    for i, name in enumerate(NAMES):
        context = f"The dam number {i} above the valley was closed. {name} had found cracks in its northern wall."
        answers = [{"text": name, "start": context.index(name)}]
        lines.append(
            {"title": "Dams", "context": context, "question": f"Who found cracks in dam {i}?", "answers": answers}
        )
        lines.append({"title": "Dams", "context": context, "question": f"Who built dam {i}?", "answers": []})
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def examples(data: Path, recipe: Recipe) -> Examples:
    questions = [q for turns in read_questions(data) for q in turns]
    return Examples(questions, Windower.open(Path(DEFAULT_ENCODER)), recipe)


@pytest.mark.parametrize(
    "recipe", [Recipe(joined_short=0, short=1), Recipe(joined_short=1, short=1), Recipe(48, short=1)]
)
def test_the_marked_tokens_are_the_answer_wherever_the_window_is_cut(data: Path, recipe: Recipe) -> None:
    made = examples(data, recipe)
    dealt = [e for number in range(5) for e in made.epoch(1, number)]
    answered = [e for e in dealt if e.start]
    assert len(answered) == len(dealt) / 2
    for example in answered:
        assert len(example.window.ids) <= recipe.window
        marked = made.windower.tokenizer.decode(example.window.ids[example.start : example.end + 1])
        assert marked in [name.lower() for name in NAMES]


def test_an_epoch_is_the_same_each_time_and_the_next_is_another(data: Path) -> None:
    made = examples(data, Recipe(short=1))
    assert made.epoch(1, 0) == made.epoch(1, 0) != made.epoch(1, 1)


def test_hard_negatives_rank_high_and_hold_no_answer(data: Path) -> None:
    made = examples(data, Recipe(negative=1.0, short=1))
    made.find_negatives(LetterEmbedder())
    assert made.negatives.shape == (12, 8)
    for question, row in zip(made.questions, made.negatives, strict=True):
        for context in row[row >= 0]:
            assert made.contexts[context] != question.context
            assert not any(answer in made.contexts[context] for answer in question.answers)
    negatives = [e for e in made.epoch(1, 0) if not e.start]
    assert len(negatives) == 6 + 12, "the unanswerable ones, and one for each question"


def train(data: Path, out: Path, *more: str) -> int:
    fixed = "--epochs 3 --negatives 0 --batch-tokens 128 --rate 1e-3 --threads 1".split()
    return qa.train.main(["--data", str(data), "--dev", str(data), "--out", str(out), *fixed, *more])


def test_training_learns_and_a_killed_run_ends_with_the_same_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(qa.train, "CHECKPOINT_STEPS", 2)
    monkeypatch.setattr("qa.examples.SHORT_TOKENS", 0)
    assert train(data, tmp_path / "whole") == 0
    whole = load_file(tmp_path / "whole" / "model.safetensors")
    bare = load_network(Path(DEFAULT_ENCODER), None).state_dict()
    assert not any(".embeddings." in name for name in whole), "word embeddings stay as they are and are not written"
    assert any(not torch.equal(whole[n], bare[n].half()) for n in whole if ".layer.0." in n)
    assert load_network(Path(DEFAULT_ENCODER), tmp_path / "whole" / "model.safetensors") is not None

    step: Callable[[Any, Any], float] = qa.train.Training._step

    def dying(self: Any, batch: Any) -> float:
        if self.done == 5:
            raise KeyboardInterrupt
        return step(self, batch)

    monkeypatch.setattr(qa.train.Training, "_step", dying)
    assert train(data, tmp_path / "killed") == 130
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    monkeypatch.setattr(qa.train.Training, "_step", step)
    assert train(data, tmp_path / "killed") == 0
    assert "from step 4" in capsys.readouterr().out
    again = load_file(tmp_path / "killed" / "model.safetensors")
    for name, tensor in whole.items():
        np.testing.assert_array_equal(tensor.numpy(), again[name].numpy())


@pytest.mark.soak
def test_a_run_killed_at_any_moment_ends_with_the_same_weights(data: Path, tmp_path: Path) -> None:
    script = (
        "import sys, qa.train, qa.examples; qa.train.CHECKPOINT_STEPS, qa.examples.SHORT_TOKENS = 2, 0; "
        "sys.exit(qa.train.main(sys.argv[1:]))"
    )
    fixed = "--epochs 12 --negatives 0 --batch-tokens 128 --rate 1e-3 --threads 1".split()

    def start(out: Path) -> subprocess.Popen[bytes]:
        given = ["--data", str(data), "--out", str(out), *fixed]
        return subprocess.Popen([sys.executable, "-c", script, *given], cwd=ROOT, stdout=subprocess.DEVNULL)

    began = time.monotonic()
    assert start(tmp_path / "whole").wait() == 0
    lasted, rng, killed = time.monotonic() - began, random.Random(4), 0
    for number in range(4):
        out = tmp_path / f"killed-{number}"
        while True:
            process = start(out)
            with suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0.4, 0.9) * lasted)
            process.kill()
            if process.wait() == 0:
                break
            killed += 1
        assert (tmp_path / "whole/model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()
    print(f"\nkilled {killed} times")
    assert killed >= 4


def test_a_checkpoint_of_another_run_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(qa.train, "CHECKPOINT_STEPS", 1)
    monkeypatch.setattr(qa.train.Training, "_score", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    train(data, tmp_path / "out")
    assert (tmp_path / "out" / "checkpoint.safetensors").exists()
    assert train(data, tmp_path / "out", "--seed", "2") == 2
    assert "another --out" in capsys.readouterr().err


def test_questions_without_context_are_refused() -> None:
    with pytest.raises(ValueError, match="SQuAD-shaped"):
        qa.train._squad_shaped([Path(__file__).parent / "questions.jsonl"])


def test_the_schedule_rises_and_falls() -> None:
    values = [qa.train._schedule(p / 100) for p in range(101)]
    assert values[0] == 0 and max(values) == pytest.approx(1.0, abs=0.01) and values[-1] == pytest.approx(0.0)
    assert values.index(max(values)) in (6, 7)

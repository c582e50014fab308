"""The real reader with its real weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from index import DEFAULT_ENCODER
from index.bert import Bert
from qa.reader import BATCH_TOKENS, WEIGHTS, Reader, ReadPassage, length_batches

DAM = "The dam above Kestrel Valley was closed on Monday. Engineer Ilse Brandt had found cracks in its northern wall."


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader.open(Path(DEFAULT_ENCODER))


def best(reader: Reader, question: str, text: str) -> str:
    span = reader.read(question, [ReadPassage("", text)])[0][0]
    return text[span.start : span.end]


def test_the_reader_finds_names_times_and_places(reader: Reader) -> None:
    assert "Ilse Brandt" in best(reader, "Who found the cracks?", DAM)
    assert "Monday" in best(reader, "When was the dam closed?", DAM)
    assert "northern wall" in best(reader, "Where were the cracks?", DAM)


def test_a_passage_that_answers_has_a_higher_margin_than_one_that_does_not(reader: Reader) -> None:
    other = "The bakery on Mill Street sells rye bread and opens at six in the morning."
    good, bad = reader.read("Who found cracks in the dam?", [ReadPassage("", DAM), ReadPassage("", other)])
    assert good[0].margin > bad[0].margin + 2


def test_an_answer_far_down_a_long_passage_is_found(reader: Reader) -> None:
    filler = "The committee met again and adjourned without a vote. " * 120
    assert "Ilse Brandt" in best(reader, "Who found cracks in the wall?", filler + DAM)


def test_reading_together_and_alone_give_the_same_spans(reader: Reader) -> None:
    trained = {name.removeprefix("bert."): tensor.float() for name, tensor in load_file(WEIGHTS).items()}
    bert = Bert.open(Path(DEFAULT_ENCODER), trained, torch.float32)  # bfloat16 rounds by batch
    exact = Reader(bert, reader.head, reader.windower)
    passages = [ReadPassage("", DAM), ReadPassage("News", DAM * 2), ReadPassage("", "Ilse Brandt spoke.")]
    together = exact.read("Who found the cracks?", passages)
    alone = [exact.read("Who found the cracks?", [p])[0] for p in passages]
    for a, b in zip(together, alone, strict=True):
        assert [(s.start, s.end) for s in a[:1]] == [(s.start, s.end) for s in b[:1]]
        assert a[0].margin == pytest.approx(b[0].margin, abs=1e-3)


def test_nothing_to_read_gives_nothing(reader: Reader) -> None:
    assert reader.read("Who?", []) == []
    assert reader.read("Who?", [ReadPassage("", "  ")]) == [[]]


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=60), st.text(max_size=200))
def test_spans_lie_in_the_passage_whatever_its_characters(reader: Reader, question: str, text: str) -> None:
    for span in reader.read(question, [ReadPassage("", text)])[0]:
        assert 0 <= span.start < span.end <= len(text)


def test_weights_that_lack_a_layer_are_refused(tmp_path: Path) -> None:
    save_file({"qa_outputs.bias": torch.zeros(2)}, tmp_path / "half.safetensors")
    with pytest.raises(ValueError, match="lacks weights"):
        Reader.open(Path(DEFAULT_ENCODER), tmp_path / "half.safetensors")


@given(st.lists(st.integers(1, 400), max_size=60))
def test_batches_hold_every_item_once_and_keep_the_budget(lengths: list[int]) -> None:
    batches = length_batches(lengths, BATCH_TOKENS)
    assert sorted(i for b in batches for i in b) == list(range(len(lengths)))
    assert all(max(lengths[i] for i in b) * len(b) <= BATCH_TOKENS for b in batches)

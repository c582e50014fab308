"""The encoder's arithmetic beside that of transformers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import BertModel

from index import DEFAULT_ENCODER
from index.bert import Bert


@pytest.mark.parametrize("shape", [(1, 9), (4, 70)])
def test_the_hidden_states_are_those_of_transformers(shape: tuple[int, int]) -> None:
    theirs = BertModel.from_pretrained(DEFAULT_ENCODER).eval()
    ours = Bert.open(Path(DEFAULT_ENCODER), dtype=torch.float32)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1000, 20_000, shape, generator=generator)
    types = (torch.arange(shape[1]) > shape[1] // 3).long().expand(shape)
    mask = torch.ones(shape, dtype=torch.long)
    for row in range(shape[0]):
        mask[row, shape[1] - 5 * row :] = 0
    with torch.inference_mode():
        expected = theirs(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
        found = ours(ids, types, mask)
    assert torch.allclose(found[mask.bool()], expected[mask.bool()], atol=1e-5)


def test_trained_weights_stand_in_for_those_of_the_folder() -> None:
    name = "encoder.layer.0.output.dense.bias"
    ids, rest = torch.tensor([[101, 2040, 102]]), torch.ones(1, 3, dtype=torch.long)
    plain = Bert.open(Path(DEFAULT_ENCODER))
    other = Bert.open(Path(DEFAULT_ENCODER), {name: torch.ones(384)})
    assert not torch.equal(plain(ids, rest * 0, rest), other(ids, rest * 0, rest))


def test_an_encoder_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "distilbert"}))
    with pytest.raises(ValueError, match="no BERT of the usual kind"):
        Bert.open(tmp_path)

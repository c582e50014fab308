"""The encoder's arithmetic beside that of transformers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import BertModel

from index import DEFAULT_ENCODER
from index.bert import Bert, fastest_dtype


@pytest.mark.parametrize("shape", [(1, 9), (4, 70)])
@pytest.mark.parametrize(("dtype", "apart"), [(torch.float32, 1e-5), (torch.bfloat16, 0.1)])
def test_the_hidden_states_are_those_of_transformers(shape: tuple[int, int], dtype: torch.dtype, apart: float) -> None:
    if dtype != torch.float32 and dtype != fastest_dtype():
        pytest.skip("the processor does not multiply bfloat16")
    theirs = BertModel.from_pretrained(DEFAULT_ENCODER).eval()
    ours = Bert.open(Path(DEFAULT_ENCODER), dtype=dtype)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1000, 20_000, shape, generator=generator)
    types = (torch.arange(shape[1]) > shape[1] // 3).long().expand(shape)
    mask = torch.ones(shape, dtype=torch.long)
    for row in range(shape[0]):
        mask[row, shape[1] - 5 * row :] = 0
    with torch.inference_mode():
        expected = theirs(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
        found = ours(ids, types, mask).float()
    assert torch.allclose(found[mask.bool()], expected[mask.bool()], atol=apart)


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

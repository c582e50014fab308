"""A BERT encoder by torch alone: what a question needs, without the seconds that transformers takes to import.

The same numbers as transformers' `BertModel`, from the same files. Indexing goes by sentence-transformers and training
by transformers, which a process that only asks never loads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

KNOWN = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}


class Bert:
    """The layers of one encoder; called, it gives the last hidden states."""

    def __init__(self, config: Mapping[str, int], weights: Mapping[str, Tensor], dtype: torch.dtype) -> None:
        """Take the configuration and the weights of a `BertModel` by their names there; KeyError if one is missing."""
        self.dtype = dtype
        self.heads = config["num_attention_heads"]
        self.epsilon = config["layer_norm_eps"]

        def joined(names: tuple[str, ...], part: str) -> Tensor:
            return torch.cat([weights[f"{name}.{part}"] for name in names]).to(dtype)

        def pair(*names: str) -> tuple[Tensor, Tensor]:
            return joined(names, "weight"), joined(names, "bias")

        kinds = ("word", "position", "token_type")
        self.embeddings = [weights[f"embeddings.{kind}_embeddings.weight"].to(dtype) for kind in kinds]
        self.norm = pair("embeddings.LayerNorm")
        self.layers = [
            (
                pair(*(f"{at}.attention.self.{name}" for name in ("query", "key", "value"))),  # multiplied as one
                pair(f"{at}.attention.output.dense"),
                pair(f"{at}.attention.output.LayerNorm"),
                pair(f"{at}.intermediate.dense"),
                pair(f"{at}.output.dense"),
                pair(f"{at}.output.LayerNorm"),
            )
            for at in (f"encoder.layer.{n}" for n in range(config["num_hidden_layers"]))
        ]

    @classmethod
    def open(cls, folder: Path, trained: Mapping[str, Tensor] | None = None, dtype: torch.dtype | None = None) -> Bert:
        """Load the encoder in `folder`, with weights of `trained` in place of those of the same names.

        It computes with numbers of `dtype`, by itself those that are fastest here.

        Raises:
            ValueError: the folder holds no BERT of the usual kind.
        """
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if any(config.get(name, usual) != usual for name, usual in KNOWN.items()):
            raise ValueError(f"{folder} holds no BERT of the usual kind")
        trained = trained or {}
        with safe_open(str(folder / "model.safetensors"), "pt") as file:
            own = {name: file.get_tensor(name) for name in file.keys() if name not in trained}  # noqa: SIM118
        return cls(config, {**own, **trained}, dtype or fastest_dtype())

    @property
    def vocabulary(self) -> int:
        """How many word pieces it has a vector for."""
        return self.embeddings[0].shape[0]

    def __call__(self, ids: Tensor, types: Tensor, mask: Tensor) -> Tensor:
        """Hidden states [texts, longest, width]; ids, types and mask (0 is padding) are [texts, longest]."""
        words, places, kinds = self.embeddings
        states = functional.embedding(ids, words) + functional.embedding(types, kinds) + places[: ids.shape[1]]
        states = self._norm(states, self.norm)
        seen = None if mask.all() else mask[:, None, None, :].bool()
        for query_key_value, attended, first, wide, narrow, second in self.layers:
            joint = functional.linear(states, *query_key_value).view(*ids.shape, 3, self.heads, -1)
            query, key, value = joint.permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(query, key, value, seen).transpose(1, 2).flatten(2)
            states = self._norm(states + functional.linear(mixed, *attended), first)
            inner = functional.gelu(functional.linear(states, *wide))
            states = self._norm(states + functional.linear(inner, *narrow), second)
        return states

    def _norm(self, states: Tensor, weight_and_bias: tuple[Tensor, Tensor]) -> Tensor:
        return functional.layer_norm(states, states.shape[-1:], *weight_and_bias, self.epsilon)


def fastest_dtype() -> torch.dtype:
    """The numbers that a network computes with fastest here: bfloat16 if the processor multiplies it, else float32."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions do not tell
    return torch.bfloat16 if capabilities.get("amx_bf16") else torch.float32

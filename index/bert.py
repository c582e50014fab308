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
ROWS = 32
"""What the number of a batch's tokens is rounded up to."""
ALIKE_ROWS = 384
"""From so many tokens a core (and up to `ROWS`) products sum in one order, that of any larger batch."""


class _Linear:
    """A product with a weight that is laid out once for the processor's matrix unit, where it has one.

    `torch.nn.functional.linear` lays it out for each product, and takes a seventh longer for a reading.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.bias = bias
        self.laid_out = weight.dtype == torch.bfloat16
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, 1024) if self.laid_out else weight

    def __call__(self, states: Tensor, *, gelu: bool = False) -> Tensor:
        if self.laid_out:
            after = ("gelu", "none") if gelu else ("none", "")
            found: Tensor = torch.ops.mkldnn._linear_pointwise(states, self.weight, self.bias, after[0], [], after[1])
            return found
        product = functional.linear(states, self.weight, self.bias)
        return functional.gelu(product) if gelu else product


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

        def linear(*names: str) -> _Linear:
            return _Linear(*pair(*names))

        kinds = ("word", "position", "token_type")
        self.embeddings = [weights[f"embeddings.{kind}_embeddings.weight"].to(dtype) for kind in kinds]
        self.norm = pair("embeddings.LayerNorm")
        self.layers = [
            (
                linear(*(f"{at}.attention.self.{name}" for name in ("query", "key", "value"))),  # multiplied as one
                linear(f"{at}.attention.output.dense"),
                pair(f"{at}.attention.output.LayerNorm"),
                linear(f"{at}.intermediate.dense"),
                linear(f"{at}.output.dense"),
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

    def __call__(self, ids: Tensor, types: Tensor, mask: Tensor, *, alike: bool = False) -> Tensor:
        """Hidden states [texts, longest, width]; ids, types and mask (0 is padding) are [texts, longest].

        Padding is left out of the arithmetic, and its hidden states are 0. In bfloat16 and `alike`, those of a text
        have the same bits whatever it is batched with.
        """
        kept = mask.flatten().nonzero().flatten()
        lengths: list[int] = mask.sum(1).tolist()
        # The products for a number of rows not met before take milliseconds to prepare: few numbers are met.
        spare = -len(kept) % ROWS
        if alike and self.dtype == torch.bfloat16 and len(kept) > ROWS:
            spare = max(spare, ALIKE_ROWS * torch.get_num_threads() - len(kept))
        words, places, kinds = self.embeddings
        states = functional.embedding(ids.flatten()[kept], words) + functional.embedding(types.flatten()[kept], kinds)
        states = self._norm(states + functional.embedding(kept % ids.shape[1], places), self.norm)
        states = functional.pad(states, (0, 0, 0, spare))
        for query_key_value, attended, first, wide, narrow, second in self.layers:
            joint = query_key_value(states).view(len(states), 3, self.heads, -1)
            texts = torch.split(joint, [*lengths, spare])[: len(lengths)]
            mixed = functional.pad(torch.cat([self._mixed(text) for text in texts]), (0, 0, 0, spare))
            states = self._norm(states + attended(mixed), first)
            states = self._norm(states + narrow(wide(states, gelu=True)), second)
        found = states.new_zeros(ids.numel(), states.shape[1])
        found[kept] = states[: len(kept)]
        return found.view(*ids.shape, -1)

    @staticmethod
    def _mixed(text: Tensor) -> Tensor:
        # The query, key and value [tokens, 3, heads, ...] of one text, attending to one another: [tokens, width].
        query, key, value = text.permute(1, 2, 0, 3).unsqueeze(1)
        return functional.scaled_dot_product_attention(query, key, value)[0].transpose(0, 1).flatten(1)

    def _norm(self, states: Tensor, weight_and_bias: tuple[Tensor, Tensor]) -> Tensor:
        return functional.layer_norm(states, states.shape[-1:], *weight_and_bias, self.epsilon)


def fastest_dtype() -> torch.dtype:
    """The numbers that a network computes with fastest here: bfloat16 if the processor multiplies it, else float32."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions do not tell
    multiplied = any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))
    return torch.bfloat16 if multiplied else torch.float32

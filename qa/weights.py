"""The weights in training: float32 ones that the optimiser moves, and the network that computes with a copy of them.

Where a processor multiplies bfloat16 natively, a network wholly in bfloat16 trains twice as fast as one under autocast,
and random numbers for dropout alone cost a quarter of a step; both are answered here.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForQuestionAnswering

AVERAGE = 0.998
LONGEST_NORM = 1.0
POOL = 1 << 24


class Weights:
    """The trained weights of a network by name, float32, with their running average and their optimiser."""

    def __init__(self, network: BertForQuestionAnswering, dtype: torch.dtype, rate: float) -> None:
        """Freeze the word embeddings, turn the network to `dtype` and keep float32 weights of the rest."""
        for parameter in network.bert.embeddings.parameters():
            parameter.requires_grad = False
        pairs = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
        self.trained = {n: p.detach().clone().requires_grad_() for n, p in pairs}
        self.average = {n: p.detach().clone() for n, p in pairs}
        self.network = network.to(dtype)
        self.computing = {n: p for n, p in network.named_parameters() if p.requires_grad}
        decayed = [p for p in self.trained.values() if p.ndim > 1]
        others = [p for p in self.trained.values() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=rate, fused=True)

    def step(self, rate: float, number: int) -> None:
        """One step of the optimiser with the network's gradients, which it clears; `number` counts from 1."""
        for name, weight in self.trained.items():
            gradient = self.computing[name].grad
            weight.grad = None if gradient is None else gradient.float()
        torch.nn.utils.clip_grad_norm_(list(self.trained.values()), LONGEST_NORM)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()
        self.network.zero_grad(set_to_none=True)
        self.show(self.trained)
        keep = min(AVERAGE, number / (number + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), list(self.trained.values()), 1 - keep)

    def show(self, weights: dict[str, torch.Tensor]) -> None:
        """Let the network compute with `weights`."""
        with torch.no_grad():
            for name, parameter in self.computing.items():
                parameter.copy_(weights[name])

    def state(self) -> dict[str, torch.Tensor]:
        """Everything that a run needs in order to go on, flat, on the processor."""
        adam = self.optimiser.state_dict()["state"]
        tensors = {f"weights/{n}": p.detach().cpu().contiguous() for n, p in self.trained.items()}
        tensors |= {f"average/{n}": p.cpu().contiguous() for n, p in self.average.items()}
        return tensors | {f"adam/{i}/{n}": t.cpu() for i, s in adam.items() for n, t in s.items()}

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Go on from what `state` gave."""
        with torch.no_grad():
            for name, weight in self.trained.items():
                weight.copy_(tensors[f"weights/{name}"])
                self.average[name].copy_(tensors[f"average/{name}"])
        adam = self.optimiser.state_dict()
        for name, tensor in tensors.items():
            if name.startswith("adam/"):
                _, number, part = name.split("/")
                adam["state"].setdefault(int(number), {})[part] = tensor
        self.optimiser.load_state_dict(adam)
        self.show(self.trained)


class PooledDropout(torch.nn.Module):
    """Dropout that takes its mask from a random place of one long random mask."""

    def __init__(self, mask: torch.Tensor) -> None:
        """`mask` [n] holds 0 where something is dropped and 1 / (1 - share dropped) elsewhere."""
        super().__init__()
        self.mask = mask

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Drop some of `values` while training."""
        if not self.training:
            return values
        start = int(torch.randint(0, len(self.mask) - values.numel() + 1, (1,)))
        return values * self.mask[start : start + values.numel()].view(values.shape)


def pool_dropout(network: torch.nn.Module, dtype: torch.dtype, device: str) -> None:
    """Give every `Dropout` of the network that drops anything its mask out of one pool; they must share one rate."""
    found = [
        (m, n, c) for m in network.modules() for n, c in m.named_children() if isinstance(c, torch.nn.Dropout) and c.p
    ]
    (rate,) = {c.p for _, _, c in found}
    mask = ((torch.rand(POOL) >= rate) / (1 - rate)).to(device, dtype)
    for module, name, _ in found:
        setattr(module, name, PooledDropout(mask))


def load_network(encoder: Path, weights: Path | None) -> BertForQuestionAnswering:
    """Build the reader's network: the encoder in folder `encoder` with a fresh span head, then `weights` over it.

    Its attention is transformers' "eager" one, which trains fastest on a processor.
    """
    config = BertConfig.from_pretrained(str(encoder), attention_probs_dropout_prob=0.0, attn_implementation="eager")
    network = BertForQuestionAnswering(config)
    state = {f"bert.{name}": tensor for name, tensor in load_file(encoder / "model.safetensors").items()}
    if weights is not None:
        state |= load_file(weights)
    known = network.state_dict().keys()
    missing, _ = network.load_state_dict(
        {name: tensor.to(torch.float32) for name, tensor in state.items() if name in known}, strict=False
    )
    if [name for name in missing if weights is not None or not name.startswith("qa_outputs.")]:
        raise ValueError(f"{weights or encoder} lacks weights of the reader: {', '.join(missing[:3])} …")
    return network

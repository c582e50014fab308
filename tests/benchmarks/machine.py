"""What was measured on, and the floor that the encoder's arithmetic sets there."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PACKAGES = (
    "torch transformers sentence-transformers faiss-cpu numpy tantivy txtai haystack-ai transformers-haystack "
    "sentence-transformers-haystack faiss-haystack"
).split()


def machine() -> dict[str, Any]:
    """Processor, cores and memory, as Linux tells them."""
    cpu = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    cores = Path("/proc/cpuinfo").read_text().count("processor\t")
    return {
        "processor": cpu.split(":")[1].strip(),
        "cores": cores,
        "memory_gb": round(int(memory.split()[1]) / 1e6, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def versions(python: Path) -> dict[str, str]:
    """The versions of the packages that matter in the environment of `python`."""
    code = (
        "import json, sys; from importlib.metadata import version, PackageNotFoundError\n"
        "found = {}\n"
        "for name in sys.argv[1:]:\n"
        "    try: found[name] = version(name)\n"
        "    except PackageNotFoundError: pass\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run([python, "-c", code, *PACKAGES], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def operations_a_token(config: dict[str, int], tokens: float) -> float:
    """Multiplications and additions that a BERT encoder does a token, in texts of `tokens` tokens."""
    d, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    return layers * (2 * (4 * d * d + 2 * d * inner) + 4 * tokens * d)


def floor(encoder: Path, texts: Sequence[str]) -> dict[str, float]:
    """The most passages a second that the encoder's matrix products allow, by the rate measured in each precision."""
    import torch
    from tokenizers import Tokenizer

    config = json.loads((encoder / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    tokens = sum(len(e.ids) for e in tokenizer.encode_batch(list(texts))) / len(texts)
    wanted = tokens * operations_a_token(config, tokens)
    found = {"tokens_a_passage": tokens, "gflop_a_passage": wanted / 1e9}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        rate = _matrix_rate(dtype, config["hidden_size"], config["intermediate_size"])
        found |= {f"{name}_gflop_per_second": rate / 1e9, f"{name}_passages_per_second": rate / wanted}
    return found


def _matrix_rate(dtype: Any, width: int, inner: int) -> float:
    """Operations a second of the encoder's largest product, over 4,096 tokens: the best of several tries."""
    import torch

    a, b = torch.rand(4096, width, dtype=dtype), torch.rand(inner, width, dtype=dtype)
    best = 0.0
    with torch.inference_mode():
        for _ in range(15):
            started = time.perf_counter()
            for _ in range(5):
                torch.nn.functional.linear(a, b)
            best = max(best, 5 * 2 * 4096 * width * inner / (time.perf_counter() - started))
    return best

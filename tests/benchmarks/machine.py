"""What was measured on, and the floor that the encoder's arithmetic sets there."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import tempfile
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
    """The seconds that the encoder's operations on the texts take at the rate measured in each precision."""
    import torch
    from tokenizers import Tokenizer

    config = json.loads((encoder / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    lengths = [len(e.ids) for e in tokenizer.encode_batch(list(texts))]
    wanted = sum(n * operations_a_token(config, n) for n in lengths)
    found = {"passages": len(texts), "tokens": sum(lengths), "gflop": wanted / 1e9}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        rate = _matrix_rate(dtype, config["hidden_size"], config["intermediate_size"])
        found |= {f"{name}_gflop_per_second": rate / 1e9, f"{name}_seconds": wanted / rate}
    return found


def starts(corpus: Path, question: str, times: int, environment: dict[str, str]) -> dict[str, float]:
    """The median seconds of whole processes; the question is put to an index that is there and up to date."""
    with tempfile.TemporaryDirectory() as place:
        commands = {
            "python -c pass": ["-c", "pass"],
            "python -c 'import torch'": ["-c", "import torch"],
            "python -m qa --help": ["-m", "qa", "--help"],
            "python -m index --help": ["-m", "index", "--help"],
            "python -m app --help": ["-m", "app", "--help"],
            "python -m qa QUESTION": ["-m", "qa", question, "--corpus", str(corpus), "--index", place],
        }
        subprocess.run([sys.executable, "-m", "index", corpus, "--index", place], check=True, capture_output=True)
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(times):
            for name, arguments in commands.items():
                started = time.perf_counter()
                # not checked: 3 is said where the documents do not answer
                subprocess.run([sys.executable, *arguments], check=False, capture_output=True, env=environment)
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


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

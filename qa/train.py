"""Fine-tunes the reader on SQuAD-shaped questions: `python -m qa.train --data FILES... --out DIR`.

Trains the encoder layers and the span head; the word embeddings stay as they are. A run that was killed goes on from
its last checkpoint when it is started again with the same arguments, and ends with the same weights.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import DEFAULT_ENCODER, BadInput, Embedder
from index.progress import Parser, tell_error, visible
from qa.examples import Example, Examples, Recipe
from qa.metrics import exact_match, f1
from qa.questions import Question, read_questions
from qa.windows import Windower

if TYPE_CHECKING:
    import torch

CHECKPOINT_STEPS = 200
DEV_QUESTIONS = 300


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    options = _parser().parse_args(arguments)
    try:
        questions = _squad_shaped(options.data)
        dev = {path.name: _squad_shaped([path])[:DEV_QUESTIONS] for path in options.dev}
        Training(options, questions, dev).run()
    except BadInput as error:
        tell_error("qa.train", error)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


class Training:
    """One run: its data, network, optimiser and place in the schedule."""

    def __init__(self, options: argparse.Namespace, questions: list[Question], dev: dict[str, list[Question]]) -> None:
        """Tokenize the data, find hard negatives, load or resume the network."""
        import torch

        from qa.weights import Weights, load_network, pool_dropout

        self.options, self.dev, self.torch = options, dev, torch
        self.out: Path = options.out
        self.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(options.seed)
        if options.threads:
            torch.set_num_threads(options.threads)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.windower = Windower.open(Path(options.encoder))
        self.examples = Examples(
            questions, self.windower, Recipe(options.window, options.negatives, altered=options.altered)
        )
        if options.negatives:
            print(f"finding hard negatives for {len(questions):,} questions …", flush=True)
            with self._autocast():
                self.examples.find_negatives(Embedder(options.encoder))
        low = torch.bfloat16 if options.precision == "bfloat16" else torch.float32
        self.network = load_network(Path(options.encoder), options.init).to(self.device)
        pool_dropout(self.network, low, self.device)
        self.weights = Weights(self.network, low, options.rate)
        self.steps_an_epoch = [len(self._batches(e)) for e in range(options.epochs)]
        self.steps = sum(self.steps_an_epoch)
        self.done = 0
        self._resume()

    def run(self) -> None:
        """Train to the end and write `model.safetensors`."""
        started, tokens, loss_sum, counted = time.monotonic(), 0, 0.0, 0
        print(f"{self.steps:,} steps from step {self.done:,} on {self.device}", flush=True)
        for batch in self._remaining():
            loss = self._step(batch)
            tokens += sum(len(e.window.ids) for e in batch)
            loss_sum, counted = loss_sum + loss, counted + 1
            if self.done % 50 == 0 or self.done == self.steps:
                rate = tokens / (time.monotonic() - started)
                left = (self.steps - self.done) * (time.monotonic() - started) / counted / 60
                print(
                    f"step {self.done:,}/{self.steps:,}  loss {loss_sum / counted:.3f}  "
                    f"{rate:,.0f} tokens/s  {left:.0f} min left",
                    flush=True,
                )
                loss_sum, counted, tokens, started = 0.0, 0, 0, time.monotonic()
            if self.done % CHECKPOINT_STEPS == 0:
                self._checkpoint()
            if self.done % (CHECKPOINT_STEPS * 5) == 0 or self.done == self.steps:
                self._score()
        self._checkpoint()
        self._write(self.weights.average, self.out / "model.safetensors")
        print(f"wrote {visible(self.out / 'model.safetensors')}")

    def _step(self, batch: list[Example]) -> float:
        torch = self.torch
        torch.manual_seed(self.options.seed * 1_000_003 + self.done)
        self.network.train()
        from qa.reader import padded

        ids, types, mask = (t.to(self.device) for t in padded([e.window for e in batch]))
        out = self.network(input_ids=ids, token_type_ids=types, attention_mask=mask)
        gold = torch.tensor([[e.start, e.end] for e in batch], device=self.device)
        allowed = self._allowed(batch, ids.shape[1])
        loss = sum(
            torch.nn.functional.cross_entropy(logits.float().masked_fill(~allowed, -1e4), gold[:, i])
            for i, logits in enumerate((out.start_logits, out.end_logits))
        )
        loss.backward()
        rate = self.options.rate * _schedule(self.done / self.steps)
        self.done += 1
        self.weights.step(rate, self.done)
        return float(loss.item())

    def _allowed(self, batch: list[Example], width: int) -> torch.Tensor:
        """Where an answer may begin or end: the passage part, and `[CLS]` for "not here"; bool [batch, width]."""
        allowed = self.torch.zeros((len(batch), width), dtype=self.torch.bool)
        for row, example in enumerate(batch):
            allowed[row, 0] = True
            allowed[row, example.window.head : example.window.head + example.window.count] = True
        return allowed.to(self.device)

    def _batches(self, epoch: int) -> list[list[Example]]:
        """An epoch's examples in batches of like length, in random order, the same each time."""
        import random

        from qa.reader import length_batches

        dealt = self.examples.epoch(self.options.seed, epoch)
        size = self.options.batch_tokens
        batches = []
        for first in range(0, len(dealt), 3000):
            part = dealt[first : first + 3000]
            mixed = [[part[i] for i in b] for b in length_batches([len(e.window.ids) for e in part], size)]
            random.Random(f"{self.options.seed}/{epoch}/{first}").shuffle(mixed)
            batches += mixed
        return batches

    def _remaining(self) -> Iterator[list[Example]]:
        passed = 0
        for epoch, steps in enumerate(self.steps_an_epoch):
            if passed + steps > self.done:
                yield from self._batches(epoch)[self.done - passed :]
            passed += steps

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.options.precision == "bfloat16":
            return self.torch.autocast(self.device, dtype=self.torch.bfloat16)
        return nullcontext()

    def _score(self) -> None:
        """Print EM and F1 of the averaged weights on the first questions of each dev file, gold passage given."""
        from qa.reader import Reader, ReadPassage

        self.weights.show(self.weights.average)
        bert, head = self.network.eval().bert, self.network.qa_outputs

        def encode(*parts: torch.Tensor) -> torch.Tensor:
            ids, types, mask = (part.to(self.device) for part in parts)
            hidden: torch.Tensor = bert(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
            return hidden

        reader = Reader(encode, (head.weight, head.bias), self.windower)
        for name, questions in self.dev.items():
            read = reader.read_pairs([(q.question, ReadPassage(q.title, q.context or "")) for q in questions])
            scores = []
            for q, spans in zip(questions, read, strict=True):
                if q.answers:
                    text = (q.context or "")[spans[0].start : spans[0].end] if spans else ""
                    scores.append((exact_match(text, q.answers), f1(text, q.answers)))
            em, overlap = (sum(s[i] for s in scores) / max(1, len(scores)) for i in (0, 1))
            line = {"step": self.done, "dev": name, "answerable": len(scores), "em": em, "f1": overlap}
            print(f"  {visible(name)}: EM {em:.3f}  F1 {overlap:.3f}  ({len(scores)} questions)", flush=True)
            with (self.out / "scores.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        self.weights.show(self.weights.trained)

    def _checkpoint(self) -> None:
        from safetensors.torch import save_file

        path = self.out / "checkpoint.safetensors"
        save_file(self.weights.state(), f"{path}.tmp", metadata={"done": str(self.done), "run": self._run()})
        os.replace(f"{path}.tmp", path)

    def _resume(self) -> None:
        from safetensors import safe_open

        path = self.out / "checkpoint.safetensors"
        if not path.exists():
            return
        with safe_open(str(path), "pt") as file:
            if file.metadata()["run"] != self._run():
                raise BadInput(f"{path} is of another run ({file.metadata()['run']}): give another --out or remove it")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self.done = int(file.metadata()["done"])
        self.weights.restore(tensors)

    def _run(self) -> str:
        """What must be the same for a checkpoint to be gone on from."""
        o = self.options
        return json.dumps(
            [len(self.examples.questions), o.seed, o.epochs, o.rate, o.batch_tokens, o.window, o.negatives, o.altered]
            + [o.precision]
        )

    def _write(self, weights: dict[str, torch.Tensor], path: Path) -> None:
        from safetensors.torch import save_file

        half = {n: p.to(self.torch.float16).cpu().contiguous() for n, p in weights.items()}
        save_file(half, f"{path}.tmp")
        os.replace(f"{path}.tmp", path)


def _schedule(progress: float) -> float:
    """Share of the full learning rate: up over the first 6 %, then down to 0 along a cosine."""
    return progress / 0.06 if progress < 0.06 else 0.5 * (1 + math.cos(math.pi * (progress - 0.06) / 0.94))


def _squad_shaped(paths: list[Path]) -> list[Question]:
    questions = [q for path in paths for turns in read_questions(path) for q in turns]
    if any(q.context is None for q in questions):
        raise BadInput("training needs questions with their context (SQuAD-shaped); a file given has some without")
    return questions


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m qa.train", description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="SQuAD-shaped files to train on")
    parser.add_argument("--dev", type=Path, nargs="*", default=[], help="SQuAD-shaped files to score as it goes")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the weights")
    parser.add_argument("--init", type=Path, help="weights to start from (default: the bare encoder)")
    parser.add_argument("--encoder", default=DEFAULT_ENCODER, help="folder of the encoder")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=2e-4, help="highest learning rate")
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--window", type=int, default=256, help="longest window, in tokens")
    parser.add_argument("--negatives", type=float, default=0.25, help="hard negatives a question and epoch")
    parser.add_argument(
        "--altered", type=float, default=0.0, help="altered questions, without answer, a question and epoch"
    )
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, help="processor threads (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())

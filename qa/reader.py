"""The reader: finds the spans of a passage that may answer a question, and weighs them against "no answer"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qa.spans import best_spans, whole_words
from qa.windows import Tokens, Window, Windower

if TYPE_CHECKING:
    import torch

    Encode = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

WEIGHTS = Path(__file__).parent / "reader" / "model.safetensors"
BATCH_TOKENS = 4096
LONGEST_SPAN = 30
SPANS_A_PASSAGE = 5


@dataclass(frozen=True)
class Span:
    """A character range [start, end) of a passage that may be the answer.

    `score` is its start plus end logit, `null` that of "not in this window": the higher `margin`, the likelier.
    """

    start: int
    end: int
    score: float
    null: float

    @property
    def margin(self) -> float:
        """Score over null, in logits."""
        return self.score - self.null


@dataclass(frozen=True)
class ReadPassage:
    """What the reader is given: a text and the title of the document it stands in."""

    title: str
    text: str


class Reader:
    """A BERT encoder with a span head, and the tokenizer that belongs to it."""

    # Of all readers: one reading at a time uses all cores, and the tokenizer of a shared reader is not thread-safe. A
    # thread and not a lock, for torch keeps some 45 MB and a team of threads for each thread that it has run in.
    _turn = ThreadPoolExecutor(1, thread_name_prefix="reading")
    at_a_time = 1
    """How many questions it is worth to ask at a time."""

    def __init__(self, encode: Encode, head: tuple[torch.Tensor, torch.Tensor], windower: Windower) -> None:
        """Take an encoder, weight [2, width] and bias [2] of its span head, and its windower; `open` loads them."""
        self.encode = encode
        self.head = head
        self.windower = windower

    @classmethod
    def open(cls, encoder: Path, weights: Path = WEIGHTS) -> Reader:
        """Load the span head and encoder layers in `weights` over the word embeddings in folder `encoder`.

        The encoder computes in bfloat16 where the processor multiplies it natively, else in float32.

        Raises:
            ValueError: `weights` has no span head.
        """
        from safetensors.torch import load_file

        from index.bert import Bert

        trained = load_file(weights)
        try:  # float32, as logits a hundredth apart decide between spans
            head = trained["qa_outputs.weight"].float(), trained["qa_outputs.bias"].float()
        except KeyError as error:
            raise ValueError(f"{weights} lacks weights of the reader: {error.args[0]}") from None
        layers = {name.removeprefix("bert."): tensor for name, tensor in trained.items()}
        return cls(Bert.open(encoder, layers), head, Windower.open(encoder))

    def read(self, question: str, passages: Sequence[ReadPassage]) -> list[list[Span]]:
        """Find the best spans of each passage.

        Args:
            question: the question.
            passages: any number of passages of any length.

        Returns:
            for each passage its spans, highest margin first, none overlapping; empty for a text without words.
        """
        return self.read_pairs([(question, passage) for passage in passages])

    def read_in_turn(self, question: str, passages: Sequence[ReadPassage]) -> list[list[Span]]:
        """As `read`, from any number of threads, one after the other."""
        return self._turn.submit(self.read, question, passages).result()

    def read_pairs(self, pairs: Sequence[tuple[str, ReadPassage]]) -> list[list[Span]]:
        """As `read`, with a question for each passage."""
        texts = self._tokenize(pairs)
        windows = [
            (i, w)
            for i, (q, p) in enumerate(pairs)
            for w in self.windower.windows(texts[q], texts[p.title], texts[p.text])
        ]
        found: list[list[Span]] = [[] for _ in pairs]
        for place, start, end in self._logits([w for _, w in windows]):
            number, window = windows[place]
            passage = pairs[number][1].text
            found[number] += _spans(window, start, end, passage, texts[passage])
        return [_without_overlaps(spans) for spans in found]

    def _tokenize(self, pairs: Sequence[tuple[str, ReadPassage]]) -> dict[str, Tokens]:
        texts = list(dict.fromkeys(t for q, p in pairs for t in (q, p.title, p.text)))
        return dict(zip(texts, self.windower.tokens(texts), strict=True))

    def _logits(self, windows: list[Window]) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
        """Start and end logits of each window, longest first, in batches of about `BATCH_TOKENS`."""
        import torch

        for batch in length_batches([len(w.ids) for w in windows], BATCH_TOKENS):
            ids, types, mask = padded([windows[i] for i in batch])
            with torch.inference_mode():
                logits = torch.nn.functional.linear(self.encode(ids, types, mask).to(self.head[0].dtype), *self.head)
            starts, ends = logits.float().cpu().numpy().transpose(2, 0, 1)
            for row, i in enumerate(batch):
                yield i, starts[row], ends[row]


def length_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group items of like length so that a batch, padded to its longest, has at most `budget` tokens."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def padded(windows: Sequence[Window]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token ids, token types and attention mask of windows as tensors [windows, longest]."""
    import torch

    width = max(len(w.ids) for w in windows)
    ids, types, mask = (np.zeros((len(windows), width), dtype=np.int64) for _ in range(3))
    for row, window in enumerate(windows):
        n = len(window.ids)
        ids[row, :n], types[row, :n], mask[row, :n] = window.ids, window.types, 1
    return torch.from_numpy(ids), torch.from_numpy(types), torch.from_numpy(mask)


def _spans(
    window: Window, start: NDArray[np.float32], end: NDArray[np.float32], passage: str, tokens: Tokens
) -> list[Span]:
    part = slice(window.head, window.head + window.count)
    null = float(start[0] + end[0])
    spans = []
    for first, last, score in best_spans(start[part], end[part], longest=LONGEST_SPAN, count=SPANS_A_PASSAGE):
        chars = tokens.offsets[window.first + first][0], tokens.offsets[window.first + last][1]
        spans.append(Span(*whole_words(passage, int(chars[0]), int(chars[1])), score, null))
    return spans


def _without_overlaps(spans: list[Span]) -> list[Span]:
    """The best `SPANS_A_PASSAGE` spans of a passage's windows, dropping those that overlap a better one."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (-s.margin, s.start, s.end)):
        if len(kept) < SPANS_A_PASSAGE and all(span.end <= k.start or span.start >= k.end for k in kept):
            kept.append(span)
    return kept

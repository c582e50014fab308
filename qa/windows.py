"""Question and passage to the reader's input: token ids in windows that fit the network.

Knows the tokenizer, nothing of the network. A window is
`[CLS] question [SEP] title [SEP] passage part [SEP]`, with token types 0 for the question and 1 for
the rest; the title part is left out where there is no title.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WINDOW_TOKENS = 384
STRIDE_TOKENS = 128
QUESTION_TOKENS = 64
TITLE_TOKENS = 24


@dataclass(frozen=True)
class Tokens:
    """A tokenized text: ids, shape [n], and the character range of each, shape [n, 2]."""

    ids: NDArray[np.int32]
    offsets: NDArray[np.int32]


@dataclass(frozen=True)
class Window:
    """One input of the network.

    `head` is the number of tokens before the passage part; `first` and `count` say which of the
    passage's tokens the part holds.
    """

    ids: list[int]
    head: int
    question: int
    first: int
    count: int

    @property
    def types(self) -> list[int]:
        """Token types: 0 for `[CLS] question [SEP]`, then 1."""
        return [0] * self.question + [1] * (len(self.ids) - self.question)


class Windower:
    """Cuts question/passage pairs into windows with one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Take a Hugging Face tokenizer that has `[CLS]` and `[SEP]`; its truncation is switched off."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        self.cls = _special(tokenizer, "[CLS]")
        self.sep = _special(tokenizer, "[SEP]")

    @classmethod
    def open(cls, encoder: Path) -> Windower:
        """Load the tokenizer of the encoder in folder `encoder`."""
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_file(str(encoder / "tokenizer.json")))

    def tokens(self, texts: list[str]) -> list[Tokens]:
        """Tokenize texts, without special tokens."""
        return [_tokens(e) for e in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    def head(self, question: Tokens, title: Tokens | None) -> tuple[list[int], int]:
        """The ids before the passage, and how many of them are of type 0."""
        ids = [self.cls, *question.ids[:QUESTION_TOKENS].tolist(), self.sep]
        of_question = len(ids)
        if title is not None and len(title.ids):
            ids += [*title.ids[:TITLE_TOKENS].tolist(), self.sep]
        return ids, of_question

    def cut(self, head: list[int], of_question: int, passage: Tokens, first: int, count: int) -> Window:
        """One window over `count` of the passage's tokens from `first` on."""
        part = passage.ids[first : first + count].tolist()
        return Window([*head, *part, self.sep], len(head), of_question, first, len(part))

    def windows(self, question: Tokens, title: Tokens | None, passage: Tokens) -> list[Window]:
        """All windows over a passage: one if it fits, else overlapping ones a stride apart."""
        head, of_question = self.head(question, title)
        room = WINDOW_TOKENS - len(head) - 1
        windows = []
        for first in range(0, max(1, len(passage.ids)), STRIDE_TOKENS):
            windows.append(self.cut(head, of_question, passage, first, room))
            if first + room >= len(passage.ids):
                break
        return windows


def _special(tokenizer: Tokenizer, token: str) -> int:
    number = tokenizer.token_to_id(token)
    if number is None:
        raise ValueError(f"the tokenizer has no {token} token: the reader needs a BERT-style tokenizer")
    return int(number)


def _tokens(encoding: Any) -> Tokens:
    offsets = np.asarray(encoding.offsets, dtype=np.int32).reshape(-1, 2)
    return Tokens(np.asarray(encoding.ids, dtype=np.int32), offsets)

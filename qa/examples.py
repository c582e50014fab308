"""Questions to training examples: tokenized once, cut and paired with hard negatives anew in each epoch.

Knows the tokenizer and the embedder, nothing of the network. Everything random hangs on (seed, epoch), so that a run
that was killed goes on with the same examples.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index import Embedder
from qa.altered import altered
from qa.metrics import normalise
from qa.questions import Question
from qa.windows import Tokens, Window, Windower

NEGATIVES = 8
SHORT_TOKENS = 80


@dataclass(frozen=True)
class Recipe:
    """How examples are made; the shares are probabilities per question and epoch.

    window: longest window, in tokens.
    negative: share of questions also shown with a passage that ranks high and does not answer them.
    joined, joined_short: share of passages (of those under `SHORT_TOKENS`) read among others of the same title.
    short: share of the questions on short passages that an epoch uses; many of them ask about one sentence.
    titled: share of windows that begin with the title.
    altered: share of answered questions also altered so that the passage does not answer them.
    """

    window: int = 256
    negative: float = 0.25
    joined: float = 0.1
    joined_short: float = 0.35
    short: float = 0.5
    titled: float = 0.8
    altered: float = 0.0


@dataclass(frozen=True)
class Example:
    """A window and the token positions of the answer's first and last token in it; (0, 0) says "not here"."""

    window: Window
    start: int
    end: int


class Examples:
    """The training questions, ready to be dealt out epoch by epoch."""

    def __init__(self, questions: Sequence[Question], windower: Windower, recipe: Recipe) -> None:
        """Tokenize all texts once."""
        self.windower = windower
        self.recipe = recipe
        self.contexts = list(dict.fromkeys(q.context or "" for q in questions))
        place = {context: i for i, context in enumerate(self.contexts)}
        self.tokens = windower.tokens(self.contexts)
        self.questions = list(questions)
        self.question_tokens = windower.tokens([q.question for q in questions])
        titles = list(dict.fromkeys(q.title for q in questions))
        self.title_tokens = dict(zip(titles, windower.tokens(titles), strict=True))
        self.context_of = [place[q.context or ""] for q in questions]
        self.spans = [_token_spans(q, self.tokens[c]) for q, c in zip(questions, self.context_of, strict=True)]
        self.title_of = {c: q.title for q, c in zip(questions, self.context_of, strict=True)}
        self.neighbours: dict[str, list[int]] = defaultdict(list)
        for c in range(len(self.contexts)):
            self.neighbours[self.title_of[c]].append(c)
        self.altered = self._altered() if recipe.altered else {}
        self.negatives: NDArray[np.int64] = np.empty((len(questions), 0), dtype=np.int64)

    def find_negatives(self, embedder: Embedder) -> None:
        """For each question the `NEGATIVES` passages that rank highest and hold none of its answers, -1 for none."""
        passages = embedder.embed(self.contexts)
        texts = [normalise(c) for c in self.contexts]
        self.negatives = np.full((len(self.questions), NEGATIVES), -1)
        for first in range(0, len(self.questions), 1024):
            part = self.questions[first : first + 1024]
            similar = embedder.embed([q.question for q in part]) @ passages.T
            top = np.argsort(-similar, axis=1, kind="stable")[:, : 4 * NEGATIVES]
            for row, q in enumerate(part):
                gold = [normalise(a) for a in q.answers]
                own = self.context_of[first + row]
                good = [c for c in top[row] if c != own and not any(g in texts[c] for g in gold)][:NEGATIVES]
                self.negatives[first + row, : len(good)] = good

    def epoch(self, seed: int, number: int) -> list[Example]:
        """All examples of an epoch, in random order."""
        rng = random.Random(f"{seed}/{number}")
        examples = []
        for i in range(len(self.questions)):
            if len(self.tokens[self.context_of[i]].ids) < SHORT_TOKENS and rng.random() >= self.recipe.short:
                continue
            examples.append(self._example(i, rng))
            if rng.random() < self.recipe.negative and self.negatives.shape[1]:
                against = [c for c in self.negatives[i].tolist() if c >= 0]
                if against:
                    examples.append(self._negative(self.question_tokens[i], rng.choice(against), rng))
            if i in self.altered and rng.random() < self.recipe.altered:
                examples.append(self._negative(self.altered[i], self.context_of[i], rng))
        rng.shuffle(examples)
        return examples

    def _altered(self) -> dict[int, Tokens]:
        rng = random.Random("altered")
        texts = {}
        for i, (q, c) in enumerate(zip(self.questions, self.context_of, strict=True)):
            near = rng.sample(self.neighbours[self.title_of[c]], min(2, len(self.neighbours[self.title_of[c]])))
            text = altered(q.question, q.answers, [self.contexts[n] for n in (c, *near)], rng) if q.answers else None
            if text is not None:
                texts[i] = text
        return dict(zip(texts, self.windower.tokens(list(texts.values())), strict=True))

    def _example(self, i: int, rng: random.Random) -> Example:
        own = self.context_of[i]
        parts = [self.tokens[own].ids]
        share = self.recipe.joined_short if len(parts[0]) < SHORT_TOKENS else self.recipe.joined
        before = 0
        head, of_question = self._head(self.question_tokens[i], own, rng)
        room = self.recipe.window - len(head) - 1
        if rng.random() < share:
            wanted = rng.randint(min(len(parts[0]), room), room)
            while sum(map(len, parts)) < wanted:
                other = rng.choice(self.neighbours[self.title_of[own]])
                if other == own or any(a in self.contexts[other] for a in self.questions[i].answers):
                    wanted -= 40
                elif rng.random() < 0.5:
                    parts.insert(0, self.tokens[other].ids)
                    before += len(parts[0])
                else:
                    parts.append(self.tokens[other].ids)
        passage = Tokens(np.concatenate(parts), np.empty((0, 2), dtype=np.int32))
        total = len(passage.ids)
        if not self.spans[i]:
            first = rng.randint(0, max(0, total - room)) if len(parts) == 1 else max(0, min(before, total - room))
            return Example(self.windower.cut(head, of_question, passage, first, room), 0, 0)
        a, b = rng.choice(self.spans[i])
        a, b = a + before, min(b, a + room - 1) + before
        first = rng.randint(max(0, b - room + 1), max(0, min(a, total - room)))
        shift = len(head) - first
        return Example(self.windower.cut(head, of_question, passage, first, room), a + shift, b + shift)

    def _negative(self, question: Tokens, context: int, rng: random.Random) -> Example:
        head, of_question = self._head(question, context, rng)
        room = self.recipe.window - len(head) - 1
        first = rng.randint(0, max(0, len(self.tokens[context].ids) - room))
        return Example(self.windower.cut(head, of_question, self.tokens[context], first, room), 0, 0)

    def _head(self, question: Tokens, context: int, rng: random.Random) -> tuple[list[int], int]:
        titled = rng.random() < self.recipe.titled
        return self.windower.head(question, self.title_tokens[self.title_of[context]] if titled else None)


def _token_spans(question: Question, tokens: Tokens) -> list[tuple[int, int]]:
    """The answers' first and last token in their context; those that fall between tokens are left out."""
    spans = []
    for text, start in zip(question.answers, question.starts, strict=True):
        first = int(np.searchsorted(tokens.offsets[:, 1], start, side="right"))
        last = int(np.searchsorted(tokens.offsets[:, 0], start + len(text), side="left")) - 1
        if first <= last:
            spans.append((first, last))
    return spans

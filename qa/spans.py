"""Logits to spans, with numpy alone. Knows nothing of models, tokenizers or documents."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def best_spans(start: Floats, end: Floats, *, longest: int, count: int) -> list[tuple[int, int, float]]:
    """The highest-scoring token ranges of one window.

    A range's score is its start logit plus its end logit, as in BERT's reader (Devlin et al. 2019,
    section 4.2); every range of at most `longest` tokens is considered, none is pruned.

    Args:
        start, end: logits of the passage's tokens, shape [tokens].
        longest: longest range, in tokens.
        count: how many ranges to return; ranges that overlap a better one are left out.

    Returns:
        (first token, last token, score), best first; ties go to the earlier, shorter range.
    """
    if start.shape != end.shape:
        raise ValueError(f"start has {start.shape} logits and end has {end.shape}: they must agree")
    tokens = len(start)
    width = min(longest, tokens)
    if width == 0:
        return []
    padded = np.concatenate([end, np.full(width - 1, -np.inf, dtype=end.dtype)])
    scores = start[:, None] + np.lib.stride_tricks.sliding_window_view(padded, width)
    taken: list[tuple[int, int, float]] = []
    while len(taken) < count:
        first, extra = divmod(int(scores.argmax()), width)
        last, score = first + extra, float(scores[first, extra])
        if score == -np.inf:
            break
        taken.append((first, last, score))
        scores[first : last + 1] = -np.inf  # those that begin inside it, and those that reach into it
        for before in range(max(0, first - width + 1), first):
            scores[before, first - before :] = -np.inf
    return taken


def whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen [start, end) so that it cuts no word of `text` in two."""
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    return start, end

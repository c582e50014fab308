from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from index import DEFAULT_ENCODER
from qa.windows import WINDOW_TOKENS, Windower

windower = Windower.open(Path(DEFAULT_ENCODER))


def cut(question: str, title: str, passage: str) -> list[list[str]]:
    q, t, p = windower.tokens([question, title, passage])
    return [[windower.tokenizer.id_to_token(i) for i in w.ids] for w in windower.windows(q, t, p)]


def test_a_window_is_question_title_and_passage_between_marks() -> None:
    assert cut("Who?", "Dam", "Ann did.") == [
        ["[CLS]", "who", "?", "[SEP]", "dam", "[SEP]", "ann", "did", ".", "[SEP]"]
    ]  # fmt: skip
    assert cut("Who?", "", "Ann.")[0] == ["[CLS]", "who", "?", "[SEP]", "ann", ".", "[SEP]"]


def test_token_types_are_0_up_to_the_questions_end() -> None:
    q, t, p = windower.tokens(["Who?", "Dam", "Ann did."])
    assert windower.windows(q, t, p)[0].types == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2000), st.integers(1, 100), st.integers(0, 60))
def test_windows_fit_and_cover_every_token(passage: int, question: int, title: int) -> None:
    q, t, p = windower.tokens(["dam " * question, "news " * title, "river " * passage])
    windows = windower.windows(q, t, p)
    assert all(len(w.ids) <= WINDOW_TOKENS for w in windows)
    assert {i for w in windows for i in range(w.first, w.first + w.count)} == set(range(passage))
    assert all(w.ids[w.head : w.head + w.count] == p.ids[w.first : w.first + w.count].tolist() for w in windows)


def test_a_tokenizer_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no \[CLS\]"):
        Windower(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))

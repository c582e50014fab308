"""Altered questions: one change, never into the answer, the same for the same seed."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from qa.altered import OPPOSITES, altered

TEXT = (
    "In the spring Ilse Brandt met Tomas Reuter near Halden. They found 12 cracks in 1987, and by 1992 there were 40."
)


def many(question: str, answers: list[str], texts: list[str]) -> set[str | None]:
    return {altered(question, answers, texts, random.Random(seed)) for seed in range(200)}


def test_a_name_becomes_another_of_the_texts_but_never_the_answer() -> None:
    got = many("Whom did Ilse Brandt meet?", ["Tomas Reuter"], [TEXT])
    assert "Whom did Halden meet?" in got
    assert not any(text and "Reuter" in text for text in got)


def test_a_number_becomes_one_of_as_many_digits() -> None:
    got = many("What was found in 1987?", ["12 cracks"], [TEXT])
    assert "What was found in 1992?" in got
    assert not any(text and "40" in text for text in got)


def test_a_word_becomes_its_opposite_or_is_denied() -> None:
    got = many("who was the first to speak?", ["Ilse Brandt"], [TEXT])
    assert got == {"who was the last to speak?", "who wasn't the first to speak?"}


def test_what_cannot_be_altered_is_none() -> None:
    assert many("who spoke?", ["Ilse Brandt"], [TEXT]) == {None}


def test_opposites_go_both_ways() -> None:
    assert all(OPPOSITES[OPPOSITES[word]] == word for word in ("before", "first", "north", "won"))


@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=2), st.text(max_size=200), st.integers(0, 5))
def test_one_place_changes_and_the_rest_stays(question: str, answers: list[str], text: str, seed: int) -> None:
    got = altered(question, answers, [text], random.Random(seed))
    assert got == altered(question, answers, [text], random.Random(seed))
    if got is not None:
        tail = next(n for n in range(len(got) + 1) if n == len(got) or got[: n + 1] != question[: n + 1])
        assert got != question and any(
            question[:tail] == got[:tail] and got.endswith(question[i:]) for i in range(tail, len(question) + 1)
        )

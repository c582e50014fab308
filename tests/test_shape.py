from __future__ import annotations

import pytest

from qa.shape import asks_for_explanation, asks_for_list, enumeration, near_copy, points_back


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("Which airports were seized?", True),
        ("What three ferries stayed in port?", True),
        ("Who were the candidates?", True),
        ("What are the main suspects?", True),
        ("Who closed the dam?", False),
        ("What is the name of the dam?", False),
        ("What was its cause?", False),
        ("Where is the dam?", False),
    ],
)
def test_list_questions_are_told_by_their_first_words(question: str, asks: bool) -> None:
    assert asks_for_list(question) is asks


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("Why was the dam closed?", True),
        ("How did the fire start?", True),
        ("And what happened then?", True),
        ("How many people died?", False),
        ("How long was it closed?", False),
        ("Who asked why?", False),
    ],
)
def test_questions_that_want_a_sentence_are_told_by_their_first_words(question: str, asks: bool) -> None:
    assert asks_for_explanation(question) is asks


@pytest.mark.parametrize(
    ("text", "members", "whole"),
    [
        (
            "The ferries Alder, Brisa and the Coronet stayed.",
            ["Brisa", "Alder", "Coronet"],
            "Alder, Brisa and the Coronet",
        ),
        ("Both in Almaty and Nur-Sultan there was one.", ["Nur-Sultan", "Almaty"], "Almaty and Nur-Sultan"),
        ("Almaty fell while Nur-Sultan held.", ["Almaty", "Nur-Sultan"], "Almaty"),
        ("Ann Lee won.", ["Ann", "Lee"], "Ann"),
    ],
)
def test_an_enumeration_is_taken_whole_and_nothing_else_is(text: str, members: list[str], whole: str) -> None:
    spans = [(text.index(m), text.index(m) + len(m)) for m in members]
    start, end = enumeration(text, spans)
    assert text[start:end] == whole


def test_sentences_that_lean_on_the_one_before_are_told() -> None:
    assert points_back("“That’s because they understood.") and points_back("But it closed.")
    assert not points_back("The dam was closed.") and not points_back("Theory matters.")


def test_a_wire_story_with_a_few_words_changed_is_a_near_copy() -> None:
    one = "The dam above Kestrel Valley was closed on Monday after inspectors found cracks in its wall, officials said."
    assert near_copy(one, one.replace("officials said", "the ministry said"))
    assert not near_copy(one, "The dam will open again in September, the minister told parliament on Friday.")
    assert not near_copy("", "")

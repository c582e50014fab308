from __future__ import annotations

import pytest

from qa.answer import Answer
from qa.conversation import complete


def said(question: str, text: str | None, sentence: str | None = None, understood_as: str | None = None) -> Answer:
    return Answer(question, text, sentence or text, 0.9, (), understood_as=understood_as)


@pytest.mark.parametrize(
    ("question", "before", "completed"),
    [
        ("When?", said("Who asked the CSTO for help?", "Tokayev"), "When Tokayev asked the CSTO for help?"),
        ("And why?", said("Which airports were seized?", "Almaty"), "Why Almaty airports were seized?"),
        ("Why?", said("When did the mayor resign?", "on Monday"), "Why did the mayor resign on Monday?"),
        ("Who said so?", said("Where was the dam closed?", "Kestrel"), "Who said was the dam closed Kestrel?"),
        (
            "What did he say about the airports?",
            said("Who spoke?", "Ann Lee"),
            "What did Ann Lee say about the airports?",
        ),
        ("Where is his house?", said("Did Ann Lee resign?", None), "Where is Ann Lee's house?"),
        ("How old is she?", said("What did Ann Lee say?", "nothing new"), "How old is Ann Lee?"),
        (
            "Where are they now?",
            said("Which ferries stopped?", "the Alder"),
            "Where are they now ferries stopped Alder?",
        ),
        ("By whom exactly?", said("Why was the dam closed?", "cracks"), "By whom exactly dam closed cracks?"),
    ],
)
def test_a_follow_up_is_completed(question: str, before: Answer, completed: str) -> None:
    assert complete(question, [before]) == completed


@pytest.mark.parametrize("question", ["Who closed the dam in Kestrel Valley?", "Which union called the ferry strike?"])
def test_a_question_that_stands_alone_is_left_alone(question: str) -> None:
    assert complete(question, [said("Who spoke?", "Ann Lee")]) is None


def test_the_first_question_is_left_alone() -> None:
    assert complete("Why?", []) is None


def test_a_follow_up_of_a_follow_up_builds_on_what_that_was_understood_as() -> None:
    before = said("When?", "on Monday", understood_as="When Tokayev asked the CSTO for help?")
    assert complete("Why?", [before]) == "Why on Monday Tokayev asked the CSTO for help?"

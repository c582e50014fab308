"""Answers of several folders become one: the best supported wins, the others are kept, numbers run through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_answer import TEXT, cite

from qa import Alternative, Answer, Citation, together


@pytest.fixture
def citation(tmp_path: Path) -> Citation:
    (tmp_path / "dam news.txt").write_text(TEXT)
    return cite(tmp_path, "Ilse Brandt")


def given(citation: Citation, text: str | None, confidence: float, count: int = 1, **more) -> Answer:
    cited = tuple(replace(citation, number=n, text=text or "") for n in range(1, count + 1))
    if text is None:
        return Answer("Who?", None, None, confidence, (), related=cited)
    return Answer("Who?", text, citation.sentence, confidence, cited, **more)


def numbers(answer: Answer) -> list[int]:
    others = [c.number for a in answer.alternatives for c in a.citations]
    return [*(c.number for c in answer.citations), *others, *(c.number for c in answer.related)]


def test_one_answer_alone_stays_as_it_is(citation: Citation) -> None:
    for answer in (given(citation, "Ann", 0.7, 2), given(citation, None, 0.1, 3)):
        assert together([answer]) == answer


def test_the_more_confident_answer_wins_and_the_other_is_an_alternative(citation: Citation) -> None:
    own = given(citation, "Bob", 0.9, 2)
    found = together([given(citation, "Ann", 0.6, 2), own])
    assert (found.text, found.confidence) == ("Bob", 0.9)
    assert [(a.text, a.confidence) for a in found.alternatives] == [("Ann", 0.6)] and numbers(found) == [1, 2, 3, 4]


def test_an_answer_wins_over_none_and_has_no_related_passages(citation: Citation) -> None:
    found = together([given(citation, None, 0.95, 5), given(citation, "Ann", 0.5)])
    assert found.text == "Ann" and found.related == ()


def test_equal_answers_are_one_with_all_citations(citation: Citation) -> None:
    first, second = given(citation, "The dam", 0.8, 2), given(citation, "dam", 0.7, 2)
    second = replace(second, citations=(second.citations[0], replace(second.citations[1], copy_of=1)))
    found = together([second, first])
    assert found.alternatives == () and numbers(found) == [1, 2, 3, 4]
    assert [c.copy_of for c in found.citations] == [None, None, None, 3]


def test_alternatives_are_the_surest_of_all(citation: Citation) -> None:
    def other(text: str, confidence: float) -> Alternative:
        return Alternative(text, "s", confidence, (replace(citation, number=2),))

    ours = given(citation, "Ann", 0.9, alternatives=(other("a", 0.3), other("b", 0.1)))
    own = given(citation, "Bob", 0.4, alternatives=(other("c", 0.2),))
    found = together([ours, own])
    assert [a.text for a in found.alternatives] == ["Bob", "a", "c"] and numbers(found) == [1, 2, 3, 4]


def test_without_any_answer_the_closest_passages_are_taken_in_turn(citation: Citation) -> None:
    other = replace(citation, document="other.txt")
    found = together([given(citation, None, 0.2, 5), given(other, None, 0.1, 2)])
    assert [c.document for c in found.related] == [citation.document, "other.txt"] * 2 + [citation.document]
    assert numbers(found) == [1, 2, 3, 4, 5] and found.text is None

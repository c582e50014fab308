"""Answers, sources and documents as HTML: nothing but text gets through, and marks stand exactly at their offsets."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_app_fakes import FERRY, HOSTILE, FakePipeline, cite, document

from app.examples import FORMS, example_questions
from app.marks import marked, plain, shown, window
from app.page import REACH, document_view, missing_document
from app.render import confidence, conversation, places, sources, welcome
from index import Anchor, Block, Document
from qa import Alternative, Answer, Citation, Excerpt

EVIL = "<img src=x onerror=alert(1)>\"'&<script>\u202e\x1b[0m</mark></span>"
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def named(text: str) -> str:
    return UNSEEN.sub(lambda m: f"U+{ord(m[0]):04X}", text)


class Reader(HTMLParser):
    """The tags of a page, its text, and the texts within the elements of one class."""

    def __init__(self, page: str, within: str = "") -> None:
        super().__init__()
        self.within, self.tags, self.open, self.text, self.inside = within, [], [], "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.open.append(bool(self.within) and self.within in classes)
        if self.open[-1]:
            self.inside.append("")

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data
        if any(self.open):
            self.inside[-1] += data


KNOWN_TAGS = {
    "article", "bdi", "button", "details", "div", "h2", "h3", "header", "li", "mark", "nav", "p", "section", "span",
    "strong", "summary", "ul",
}  # fmt: skip


def evil_answer() -> Answer:
    text = EVIL + " " + EVIL
    c = Citation(
        1, EVIL, EVIL, EVIL, 0, len(EVIL), EVIL, 0, len(text), text, Excerpt(0, len(text), text),
        Anchor(None, None, EVIL, 3), EVIL, EVIL,
    )  # fmt: skip
    other = Alternative(EVIL, text, 0.2, (replace(c, number=2),))
    return Answer(EVIL, EVIL, text, 0.5, (c,), (other,), (replace(c, number=3),), EVIL)


def test_hostile_text_in_every_field_stays_text() -> None:
    answer = evil_answer()
    hostile = Document(EVIL, EVIL, EVIL, EVIL, EVIL * 3, (Block(0, len(EVIL), "heading", 1),))
    pages = [
        conversation([answer, replace(answer, text=None)], pending=EVIL, problem=EVIL),
        sources(answer, 0),
        sources(replace(answer, text=None, citations=(), alternatives=()), 0),
        welcome(3, EVIL, [EVIL]),
        document_view(hostile, answer, 0, 0),
        document_view(hostile, answer, 0, 2),
        missing_document(answer.citations[0], 0),
    ]
    for page in pages:
        read = Reader(page)
        assert set(read.tags) <= KNOWN_TAGS
        assert named(EVIL) in read.text
        assert "\u202e" not in page and "\x1b" not in page


@given(st.text(alphabet=st.characters()))
def test_text_is_shown_whole_with_the_unseen_named(text: str) -> None:
    assert Reader(shown(text)).text == named(text)
    assert Reader(f'<p title="{plain(text)}"></p>').tags == ["p"]


def ranges(length: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, length), st.integers(0, length)).map(lambda pair: (min(pair), max(pair)))


@st.composite
def cited_documents(draw: st.DrawFn) -> tuple[Document, Citation]:
    """Any text, any blocks, any range cited in any sentence: even where they cross."""
    text = draw(st.text(alphabet=st.one_of(st.sampled_from("<>&\"'\n ab\u202e\x00{}$`"), st.characters()), max_size=60))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    kinds = st.sampled_from(["paragraph", "heading", "aside"])
    blocks = tuple(Block(a, b, draw(kinds), draw(st.sampled_from([None, 1, 2]))) for a, b in pairwise(edges))
    if blocks and draw(st.booleans()):
        blocks = blocks[1:]
    (start, end), (first, last) = draw(ranges(len(text))), draw(ranges(len(text)))
    citation = Citation(
        1, "a.txt", "A", None, start, end, text[start:end], first, last, text[first:last],
        Excerpt(0, len(text), text), Anchor(1, None, None, None), "0", "",
    )  # fmt: skip
    return Document("a.txt", "0", "A", None, text, blocks), citation


@given(cited_documents())
def test_the_document_view_holds_the_text_and_marks_the_cited_range(cited: tuple[Document, Citation]) -> None:
    of, citation = cited
    page = document_view(of, Answer("?", "x", "x", 0.5, (citation,)), 0, 0)
    assert "".join(Reader(page, "text").inside) == named(of.text)
    assert "".join(Reader(page, "cited").inside) == named(citation.text)
    assert page.count('id="cited"') == (1 if citation.text else 0)


@given(cited_documents(), st.data())
def test_marks_are_clipped_to_what_is_shown(cited: tuple[Document, Citation], data: st.DataObject) -> None:
    of, c = cited
    a, b = data.draw(ranges(len(of.text)))
    page = marked(of.text[a:b], a, c)
    assert Reader(page).text == named(of.text[a:b])
    assert "".join(Reader(page, "cited").inside) == named(of.text[max(a, c.start) : max(a, min(b, c.end))])


def test_the_second_of_two_equal_words_is_marked_when_it_is_the_cited_one() -> None:
    of = document("a.txt", "no no no.")
    citation = replace(cite(1, of, "no"), start=3, end=5)
    assert marked(of.text, 0, citation).startswith('<span class="sentence">no </span><mark class="cited">no</mark>')


def test_an_answer_stands_in_its_sentence_with_numbers_sources_and_alternatives() -> None:
    answer = FakePipeline().ask("What was agreed?")
    page = conversation([answer])
    assert Reader(page, "words").inside[0] == "They agreed on six per cent, said the mediator Ruth Okafor.12"
    assert '<strong class="cited">six per cent</strong>' in page
    assert 'data-event="expand" data-turn="0" data-place="1"' in page
    assert "2 sources" in page and "1 other possible answer" in page and "probably right, 83%" in page
    assert [c.number for c in places(answer)] == [1, 2, 3]
    cards = Reader(sources(answer, 0), "cited").inside
    assert cards == ["six per cent", "six per cent", "nine per cent"]


def test_a_long_sentence_is_cut_around_the_answer() -> None:
    answer = FakePipeline().ask("what is the code?")
    first = answer.citations[0]
    long = replace(first, sentence_end=len(HOSTILE), sentence=HOSTILE[first.sentence_start :])
    page = conversation([replace(answer, citations=(long,))])
    assert len(page) < 5_000 and " …<span" in page


def test_no_answer_is_said_and_what_is_near_is_labelled_so() -> None:
    answer = FakePipeline().ask("Where is the moon?")
    page = conversation([answer])
    assert "The documents do not answer this." in page and "Related, not an answer" in page
    assert "confidence" not in page
    pane = sources(answer, 0)
    assert "Related, not an answer" in pane and "<mark" not in pane
    assert 'class="text near"' in document_view(document("news/end.txt", "x"), answer, 0, 0)
    assert "nothing in the documents that comes close" in sources(replace(answer, related=()), 0)


def test_a_stale_citation_says_so_and_has_no_mark() -> None:
    pipeline = FakePipeline()
    answer, of = pipeline.ask("who mediated?"), pipeline.index.document("ferry.txt")
    stale = replace(answer, citations=(replace(answer.citations[0], stale=True),))
    edited = document("ferry.txt", FERRY.replace("Ruth", "Rita"))
    for pane in (sources(stale, 0), document_view(of, stale, 0, 0), document_view(edited, answer, 0, 0)):
        assert "Changed since it was indexed" in pane and "<mark" not in pane
    assert "Changed since it was indexed" in conversation([stale])


def test_only_the_surroundings_of_a_citation_are_shown_of_a_huge_document() -> None:
    of = document("huge.txt", "a" * (REACH * 2) + "needle" + "b" * (REACH * 2))
    citation = replace(cite(1, of, "needle"), passage=Excerpt(0, 1, "a"), sentence="", sentence_start=0, sentence_end=0)
    page = document_view(of, Answer("?", "needle", "", 0.5, (citation,)), 0, 0)
    assert "".join(Reader(page, "text").inside) == "a" * REACH + "needle" + "b" * REACH
    assert "Characters 300,000 to 900,006 of 1,200,006 are shown." in page


@pytest.mark.parametrize(
    ("probability", "words", "meaning"),
    [
        (1.0, "very likely right, 100%", "At least 19 in 20"),
        (0.81, "probably right, 81%", "About 8 in 10"),
        (0.5, "uncertain, 50%", "About 5 in 10"),
        (0.06, "doubtful, 6%", "About 1 in 10"),
        (0.0, "doubtful, 0%", "Fewer than 1 in 20"),
    ],
)
def test_confidence_is_words_a_number_and_its_meaning(probability: float, words: str, meaning: str) -> None:
    page = confidence(probability)
    assert Reader(page).text == words and f'data-tip="{meaning} answers at this level were right."' in page


def test_a_follow_up_shows_how_it_was_understood_and_can_be_undone() -> None:
    pipeline = FakePipeline()
    first = pipeline.ask("What was agreed?")
    page = conversation([first, pipeline.ask("Why?", history=[first])])
    assert "understood as: Why <did> the mediator? " in Reader(page).text and 'data-event="undo" data-turn="1"' in page


def test_a_window_stays_within_the_text() -> None:
    assert window(100, 40, 50, 20) == (20, 70)
    assert window(100, 5, 95, 20) == (0, 100)
    assert window(3, 500, 900, 20) == (3, 3)


def test_examples_quote_headlines_from_all_over_the_corpus() -> None:
    titles = ["", "x" * 200, "A wins", "B  loses", "C draws"]
    assert example_questions(titles) == tuple(
        form.format(title) for form, title in zip(FORMS, ["A wins", "B loses", "C draws"], strict=True)
    )
    assert len(set(example_questions(["Only one"]))) == len(FORMS)
    assert example_questions(["", " "]) == ()


def test_the_chat_says_of_an_answer_from_a_part_of_the_documents_that_it_is_incomplete() -> None:
    why = "1 of 4 parts of the documents did not answer in time"
    for text in ("the ferry crews", None):
        whole = Answer("Who went on strike?", text, text, 0.1, ())
        page = conversation([replace(whole, partial=why + EVIL)])
        assert f"Incomplete: {why}" in Reader(page).text and "img" not in Reader(page).tags
        assert "Incomplete" not in conversation([whole])
